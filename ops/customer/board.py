"""Shows jobs in progress: bars on a terminal, a line for every change elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import NamedTuple, Self

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from ops.customer import prospects
from ops.customer.follow import Task

ROWS_MAX = 8
"""More jobs than this share one bar."""
_UNSENT = "to submit"
"""A task whose turn has not come: a person may have so many jobs at a time."""
_TEXT_WIDTH = 24
"""Room for a job's id and its state, so that the bars begin at the same column."""


class _Row(NamedTuple):
    """What a bar shows."""

    text: str
    share: float
    guess: str
    over: bool


class _Bars(Progress):
    """Bars, and a line below them that may be empty."""

    note = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        """What is drawn."""
        yield from super().get_renderables()
        if self.note:
            yield Text(self.note)


class Board:
    """A context in which tasks are shown; `now` is the clock that their prospects are on."""

    def __init__(self, console: Console, *, now: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._now = now
        self._said: dict[int, str] = {}
        self._bars = _Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[guess]}", style="dim", markup=False),
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
        now = self._now()
        shares = [share_done(task, now) for task in tasks]
        if len(tasks) > ROWS_MAX:
            over = all(task.over for task in tasks)
            share = sum(shares) / len(shares)
            # The many that are done must not round the last one up.
            share = share if over else min(share, prospects.ALMOST)
            self._bars.note = _summary(tasks)
            self._draw([_Row(f"{len(tasks)} images", share, _next_end(tasks, now), over)])
        else:
            self._draw(
                [
                    _Row(_state(task), share, _guess(task, now), task.over)
                    for task, share in zip(tasks, shares, strict=True)
                ]
            )

    def _draw(self, rows: Sequence[_Row]) -> None:
        for number, row in enumerate(rows):
            text = row.text.ljust(_TEXT_WIDTH if len(rows) > 1 else 0)
            if number == len(self._bars.task_ids):
                self._bars.add_task(text, total=1.0, guess=row.guess)
            bar = self._bars.task_ids[number]
            self._bars.update(bar, description=text, completed=row.share, guess=row.guess)
            if row.over:
                self._bars.stop_task(bar)

    def _say_changes(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            state = _state(task)
            if task.job is not None and self._said.get(task.number) != state:
                self._said[task.number] = state
                guess = _guess(task, self._now())
                self._console.print(f"{state}, {guess}" if guess else state, markup=False)


def share_done(task: Task, now: float) -> float:
    """How much of a task is done, from 0 to 1: reckoned from the time, and 1 only at its end."""
    if task.over:
        return 1.0 if task.failure is None else 0.0
    return prospects.share_done(task.prospects, now)


def _state(task: Task) -> str:
    """Which job, and where it is; a row on a terminal and a line elsewhere."""
    if task.job is None:
        return "refused" if task.refused else "waiting to be submitted"
    return f"{task.job.job_id[:12]}  {task.job.status}"


def _guess(task: Task, now: float) -> str:
    """What is left for the job, as far as one can tell."""
    if task.job is None or task.over:
        return ""
    return prospects.words(task.prospects, now)


def _summary(tasks: Sequence[Task]) -> str:
    """Counts by state, in the order in which jobs go through them."""
    counts: dict[str, int] = {}
    for task in tasks:
        state = task.job.status if task.job else ("refused" if task.refused else _UNSENT)
        counts[state] = counts.get(state, 0) + 1
    order = ["succeeded", "generating", "queued", _UNSENT]
    known = [state for state in order if state in counts]
    rest = [state for state in counts if state not in order]
    return ", ".join(f"{counts[state]} {state}" for state in [*known, *rest])


def _next_end(tasks: Sequence[Task], now: float) -> str:
    """Until when all are done; until the next one is, while some are still to be submitted."""
    left = [(task.prospects.end, task) for task in tasks if task.prospects and not task.over]
    if not left:
        return ""
    pick = min if any(task.job is None and not task.over for task in tasks) else max
    which = "next one" if pick is min else "the last"
    _, task = pick(left, key=lambda pair: pair[0])
    return f"{which}: {_guess(task, now)}"
