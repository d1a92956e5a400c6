"""`imagify up`: the whole product on this machine."""

# ruff: noqa: PLC0415 - --help is quick: what a command needs is imported when it runs

from __future__ import annotations

from typing import Annotated

from typer import Option

LATENCY_SECONDS_MAX = 55.0
"""Longer, and every call would run into the worker's read timeout of 60 s."""
RATE_MIN, RATE_MAX = 0.1, 100.0
"""The simulator's least, and a route's most."""

Port = Annotated[
    int,
    Option(
        min=1,
        max=65532,
        metavar="N",
        help="The emulator's port; the simulators and the page take N + 1 to N + 3.",
    ),
]
Latency = Annotated[
    float,
    Option(
        min=0,
        max=LATENCY_SECONDS_MAX,
        metavar="S",
        help="Seconds the simulated model takes for an image.",
    ),
]
Rate = Annotated[
    float | None,
    Option(
        min=RATE_MIN,
        max=RATE_MAX,
        metavar="R",
        help="Images a second that a route lets start, and the stack paces to."
        r"  \[default: what cdk.json says]",
    ),
]


def up(
    *,
    detach: Annotated[bool, Option("--detach", help="Leave it running and return.")] = False,
    port: Port = 4566,
    model_latency: Latency = 3.0,
    model_rate: Rate = None,
    prompt: Annotated[
        str | None, Option(metavar="TEXT", help="Generate one image once it is up.")
    ] = None,
) -> int:
    """Start everything on this machine and stay until Ctrl-C.

    Deploys the stack to an AWS emulator, with simulated image models and VNPAY.
    Needs no AWS account, and listens on this machine only.
    """
    import os

    from ops.local_run import up as bring_up
    from sandbox.places import Places
    from sandbox.run import Options

    options = Options(port=port, model_latency_seconds=model_latency, model_rate=model_rate)
    return bring_up(Places.from_env(os.environ), options, detach=detach, prompt=prompt)
