"""Passwords of people who sign in from a terminal: asked for, or in the environment.

Never an argument, which every program on the machine could read.
"""

from __future__ import annotations

import getpass
import os
import sys

from sandbox.errors import CommandError

VARIABLE = "IMAGIFY_PASSWORD"


def known_password(email: str) -> str:
    """The password that somebody has. Raises CommandError when nobody can be asked."""
    return os.environ.get(VARIABLE) or _ask(f"Password of {email}: ")


def chosen_password(email: str) -> str:
    """A password that somebody is to have, typed twice. Raises CommandError likewise."""
    given = os.environ.get(VARIABLE)
    if given:
        return given
    first = _ask(f"A password for {email}: ")
    if _ask("The same again: ") != first:
        raise CommandError("These were two passwords; nothing has changed.")
    return first


def _ask(question: str) -> str:
    if not sys.stdin.isatty():
        raise CommandError(f"There is no terminal to ask for a password at: set {VARIABLE}.")
    return getpass.getpass(question)
