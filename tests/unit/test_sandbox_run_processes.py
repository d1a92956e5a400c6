from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.errors import CommandError, PortTaken
from sandbox.ports import PORTS, free_ports, require_free
from sandbox.processes import (
    Child,
    alive,
    myself,
    signals_held,
    signals_noted,
    start,
    stop,
    wait_ended,
    wait_healthy,
)

SLEEPS = "import time; print('up', flush=True); time.sleep(60)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPS}"
HOLDS = f"import fcntl; f = open('held', 'w'); fcntl.flock(f, fcntl.LOCK_EX); {SLEEPS}"
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {HOLDS!r}]); {SLEEPS}"
"""What it starts holds a lock on the file `held`, for as long as it runs."""


class Programs:
    """Starts Python one-liners, and remembers them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.started: list[Child] = []

    def __call__(self, code: str) -> Child:
        number = len(self.started)
        child = start(
            f"Program {number}",
            [sys.executable, "-c", code],
            env=os.environ,
            cwd=self._folder,
            log=self._folder / f"{number}.log",
        )
        self.started.append(child)
        return child


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Programs]:
    programs = Programs(tmp_path)
    yield programs
    stop(programs.started)


def until_it_says(child: Child, text: str, *, times: int = 1) -> None:
    deadline = time.monotonic() + 20
    while child.log.read_text().count(text) < times:
        assert time.monotonic() < deadline, f"{child.name} never said {text!r}"
        time.sleep(0.01)


def is_held(file: Path) -> bool:
    """Whether a program that locked the file still runs; one that only waits to be reaped not."""
    with file.open() as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_stop_ends_a_program_and_what_it_started(program: Programs, tmp_path: Path) -> None:
    child = program(PARENT)
    until_it_says(child, "up", times=2)
    assert is_held(tmp_path / "held")

    assert stop([child]) == 1

    assert not alive(child)
    assert not is_held(tmp_path / "held")


def test_stop_ends_what_a_killed_program_left_behind(program: Programs, tmp_path: Path) -> None:
    child = program(PARENT)
    until_it_says(child, "up", times=2)
    os.kill(child.pid, signal.SIGKILL)
    while alive(child):
        time.sleep(0.01)
    assert is_held(tmp_path / "held")

    assert stop([child]) == 1

    assert not is_held(tmp_path / "held")


def test_stop_kills_a_program_that_will_not_end(
    program: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.processes.STOP_SECONDS", 0.2)
    child = program(STUBBORN)
    until_it_says(child, "up")

    assert stop([child]) == 1

    assert not alive(child)


def test_stop_leaves_a_stranger_with_the_same_number_alone(program: Programs) -> None:
    child = program(SLEEPS)
    earlier = child.model_copy(update={"born": "long ago"})

    assert not alive(earlier)
    assert stop([earlier]) == 0

    assert alive(child)


def test_wait_healthy_says_what_a_dead_program_said_last(program: Programs) -> None:
    child = program("raise SystemExit('no room')")

    with pytest.raises(CommandError, match=r"Program 0 stopped while starting \(no room\); see "):
        wait_healthy(child, f"http://127.0.0.1:{free_ports()}/", seconds=20)


def test_wait_healthy_gives_up(program: Programs) -> None:
    with pytest.raises(CommandError, match="was not ready after 0 s"):
        wait_healthy(program(SLEEPS), f"http://127.0.0.1:{free_ports()}/", seconds=0.2)


def test_wait_ended_tells_success_from_failure_and_from_waiting(program: Programs) -> None:
    wait_ended(program("pass"), seconds=20)
    with pytest.raises(CommandError, match=r"failed \(broken\)"):
        wait_ended(program("raise SystemExit('broken')"), seconds=20)
    slow = program(SLEEPS)
    with pytest.raises(CommandError, match="was not done"):
        wait_ended(slow, seconds=0.1)
    assert not alive(slow)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGINT raises KeyboardInterrupt, also where the tests are started with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_signals_wait_until_the_block_is_done() -> None:
    done = []

    def work() -> None:
        with signals_held():
            signal.raise_signal(signal.SIGINT)
            done.append("the block")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["the block"]


class Dying:
    """Interrupted while it is torn down, where Python drops what is raised."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("interruptible")
def test_a_signal_that_ended_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.unraisablehook", lambda _dropped: None)
    with signals_noted() as noted:
        Dying()
        assert noted == [signal.SIGINT]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("interruptible")
def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals_noted() as noted:
            signal.raise_signal(signal.SIGHUP)
        assert (list(noted), signal.getsignal(signal.SIGHUP)) == ([], signal.SIG_IGN)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_signals_held_outside_the_main_thread_holds_nothing() -> None:
    done = []

    def work() -> None:
        with signals_held():
            done.append("the block")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == ["the block"]


def test_myself_is_alive() -> None:
    assert alive(myself("this"))


def test_a_taken_port_is_told_with_what_to_do() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=f"Port {port} is in use .* --port N"):
            require_free(port)


def test_free_ports_gives_so_many_free_ports() -> None:
    port = free_ports()
    require_free(port)
    for number in range(PORTS):
        require_free(port + number)


def test_free_ports_are_the_preferred_ones_while_they_are_free() -> None:
    port = free_ports()
    assert free_ports(port) == port
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port + PORTS - 1))
        taken.listen()
        assert free_ports(port) != port
