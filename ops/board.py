"""Shows jobs in progress: bars on a terminal, a line for every change elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from common.jobs import JobStatus
from ops.follow import Task

ROWS_MAX = 8
"""More jobs than this share one bar."""
ALMOST = 0.99
_EXPECTED = 0.9
"""Where the bar is when the usual time has passed; from there on it only creeps."""


class Board:
    """A context in which tasks are shown; `typical_seconds` is how long an image usually takes."""

    def __init__(self, console: Console, *, typical_seconds: float) -> None:
        self._console = console
        self._typical = typical_seconds
        self._said: dict[int, str] = {}
        self._rows: list[TaskID] = []
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=32),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            console=console,
        )

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bars.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _where: TracebackType | None,
    ) -> None:
        if self._console.is_terminal:
            self._bars.stop()

    def show(self, tasks: Sequence[Task]) -> None:
        """Bring everything that is shown up to date."""
        if not self._console.is_terminal:
            self._say_changes(tasks)
            return
        shares = [share_done(task, self._typical, time.monotonic()) for task in tasks]
        if len(tasks) > ROWS_MAX:
            self._draw([(_summary(tasks), sum(shares) / len(shares), all(t.over for t in tasks))])
        else:
            self._draw(
                [
                    (_words(task), share, task.over)
                    for task, share in zip(tasks, shares, strict=True)
                ]
            )

    def _draw(self, rows: Sequence[tuple[str, float, bool]]) -> None:
        while len(self._rows) < len(rows):
            self._rows.append(self._bars.add_task("", total=1.0))
        for row, (text, share, over) in zip(self._rows, rows, strict=True):
            self._bars.update(row, description=f"{text:<34}", completed=share)
            if over:
                self._bars.stop_task(row)

    def _say_changes(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            words = _words(task)
            if task.job is not None and self._said.get(task.number) != words:
                self._said[task.number] = words
                self._console.print(words, markup=False)


def share_done(task: Task, typical_seconds: float, now: float) -> float:
    """How much of a task is done, from 0 to 1: guessed from the time, and 1 only at its end."""
    if task.over:
        return 1.0 if task.failure is None else 0.0
    if task.job is None or task.began is None:
        return 0.0
    elapsed = now - task.began
    progress = task.job.progress
    if progress is not None and progress.percent is not None:
        return min(progress.percent / 100, ALMOST)
    if elapsed <= typical_seconds:
        return _EXPECTED * elapsed / typical_seconds
    return _EXPECTED + (ALMOST - _EXPECTED) * (1 - typical_seconds / elapsed)


def _words(task: Task) -> str:
    """What a person wants to know of a job: which, and where it is."""
    if task.job is None:
        return "refused" if task.refused else "waiting to be submitted"
    return f"{task.job.job_id[:12]}  {task.job.status}{_place(task)}"


def _place(task: Task) -> str:
    queue = task.job and task.job.queue
    if not queue or not task.job or task.job.status != JobStatus.QUEUED:
        return ""
    place = "" if queue.position is None else f", place {queue.position}"
    eta = "" if queue.eta_seconds is None else f", about {queue.eta_seconds:.0f} s"
    return place + eta


def _summary(tasks: Sequence[Task]) -> str:
    """Counts by state, in the order in which jobs go through them."""
    counts: dict[str, int] = {}
    for task in tasks:
        state = task.job.status if task.job else ("refused" if task.refused else "waiting")
        counts[state] = counts.get(state, 0) + 1
    order = ["succeeded", "generating", "queued", "waiting"]
    known = [state for state in order if state in counts]
    rest = [state for state in counts if state not in order]
    return ", ".join(f"{counts[state]} {state}" for state in [*known, *rest])
