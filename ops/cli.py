"""Reads the command line, runs one command, and turns whatever goes wrong into one sentence."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from ops import down, generate, status, up
from ops.client import ApiError
from ops.terminal import ERR
from sandbox.errors import SandboxError

EXIT_INTERRUPTED = 130
_COMMANDS = (up, down, status, generate)


def main(argv: Sequence[str]) -> int:
    """Run one command; answer the exit code. A person never sees a traceback unless they ask."""
    arguments = _parser().parse_args(argv)
    _end_tidily()
    try:
        code: int = arguments.run(arguments)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; the interpreter must not try to flush the rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # a bug of ours too ends in a sentence, with a way to see more
        if os.environ.get("IMAGIFY_DEBUG"):
            raise
        ERR.print(f"imagify: {_explain(error)}", markup=False)
        return error.exit_code if isinstance(error, SandboxError) else 1
    return code


def _explain(error: Exception) -> str:
    """What happened, for a person."""
    if isinstance(error, (SandboxError, ApiError, OSError)):
        return str(error)
    if isinstance(error, (httpx.HTTPError, BotoCoreError, ClientError)):
        return f"The local run does not answer as it should: {error}"
    return f"{type(error).__name__}: {error} (a bug of ours; IMAGIFY_DEBUG=1 shows where)"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="imagify",
        description="Image generation in your own AWS account, and all of it on this machine.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add_to(commands)
    return parser


def _end_tidily() -> None:
    """Let whoever ends this program, by whatever signal, wait for everything to be stopped.

    A script's background command starts with SIGINT ignored, but whoever sends one means it. An
    ignored SIGHUP is nohup's, and stays.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _end)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _end)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    """End as on Ctrl-C, so that everything is stopped on the way out."""
    raise SystemExit(128 + number)
