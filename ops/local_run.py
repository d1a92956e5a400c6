"""`imagify up`: the whole product on this machine."""

from __future__ import annotations

import argparse
import os

import httpx
from rich.markup import escape

from ops.client import ApiError
from ops.generate import Wish, generate
from ops.terminal import ERR, OUT, Steps
from sandbox.errors import SandboxError
from sandbox.places import Places
from sandbox.run import Options, start, stop_parts, watch
from sandbox.state import State

DEFAULTS = Options()
PORT_MAX = 65534
LATENCY_SECONDS_MAX = 55.0
"""Longer, and every call would run into the worker's read timeout of 60 s."""
RATE_MAX = 100.0


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "up",
        help="start everything on this machine and stay until Ctrl-C",
        description="Deploys the stack to an AWS emulator, with simulated image models. Needs no"
        " AWS account; listens on this machine only.",
    )
    parser.add_argument("--detach", action="store_true", help="leave it running and return")
    parser.add_argument(
        "--port",
        type=_port,
        default=DEFAULTS.port,
        metavar="N",
        help="the emulator's port; the model simulator takes N + 1 (default: %(default)s)",
    )
    parser.add_argument(
        "--model-latency",
        type=_latency,
        default=DEFAULTS.model_latency_seconds,
        metavar="S",
        help="seconds the simulated model takes for an image (default: %(default)s)",
    )
    parser.add_argument(
        "--model-rate",
        type=_rate,
        metavar="R",
        help="images a second that it lets start, and the stack paces to (default: 2)",
    )
    parser.add_argument("--prompt", metavar="TEXT", help="generate one image once it is up")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Start, and unless detached, stay; everything is stopped on the way out, however it ends."""
    places = Places.from_env(os.environ)
    options = Options(
        port=arguments.port,
        model_latency_seconds=arguments.model_latency,
        model_rate=arguments.model_rate,
    )
    with Steps() as steps:
        state = start(places, os.environ, options, tell=steps, foreground=not arguments.detach)
    ERR.print(f"Ready in {steps.seconds:.1f} s.")
    if arguments.detach:
        _first_image(places, state, arguments.prompt)
        _show(places, state, how_to_stop="imagify down")
        return 0
    try:
        _first_image(places, state, arguments.prompt)
        _show(places, state, how_to_stop="Ctrl-C")
        watch(state)
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
        generate(state, Wish(prompt=prompt, out=places.images))
    except (ApiError, SandboxError, httpx.HTTPError) as error:
        ERR.print(f"[red]imagify:[/] {escape(str(error))}")


def _show(places: Places, state: State, *, how_to_stop: str) -> None:
    rows = {
        "API": state.api_url,
        "API docs": f"{state.api_url}/docs",
        "AWS": f"{state.emulator_url}  (emulated, IAM enforced)",
        "Models": f"{state.simulator_url}  (simulated)",
        "Logs": str(places.log("emulator").parent),
        "Try": 'bin/imagify generate "a fox in the snow"',
        "Stop": how_to_stop,
    }
    OUT.print()
    for name, value in rows.items():
        OUT.print(f"  [bold]{name:<10}[/]{escape(value or '')}")


def _port(text: str) -> int:
    return int(_within(text, 1, PORT_MAX))


def _latency(text: str) -> float:
    return _within(text, 0, LATENCY_SECONDS_MAX)


def _rate(text: str) -> float:
    return _within(text, 0.01, RATE_MAX)


def _within(text: str, least: float, most: float) -> float:
    try:
        number = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from error
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"{text} is not between {least:g} and {most:g}")
    return number
