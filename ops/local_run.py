"""The whole product on this machine: what `imagify up` does."""

from __future__ import annotations

import os
from collections.abc import Sequence

import httpx
from rich.markup import escape

from ops.customer.client import ApiError
from ops.customer.images import Wish, generate
from ops.customer.local_client import local_client
from ops.terminal import ERR, OUT, Steps
from sandbox.errors import CommandError
from sandbox.places import Places
from sandbox.processes import signals_noted
from sandbox.run import Options, start, stop_parts, watch
from sandbox.state import State


def up(places: Places, options: Options, *, detach: bool, prompt: str | None) -> int:
    """Start, and unless detached, stay; everything is stopped on the way out, however it ends."""
    with signals_noted() as noted:
        return _up(places, options, detach=detach, prompt=prompt, noted=noted)


def _up(
    places: Places, options: Options, *, detach: bool, prompt: str | None, noted: Sequence[int]
) -> int:
    with Steps() as steps:
        state = start(places, os.environ, options, tell=steps, foreground=not detach)
    ERR.print(f"Ready in {steps.seconds:.1f} s.")
    if detach:
        _first_image(places, state, prompt)
        _show(places, state, how_to_stop="bin/imagify down")
        return 0
    try:
        _first_image(places, state, prompt)
        _show(places, state, how_to_stop="Ctrl-C")
        watch(state, noted)
    except KeyboardInterrupt:
        ERR.print("\nStopping …")
        raise
    finally:
        stop_parts(places)
        ERR.print("Everything is stopped.")


def _first_image(places: Places, state: State, prompt: str | None) -> None:
    """Generate one image; if that fails, say so and stay up, for the person to look into it."""
    if prompt is None:
        return
    places.images.mkdir(parents=True, exist_ok=True)
    try:
        generate(local_client(state), Wish(prompt=prompt, out=places.images))
    except (ApiError, CommandError, httpx.HTTPError) as error:
        ERR.print(f"[red]imagify:[/] {escape(str(error))}")


def _show(places: Places, state: State, *, how_to_stop: str) -> None:
    rows = {
        "Page": state.page_url,
        "API": state.api_url,
        "API docs": f"{state.api_url}/docs",
        "AWS": f"{state.emulator_url}  (emulated, IAM enforced)",
        "Models": f"{state.simulator_url}  (simulated)",
        "VNPAY": f"{state.gateway_url}  (simulated)",
        "Logs": str(places.log("emulator").parent),
        "Try": 'bin/imagify generate "a fox in the snow"',
        "Buy": "bin/imagify buy small",
        "Stop": how_to_stop,
    }
    OUT.print()
    for name, value in rows.items():
        OUT.print(f"  [bold]{name:<10}[/]{escape(value or '')}")
