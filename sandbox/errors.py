"""How a command ends that cannot do what it was told: a sentence for whoever typed it."""

from __future__ import annotations


class CommandError(Exception):
    """A sentence that says what happened and what to do; `exit_code` ends the program."""

    exit_code = 1


class PortTaken(CommandError):
    """Another program listens where the local run should."""

    exit_code = 2


class AlreadyRunning(CommandError):
    """There is a local run in this state folder, or somebody is starting one."""

    exit_code = 2


class NotRunning(CommandError):
    """There is no local run to talk to."""

    exit_code = 3
