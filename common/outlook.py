"""What a job's owner is told of waiting: the place in line, when the image is due, how far it is.

Both come from what is true now: the jobs that wait ahead, each taking the next slot of a route's
line, and the latencies that the routes were seen to have. Nothing is promised that is not known:
where a line cannot be read, the answer is that nobody knows.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from common.errors import ServiceFailed
from common.jobs import Job, JobStatus, Place
from common.latency import Latency, observed
from common.lines import US, Line, LineReader, interval_us
from common.observability import logger
from common.pacing import READY_US
from common.routes import Route, serving

if TYPE_CHECKING:
    from common.ports import WaitingReader

FRESH_SECONDS = 0.25
"""How long what was read is used again: a page of jobs, or a crowd of pollers, reads it once."""


@dataclass(frozen=True, slots=True)
class InLine:
    """A queued job's place among the starts to come, 1 for the next, and when its image is due."""

    position: int
    eta_seconds: float
    """Seconds until then."""


@dataclass(frozen=True, slots=True)
class Underway:
    """How far a job has come that is generating, 0 to 99, and the seconds until it is due."""

    percent: int
    starts_in_seconds: float
    """Until the slot of its call, 0 once that has come."""
    eta_seconds: float


Outlook = InLine | Underway | None
"""None for a job that nobody works on or waits for, and where it is not known."""


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read of one model, and when the reading began and ended."""

    began_at: datetime
    ended_at: datetime
    lines: Mapping[str, Line]
    waiting: Sequence[Place]
    complete: bool


class Forecaster:
    """Tells how jobs stand, from the lines of their routes and the jobs that wait."""

    def __init__(
        self,
        lines: LineReader,
        waiting: WaitingReader,
        *,
        routes: Sequence[Route],
        workers: int,
        now: Callable[[], datetime],
    ) -> None:
        self._lines = lines
        self._waiting = waiting
        self._routes = routes
        self._workers = workers
        self._now = now
        self._read: dict[str, _Read] = {}

    def outlook(self, job: Job) -> Outlook:
        """How the job stands now; never raises for what AWS does not answer."""
        if job.status not in (JobStatus.QUEUED, JobStatus.GENERATING):
            return None
        routes = serving(self._routes, job.request.model)
        if not routes:
            return None
        try:
            read = self._fresh(job, routes)
        except ServiceFailed as error:
            logger.warning("no outlook", job_id=job.job_id, reason=error.message)
            return None
        if job.status is JobStatus.GENERATING:
            return _underway(job, _latency(routes, read.lines), self._now())
        return self._in_line(job, routes, read)

    def _in_line(self, job: Job, routes: Sequence[Route], read: _Read) -> Outlook:
        in_order = [route for route in routes if read.lines[route.name].in_order]
        ahead = bisect_left(read.waiting, (job.created_at, job.job_id))
        unseen = ahead == len(read.waiting) and not read.complete
        if unseen or not in_order:
            return None  # too far back, or the model is away and nobody knows for how long
        eta_seconds = due_in_seconds(
            ahead,
            routes=in_order,
            lines=read.lines,
            now=self._now(),
            workers=self._workers,
        )
        if job.not_before is not None:
            rest_seconds = (job.not_before - self._now()).total_seconds()
            call_seconds = _latency(in_order, read.lines).p50_seconds
            eta_seconds = max(eta_seconds, rest_seconds + call_seconds)
        return InLine(ahead + _given_away(in_order, read.lines, self._now()) + 1, eta_seconds)

    def _fresh(self, job: Job, routes: Sequence[Route]) -> _Read:
        """What was read a moment ago, but not before the job: that knows not all who are ahead."""
        model, now = job.request.model, self._now()
        read = self._read.get(model)
        if (
            read is not None
            and job.created_at < read.began_at
            and 0 <= (now - read.ended_at).total_seconds() < FRESH_SECONDS
        ):
            return read
        waiting, lines = self._waiting.waiting(model), self._lines.read(routes)
        # Its age counts from its end: reads that are slow are those that must not be repeated.
        self._read[model] = _Read(now, self._now(), lines, waiting.places, waiting.complete)
        return self._read[model]


def due_in_seconds(
    ahead: int,
    *,
    routes: Sequence[Route],
    lines: Mapping[str, Line],
    now: datetime,
    workers: int,
) -> float:
    """When the image of a job is due that so many wait ahead of.

    Each of them takes one slot, and the job the next; where calls last so long that the workers
    rather than the slots are what is short, it waits for as many calls to end instead.
    """
    now_us = int(now.timestamp() * US)
    latency = _latency(routes, lines)
    by_slots = (_slot_us(ahead, routes, lines, now_us) - now_us) / US
    by_workers = ahead * latency.p50_seconds / workers
    return max(by_slots, by_workers) + latency.p50_seconds


def _slot_us(ahead: int, routes: Sequence[Route], lines: Mapping[str, Line], now_us: int) -> int:
    """The start of the slot that is left when `ahead` jobs have taken the earliest ones."""
    firsts = [max(lines[route.name].next_us, now_us + READY_US) for route in routes]
    intervals = [interval_us(route, lines[route.name].slowdown_permille) for route in routes]
    slots = list(zip(firsts, intervals, strict=True))
    low, high = min(firsts), min(first + ahead * interval for first, interval in slots)
    while low < high:
        middle = (low + high) // 2
        taken = sum(max(0, (middle - first) // interval + 1) for first, interval in slots)
        if taken > ahead:
            high = middle
        else:
            low = middle + 1
    return low


def _given_away(routes: Sequence[Route], lines: Mapping[str, Line], now: datetime) -> int:
    """How many starts are taken and still to come: their jobs are claimed, and go first too."""
    now_us = int(now.timestamp() * US)
    given = 0
    for route in routes:
        line = lines[route.name]
        ahead_us = line.next_us - now_us - 1
        given += max(0, ahead_us // interval_us(route, line.slowdown_permille))
    return given


def _underway(job: Job, latency: Latency, now: datetime) -> Outlook:
    if job.starts_at is None:
        return None
    elapsed = (now - job.starts_at).total_seconds()
    return Underway(latency.percent(elapsed), max(0.0, -elapsed), latency.left_seconds(elapsed))


def _latency(routes: Sequence[Route], lines: Mapping[str, Line]) -> Latency:
    """What the routes of a model were seen to take, all together."""
    seen = [latency for route in routes for latency in lines[route.name].latencies_ms]
    return observed(seen, p95_seconds=max(route.p95_seconds for route in routes))
