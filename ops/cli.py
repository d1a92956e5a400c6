"""Reads the command line, runs one command, and turns whatever goes wrong into one sentence."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from typer import Abort, Typer, TyperException

from ops.commands.audit import audit
from ops.commands.buy import buy
from ops.commands.capacity import capacity
from ops.commands.cost import cost
from ops.commands.deploy import bootstrap, deploy, diff
from ops.commands.destroy import destroy
from ops.commands.dlq import DLQ
from ops.commands.doctor import doctor
from ops.commands.down import down
from ops.commands.generate import generate
from ops.commands.grant import grant
from ops.commands.image_key import IMAGE_KEY
from ops.commands.logs import logs
from ops.commands.merchant import MERCHANT
from ops.commands.payments import PAYMENTS
from ops.commands.people import PEOPLE
from ops.commands.status import status
from ops.commands.token import token
from ops.commands.up import up
from sandbox.errors import CommandError

_COMMANDS = (
    *(up, down, status, generate, buy, grant, audit, logs, token),
    *(bootstrap, doctor, diff, deploy, destroy, cost, capacity),
)
_GROUPS = (PEOPLE, PAYMENTS, MERCHANT, DLQ, IMAGE_KEY)
APP = Typer(
    name="imagify",
    help="Image generation in your own AWS account, and all of it on this machine.",
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
for _command in _COMMANDS:
    APP.command()(_command)
for _group in _GROUPS:
    APP.add_typer(_group)


def main(argv: Sequence[str]) -> int:
    """Run one command; answer the exit code. A person never sees a traceback unless they ask."""
    _end_tidily()
    try:
        code: int = APP(args=list(argv), prog_name="imagify", standalone_mode=False)
    except TyperException as error:
        _say(f"{error.format_message().rstrip('.')}. Try: {_help(argv)}")
        return error.exit_code
    except Abort:  # no, or Ctrl-D, to a question: each is asked before anything is done
        _say("Nothing was done.")
        return 1
    except Exception as error:  # a bug of ours too ends in a sentence, with a way to see more
        if os.environ.get("IMAGIFY_DEBUG"):
            raise
        _say(_explain(error))
        return error.exit_code if isinstance(error, CommandError) else 1
    return code


def _say(sentence: str) -> None:
    print(f"imagify: {sentence}", file=sys.stderr)  # noqa: T201 - the command line's own


def _help(argv: Sequence[str]) -> str:
    """The command that tells how the one that was typed is used."""
    names = {command.__name__ for command in _COMMANDS}
    groups = {
        str(group.info.name): {each.name for each in group.registered_commands} for group in _GROUPS
    }
    typed = [word for word in argv[:1] if word in names or word in groups]
    typed += [word for word in argv[1:2] if word in groups.get(argv[0], ())]
    return " ".join(["imagify", *typed, "--help"])


def _explain(error: Exception) -> str:
    """What happened, for a person. Only who needs these imports pays for them."""
    import httpx  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    from common.errors import ImagifyError  # noqa: PLC0415
    from ops.customer.client import ApiError  # noqa: PLC0415

    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    if isinstance(error, (CommandError, ApiError, ImagifyError, OSError)):
        return str(error)
    if isinstance(error, (httpx.HTTPError, BotoCoreError, ClientError)):
        return f"The service does not answer as it should: {error}"
    return f"{type(error).__name__}: {error} (a bug of ours; IMAGIFY_DEBUG=1 shows where)"


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
