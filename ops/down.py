"""`imagify down`: stop the local run, wherever it was started."""

from __future__ import annotations

import argparse
import os

from ops.terminal import ERR
from sandbox.places import Places
from sandbox.run import stop_all


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    parser = commands.add_parser("down", help="stop what `imagify up` has started")
    parser.set_defaults(run=run)


def run(_arguments: argparse.Namespace) -> int:
    """Stop it; that nothing runs is fine too."""
    stopped = stop_all(Places.from_env(os.environ))
    ERR.print("Everything is stopped." if stopped else "Nothing is running.")
    return 0
