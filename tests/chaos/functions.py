"""The processes that the emulator runs the functions in, and an end to some of them.

The emulator starts one process for each invocation that goes on at once, keeps it, and speaks to it
through pipes. Linux tells what a process waits for: one without an invocation reads a pipe.
"""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3

from sandbox.clients import client_settings
from sandbox.errors import CommandError
from sandbox.processes import alive
from sandbox.state import State
from tests.chaos.course import Course
from tests.chaos.plan import Kill

PROC = Path("/proc")
NAME = b"AWS_LAMBDA_FUNCTION_NAME="
CONNECTED = ("01", "08")
"""Established, and closed by the other side alone, as /proc/net/tcp has it."""
LOOK_SECONDS = 0.02
"""Between looks for a process that is at work; a submit is done within some hundredths."""
PATIENCE_SECONDS = 8.0
"""How long one at work is waited for; then an idle one is killed."""
SWEEP_PATIENCE_SECONDS = 62.0
"""A sweep comes once a minute and is done at once."""


def supported() -> bool:
    """Whether this system tells what is needed here: Linux does."""
    return (PROC / "self" / "wchan").exists() and hasattr(os, "pidfd_open")


def deployed(state: State) -> list[dict[str, Any]]:
    """Each function of the stack, as Lambda describes it."""
    client: Any = boto3.client("lambda", **client_settings(state.emulator_url))
    described: list[dict[str, Any]] = client.list_functions()["Functions"]
    return described


def short_name(handler: str) -> str:
    """`functions.worker.handler.handler` is the worker."""
    return handler.split(".")[1]


class Functions:
    """The functions' processes of one local run, and nobody else's."""

    def __init__(self, state: State) -> None:
        if not supported():
            raise CommandError("Functions' processes are only found on Linux, in /proc.")
        (self._emulator,) = [child for child in state.children if "emulator" in child.name]
        self._names = {
            each["FunctionName"].encode(): short_name(each["Handler"]) for each in deployed(state)
        }

    def processes(self, function: str) -> list[int]:
        """The function's processes that have worked before, or do now."""
        return [
            pid
            for pid in self._children()
            if self._function_of(pid) == function and _has_started(pid)
        ]

    def kill(self, pid: int, function: str) -> bool:
        """End the process without a word, if it is still the function's."""
        with suppress(ProcessLookupError):
            handle = os.pidfd_open(pid)
            try:
                if self._is_child(pid) and self._function_of(pid) == function:
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
                    return True
            finally:
                os.close(handle)
        return False

    def _children(self) -> Iterator[int]:
        if not alive(self._emulator):
            return
        for entry in PROC.glob("[0-9]*"):
            if self._is_child(int(entry.name)):
                yield int(entry.name)

    def _is_child(self, pid: int) -> bool:
        fields = _read(pid, "stat").rpartition(b")")[2].split()
        return len(fields) > 1 and fields[0] != b"Z" and int(fields[1]) == self._emulator.pid

    def _function_of(self, pid: int) -> str | None:
        told = (each for each in _read(pid, "environ").split(b"\0") if each.startswith(NAME))
        return self._names.get(next(told, b"").removeprefix(NAME))


def at_work(pid: int) -> bool:
    """Whether the process does anything but wait for its next invocation."""
    waits_in = _read(pid, "wchan")
    return bool(waits_in) and not waits_in.endswith(b"pipe_read")


def _has_started(pid: int) -> bool:
    """Whether it has spoken with a service; its connections over TCP stay open.

    If one that is only starting is killed, the emulator ends all others of the function too, which
    AWS does not do.
    """
    rows = [row.split() for row in _read(pid, "net/tcp").decode().splitlines()]
    connections = {f"socket:[{row[9]}]" for row in rows if row[3] in CONNECTED}
    with suppress(OSError):
        opened = (PROC / str(pid) / "fd").iterdir()
        return any(str(entry.readlink()) in connections for entry in opened)
    return False


def _read(pid: int, name: str) -> bytes:
    try:
        return (PROC / str(pid) / name).read_bytes()
    except OSError:
        return b""  # it has ended


class Killer:
    """Kills processes of one or more functions, one after another, as planned."""

    def __init__(
        self,
        functions: Functions,
        course: Course,
        kills: list[Kill],
        *,
        rng: random.Random,
        until_seconds: float,
    ) -> None:
        """Nothing is killed after `until_seconds`."""
        self.at_work: Counter[str] = Counter()
        """Processes that were killed in the midst of something, by function."""
        self.idle: Counter[str] = Counter()
        """Those that were not."""
        self._functions = functions
        self._course = course
        self._kills = kills
        self._rng = rng
        self._until_seconds = until_seconds

    def run(self) -> None:
        """Do what was planned."""
        for kill in self._kills:
            if not self._course.until(kill.at_seconds):
                return
            self._kill(kill.function)

    def _kill(self, function: str) -> None:
        patience = SWEEP_PATIENCE_SECONDS if function == "sweep" else PATIENCE_SECONDS
        give_up = min(self._course.seconds + patience, self._until_seconds)
        known: list[int] = []
        looked_at = -1.0
        while self._course.seconds < give_up and self._course.pause(LOOK_SECONDS):
            if self._course.seconds - looked_at > 1.0:
                known, looked_at = self._functions.processes(function), self._course.seconds
            busy = [pid for pid in known if at_work(pid)]
            if busy and self._functions.kill(self._rng.choice(busy), function):
                self.at_work[function] += 1
                return
        idle = self._functions.processes(function)
        if idle and self._functions.kill(self._rng.choice(idle), function):
            self.idle[function] += 1
