"""What a person at a terminal is told of a job that is not done, from what the API says of it.

The API gives a place in line and the seconds until the image is due; between two looks the clock
counts down: `2 ahead, about 9 s`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ops.customer.client import Job

_EXPECTED = 0.9
"""The share that is done when the told time has passed; from there on it only creeps."""
ALMOST = 0.99
"""Nothing is done before the image is there."""
_OVERDUE = 0.5
"""By what share of the whole wait a job must be late before that is worth a word."""


@dataclass(frozen=True, slots=True)
class Prospects:
    """When a job is due; `since` and `end` are seconds of the clock that `now` is of."""

    ahead: int | None
    """Jobs in front of a queued one."""
    since: float
    end: float


def prospects(before: Prospects | None, job: Job, *, now: float) -> Prospects | None:
    """What to expect of a job in the light of a new look; as before where that tells nothing."""
    since = now if before is None else before.since
    if job.queue is not None:
        return Prospects(job.queue.position - 1, since, now + job.queue.eta_seconds)
    if job.progress is not None:
        return Prospects(None, since, now + job.progress.eta_seconds)
    return before


def share_done(expected: Prospects | None, now: float) -> float:
    """How much of the whole wait is over, from 0 to less than 1."""
    if expected is None:
        return 0.0
    total = max(expected.end - expected.since, 0.001)
    elapsed = max(0.0, now - expected.since)
    if elapsed <= total:
        return _EXPECTED * elapsed / total
    return _EXPECTED + (ALMOST - _EXPECTED) * (1 - total / elapsed)


def words(expected: Prospects | None, now: float) -> str:
    """The place and the time for a person; empty when nothing is known."""
    if expected is None:
        return ""
    ahead = "" if expected.ahead is None else f"{expected.ahead or 'none'} ahead, "
    left = expected.end - now
    if left > 0:
        return f"{ahead}about {math.ceil(left)} s"
    overdue = -left > _OVERDUE * (expected.end - expected.since)
    return ahead + ("longer than usual" if overdue else "any moment")
