"""Starting and stopping the programs of the local run.

Each leads its own process group, so that Ctrl-C reaches only the program that started them, which
then stops them in order, with everything that they have started themselves.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import httpx
from pydantic import BaseModel, ConfigDict

from sandbox.errors import CommandError

STOP_SECONDS = 5.0
"""How long a program may take to stop by itself."""
_LOOK_SECONDS = 0.05
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_STARTED: dict[int, subprocess.Popen[bytes]] = {}
"""What this very process has started; only it can ask how they ended."""


class Child(BaseModel):
    """A program that was started, known well enough to find it again later, or not mistake it."""

    model_config = ConfigDict(frozen=True)

    name: str
    """What people call it."""
    pid: int
    """Also its process group."""
    born: str
    """When the process began, as the system tells it: a pid alone may be somebody else's by now."""
    log: Path


def start(
    name: str, argv: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path, log: Path
) -> Child:
    """Start a program that reads nothing and writes to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own programs
            [str(part) for part in argv],
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _STARTED[process.pid] = process
    return Child(name=name, pid=process.pid, born=_born(process.pid) or "", log=log)


def myself(name: str) -> Child:
    """The running program, as others find it."""
    return Child(name=name, pid=os.getpid(), born=_born(os.getpid()) or "", log=Path(os.devnull))


def wait_healthy(child: Child, url: str, *, seconds: float) -> None:
    """Return once `url` answers 200; raises CommandError when the program ends or takes longer."""
    deadline = time.monotonic() + seconds
    with httpx.Client(timeout=2.0, trust_env=False) as http:
        while time.monotonic() < deadline:
            if not alive(child):
                raise CommandError(f"{child.name} stopped while starting{_last_words(child.log)}")
            with suppress(httpx.TransportError):
                if http.get(url).status_code == httpx.codes.OK:
                    return
            time.sleep(_LOOK_SECONDS)
    raise CommandError(f"{child.name} was not ready after {seconds:.0f} s; see {child.log}.")


def wait_ended(child: Child, *, seconds: float) -> None:
    """Wait for a program to end well; raises CommandError when it fails or takes longer."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        exit_code = _STARTED[child.pid].poll()
        if exit_code is not None:
            if exit_code != 0:
                raise CommandError(f"{child.name} failed{_last_words(child.log)}")
            return
        time.sleep(_LOOK_SECONDS)
    stop([child])
    raise CommandError(f"{child.name} was not done after {seconds:.0f} s; see {child.log}.")


def alive(child: Child) -> bool:
    """Whether the very program still runs."""
    _reap(child.pid)
    return bool(child.born) and _born(child.pid) == child.born


@contextmanager
def signals_held() -> Iterator[None]:
    """Let Ctrl-C and its like wait until the block is done.

    A program that was just started must be written down, and stopping must not be stopped half-way.
    The handler is Python's, so programs started meanwhile do not inherit it. Outside the main
    thread, which alone gets signals, there is nothing to hold.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []
    before = {number: signal.getsignal(number) for number in _ENDING}
    for number in _ENDING:
        signal.signal(number, lambda given, _frame: caught.append(given))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if caught:
        signal.raise_signal(caught[0])


@contextmanager
def signals_noted() -> Iterator[Sequence[int]]:
    """Write down each Ctrl-C and its like, besides what it does; whoever waits for it looks here.

    What a handler raises is dropped when it happens to come in the midst of a destructor, as while
    garbage is collected: https://docs.python.org/3/reference/datamodel.html#object.__del__
    """
    noted: list[int] = []
    handlers = {
        int(number): handler for number in _ENDING if callable(handler := signal.getsignal(number))
    }

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)
        handlers[number](number, frame)

    for number in handlers:
        signal.signal(number, note)
    try:
        yield noted
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def ask_to_stop(program: Child, *, seconds: float) -> bool:
    """Ask a program that cleans up after itself to stop; answer whether it did in time."""
    deadline = time.monotonic() + seconds
    with suppress(ProcessLookupError):
        os.kill(program.pid, signal.SIGTERM)
    while alive(program) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
    return not alive(program)


def stop(children: Sequence[Child]) -> int:
    """Stop the programs and all that they started, last first; answer how many were there."""
    ours = [child for child in reversed(children) if _remains(child)]
    for child in ours:
        _signal(child, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while any(_remains(child) for child in ours) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
    for child in ours:
        if _remains(child):
            _signal(child, signal.SIGKILL)
    while any(_remains(child) for child in ours):
        time.sleep(_LOOK_SECONDS)
    return len(ours)


def _remains(child: Child) -> bool:
    """Whether the program, or something that it started, still runs.

    A process id is not given again while a group has its number, so a group without its leader is
    the one that we started; a leader born at another time is a stranger.
    """
    _reap(child.pid)
    born = _born(child.pid)
    if born is not None and born != child.born:
        return False
    return any(group == child.pid for group, zombie in _processes() if not zombie)


def _signal(child: Child, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, number)


def _reap(pid: int) -> None:
    """Let a child of this process that has ended go, so that it does not count any more."""
    if pid in _STARTED:
        _STARTED[pid].poll()


def _born(pid: int) -> str | None:
    """When a process began; None when it has ended."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        fields = _stat_fields(stat)
        return None if fields is None or fields[0] == "Z" else fields[19]
    line = _ps("-p", str(pid), "-o", "stat=,lstart=").strip()
    return None if not line or line.startswith("Z") else line.split(None, 1)[1]


def _processes() -> list[tuple[int, bool]]:
    """Each process's group, and whether it has ended and only waits to be let go."""
    if Path("/proc/self/stat").exists():
        stats = map(_stat_fields, Path("/proc").glob("[0-9]*/stat"))
        return [(int(fields[2]), fields[0] == "Z") for fields in stats if fields]
    rows = (line.split() for line in _ps("-A", "-o", "pgid=,stat=").splitlines())
    return [(int(group), state.startswith("Z")) for group, state in rows]


def _stat_fields(stat: Path) -> list[str] | None:
    """The fields of /proc/PID/stat behind the name, which may itself hold spaces and brackets."""
    try:
        return stat.read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None


def _ps(*options: str) -> str:
    return subprocess.run(  # noqa: S603 - numbers and our own options
        ["ps", *options],  # noqa: S607 - where it is differs
        capture_output=True,
        text=True,
        check=False,
    ).stdout


def _last_words(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    last = next((line for line in reversed(lines) if line), "")
    return f" ({last}); see {log}." if last else f"; see {log}."
