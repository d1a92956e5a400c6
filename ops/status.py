"""`imagify status`: is the local run up, and where."""

# ruff: noqa: PLC0415 - --help is quick: what a command needs is imported when it runs

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Annotated

from typer import Option

if TYPE_CHECKING:
    from sandbox.state import State


def status(
    *, as_json: Annotated[bool, Option("--json", help="Print it for programs.")] = False
) -> int:
    """Say whether the local run is up, and its URLs; exit code 3: it is not."""
    from ops.terminal import OUT
    from sandbox.errors import NotRunning
    from sandbox.places import Places
    from sandbox.run import find

    try:
        state = find(Places.from_env(os.environ))
    except NotRunning as error:
        if not as_json:
            raise
        OUT.out(json.dumps({"up": False, "message": str(error)}))
        return error.exit_code
    facts = _facts(state)
    if as_json:
        OUT.out(json.dumps({"up": True, **facts}, indent=2))
    else:
        OUT.print("The local run is up.")
        for name, value in facts.items():
            OUT.print(f"  [bold]{name:<22}[/]{value}")
    return 0


def _facts(state: State) -> dict[str, str]:
    outputs = {} if state.outputs is None else state.outputs.model_dump()
    return {
        "page_url": state.page_url,
        "api_url": state.api_url or "",
        "docs_url": f"{state.api_url}/docs",
        "emulator_url": state.emulator_url,
        "simulator_url": state.simulator_url,
        "gateway_url": state.gateway_url,
        **{name: value for name, value in outputs.items() if name != "ApiUrl"},
    }
