"""What goes wrong with the local run, in one sentence for the person at the terminal."""

from __future__ import annotations


class SandboxError(Exception):
    """A sentence that says what happened and what to do; `exit_code` ends the program."""

    exit_code = 1


class PortTaken(SandboxError):
    """Another program listens where the local run should."""

    exit_code = 2


class AlreadyRunning(SandboxError):
    """There is a local run in this state folder, or somebody is starting one."""

    exit_code = 2


class NotRunning(SandboxError):
    """There is no local run to talk to."""

    exit_code = 3
