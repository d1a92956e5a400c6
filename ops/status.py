"""`imagify status`: is the local run up, and where."""

from __future__ import annotations

import argparse
import json
import os

from ops.terminal import OUT
from sandbox.errors import NotRunning
from sandbox.places import Places
from sandbox.run import find
from sandbox.state import State


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "status", help="say whether the local run is up, and its URLs (exit code 3: it is not)"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print it; raises NotRunning for people, programs get `{"up": false}` with its exit code."""
    try:
        state = find(Places.from_env(os.environ))
    except NotRunning as error:
        if not arguments.json:
            raise
        OUT.out(json.dumps({"up": False, "message": str(error)}))
        return error.exit_code
    facts = _facts(state)
    if arguments.json:
        OUT.out(json.dumps({"up": True, **facts}, indent=2))
    else:
        OUT.print("The local run is up.")
        for name, value in facts.items():
            OUT.print(f"  [bold]{name:<22}[/]{value}")
    return 0


def _facts(state: State) -> dict[str, str]:
    outputs = {} if state.outputs is None else state.outputs.model_dump()
    return {
        "api_url": state.api_url or "",
        "docs_url": f"{state.api_url}/docs",
        "emulator_url": state.emulator_url,
        "simulator_url": state.simulator_url,
        **{name: value for name, value in outputs.items() if name != "ApiUrl"},
    }
