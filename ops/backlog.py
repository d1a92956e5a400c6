"""An honest guess of a job's place in the line and of its end, from what a look at the line says.

The API does not tell either. Only their owner can look into a local run's queue, so a guess is
shown as one: `~2 ahead, about 9 s`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

_EXPECTED = 0.9
"""The share that is done when the guessed time has passed; from there on it only creeps."""
ALMOST = 0.99
"""Nothing is done before the image is there."""
_OVERDUE = 0.5
"""By what share of the guess a job must be late before that is worth a word."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How quickly the line moves, and how long an image usually takes once it has begun."""

    rate_per_second: float
    typical_seconds: float


@dataclass(frozen=True, slots=True)
class Outlook:
    """A job's prospects; `since` and `end` are seconds of the clock that `now` is of."""

    ahead: int
    since: float
    end: float


def outlook(
    before: Outlook | None, *, ahead: int | None, generating: bool, pace: Pace, now: float
) -> Outlook | None:
    """What to expect of a job in the light of a new look; None while there is nothing to go by.

    `ahead` is how many jobs the look has found in front (None: it failed). Nobody gets in front of
    a job later, so a place never gets worse, and neither does the guessed end.
    """
    place = 0 if generating else ahead
    if place is None:
        return before
    if before is not None:
        place = min(place, before.ahead)
    # A job in the making may still be waiting for its start: its guessed end stays.
    if before is not None and generating:
        return replace(before, ahead=place)
    end = now + place / pace.rate_per_second + pace.typical_seconds
    if before is not None:
        return Outlook(place, before.since, min(end, before.end))
    return Outlook(place, now, end)


def share_done(expected: Outlook | None, now: float) -> float:
    """How much of the whole wait is over, from 0 to less than 1."""
    if expected is None:
        return 0.0
    total = max(expected.end - expected.since, 0.001)
    elapsed = max(0.0, now - expected.since)
    if elapsed <= total:
        return _EXPECTED * elapsed / total
    return _EXPECTED + (ALMOST - _EXPECTED) * (1 - total / elapsed)


def words(expected: Outlook | None, *, generating: bool, now: float) -> str:
    """The guess for a person, and marked as one; empty when there is none."""
    if expected is None:
        return ""
    place = "" if generating else f"~{expected.ahead} ahead, " if expected.ahead else "none ahead, "
    left = expected.end - now
    if left > 0:
        return f"{place}about {math.ceil(left)} s"
    overdue = -left > _OVERDUE * (expected.end - expected.since)
    return place + ("longer than usual" if overdue else "any moment")
