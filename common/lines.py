"""Lines: what all workers know of a route, and how each event changes it.

A line is a GCRA (generic cell rate algorithm, ITU-T I.371): the time of the next free slot, moved
on by one interval by whoever takes it. Its *push* says by how much slots that were taken have been
moved since; its *slowdown* stretches the interval after throttles.

It is a circuit breaker too. A row of failures puts a route out of order, and so does a throttle at
the slowest pace: nobody starts there until `retry_us`, when one start, the *probe*, finds out.

    in order ── FAILURES_MAX in a row ──▶ out of order ── retry_us has come ──▶ one probe
       ▲                                      ▲                                │     │
       │                                      └──── it failed: rest longer ────┘     │
       └──────────────────────────────── it was answered ───────────────────────────┘

Each step here is a pure function; stores do it atomically. Times are integers in microseconds since
the epoch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from common.routes import Route

US = 1_000_000
"""Microseconds in a second."""

JITTER_PERMILLE = 8
"""What the interval is longer than 1/rate: the jitter that a window may have, 8 ms in a second."""

UNSLOWED = 1000
"""The slowdown of a healthy line, in permille of its interval."""
SLOWDOWN_MAX = 16 * UNSLOWED
THROTTLE_FACTOR_PERMILLE = 1250
"""One throttle makes the interval 1.25 times as long …"""
THROTTLE_PUSH_US = 1 * US
"""… and leaves the model alone for a second."""
RECOVER_FACTOR_PERMILLE = 900
"""Each quiet while makes it 0.9 times as long again, down to the route's own."""
RECOVER_AFTER_US = 5 * US
"""How long a while is."""

FAILURES_MAX = 5
"""So many failures in a row, of all workers, put a route out of order. Throttles come at once and
images take seconds, so throttles in a row say nothing while the pace can still be slower."""
REST_US = 15 * US
"""How long it is left alone then; twice as long after each probe that failed …"""
REST_US_MAX = 120 * US
"""… up to this."""
PROBE_US = 100 * US
"""How long a probe may last: its wait for a slot and its call. Then another may try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One route's line."""

    next_us: int = 0
    """The next free slot."""
    push_us: int = 0
    """By how much slots that were taken have been moved, all in all; only grows."""
    slowdown_permille: int = UNSLOWED
    """The interval's length, in permille of the route's own; above 1000 after throttles."""
    calm_at_us: int = 0
    """When the slowdown may be eased, if nothing was throttled until then."""
    failures: int = 0
    """Calls in a row that failed."""
    retry_us: int = 0
    """When a probe may start, or the one under way is given up; 0: the route is in order."""
    probing: bool = False
    """Whether one is under way."""
    latencies_ms: tuple[int, ...] = ()
    """What the last calls took, from their start to the stored image, in no order."""

    @property
    def in_order(self) -> bool:
        """Whether anybody may start there."""
        return self.retry_us == 0

    def takes(self, now_us: int) -> bool:
        """Whether somebody may start there now, if only a probe."""
        return self.retry_us <= now_us


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A start that was taken: at `start_us`, plus whatever the line is pushed after `push_us`."""

    route: Route
    start_us: int
    push_us: int
    slowdown_permille: int
    taken_us: int = 0
    """When it was asked for: what has become of the line since is not known."""
    probe: bool = False
    """Whether it is to find out if a route that was out of order works again."""


class LineReader(Protocol):
    """Reads the routes' lines."""

    def read(self, routes: Sequence[Route]) -> Mapping[str, Line]:
        """Each route's line by the route's name; fresh where nobody has used it yet."""


class LineStore(LineReader, Protocol):
    """The lines, shared by all workers; each method is one atomic step."""

    def take(self, route: Route, *, earliest_us: int, latest_us: int) -> Slot | Line:
        """Take the next slot of a route that is in order, unless it is after `latest_us`.

        Else the answer is how the line is. One that nobody stands in starts again at `earliest_us`.
        """

    def probe(self, route: Route, *, seen: Line, earliest_us: int, until_us: int) -> Slot | Line:
        """Take the next slot as a probe, and let no other probe start before `until_us`.

        Answers how the line is, and does nothing, if its `retry_us` is another than was seen.
        """

    def push(self, route: Route, *, by_us: int) -> None:
        """Move the next slot, and all that were taken but have not started, `by_us` later."""

    def adapt(self, route: Route, *, seen: Line, wanted: Line) -> bool:
        """Make the line as slow and as much in order as `wanted`, and push it by what that adds.

        Answers False, and does nothing, if another worker has adapted the line since `seen`.
        """

    def observe(self, route: Route, *, place: int, latency_ms: int) -> None:
        """Keep a latency at its place, below `common.latency.LATENCIES_KEPT`, over what was there.

        It ends a row of failures. Of a route that is out of order nothing is kept: the call began
        before that, and only a probe tells.
        """


def interval_us(route: Route, slowdown_permille: int) -> int:
    """The time between two starts."""
    per_start = (1000 + JITTER_PERMILLE) * slowdown_permille / route.rate_per_second
    return math.ceil(per_start * US / 1_000_000)


def taken(line: Line, route: Route, *, earliest_us: int) -> tuple[int, Line]:
    """The slot that is next, not before `earliest_us`, and the line without it."""
    start_us = max(line.next_us, earliest_us)
    after = start_us + interval_us(route, line.slowdown_permille)
    return start_us, replace(line, next_us=after)


def probed(line: Line, route: Route, *, earliest_us: int, until_us: int) -> tuple[int, Line]:
    """The probe's slot, and the line while it is under way."""
    start_us, after = taken(line, route, earliest_us=earliest_us)
    return start_us, replace(after, retry_us=until_us, probing=True)


def pushed(line: Line, *, by_us: int) -> Line:
    """The line, moved later."""
    return replace(line, next_us=line.next_us + by_us, push_us=line.push_us + by_us)


def slowed(line: Line, *, now_us: int) -> Line:
    """The line after a throttle; unchanged within a second of another throttle's."""
    if line.calm_at_us - now_us > RECOVER_AFTER_US - THROTTLE_PUSH_US:
        return line
    idle_us = max(0, now_us - line.next_us)
    return replace(
        pushed(line, by_us=idle_us + THROTTLE_PUSH_US),
        slowdown_permille=min(
            SLOWDOWN_MAX, line.slowdown_permille * THROTTLE_FACTOR_PERMILLE // 1000
        ),
        calm_at_us=now_us + RECOVER_AFTER_US,
    )


def eased(line: Line, *, now_us: int) -> Line:
    """The line after a quiet while; unchanged before it has passed."""
    if line.slowdown_permille == UNSLOWED or now_us < line.calm_at_us:
        return line
    return replace(
        line,
        slowdown_permille=max(UNSLOWED, line.slowdown_permille * RECOVER_FACTOR_PERMILLE // 1000),
        calm_at_us=now_us + RECOVER_AFTER_US,
    )


def throttled(line: Line, *, now_us: int, probe: bool) -> Line:
    """The line after a throttle: slower, and out of order where it cannot get slower."""
    slower = slowed(line, now_us=now_us)
    if probe or (slower.in_order and line.slowdown_permille == SLOWDOWN_MAX):
        return _rested(slower, max(line.failures + 1, FAILURES_MAX), now_us)
    return slower


def failed(line: Line, *, now_us: int, probe: bool) -> Line:
    """The line after a failure; unchanged by calls that began before it went out of order."""
    if not (line.in_order or probe):
        return line
    failures = line.failures + 1
    if failures < FAILURES_MAX:
        return replace(line, failures=failures)
    return _rested(line, failures, now_us)


def _rested(line: Line, failures: int, now_us: int) -> Line:
    rest_us = min(REST_US_MAX, REST_US * 2 ** min(failures - FAILURES_MAX, 10))
    return replace(line, failures=failures, retry_us=now_us + rest_us, probing=False)


def mended(line: Line) -> Line:
    """The line after an answer that shows that its route is in order."""
    return replace(line, failures=0, retry_us=0, probing=False)


def adapted(line: Line, *, seen: Line, wanted: Line) -> Line | None:
    """What `LineStore.adapt` makes of the line; None if it was adapted since `seen`."""
    if _manner(line) != _manner(seen):
        return None
    return replace(
        pushed(line, by_us=wanted.push_us - seen.push_us),
        slowdown_permille=wanted.slowdown_permille,
        calm_at_us=wanted.calm_at_us,
        failures=wanted.failures,
        retry_us=wanted.retry_us,
        probing=wanted.probing,
    )


def _manner(line: Line) -> tuple[int, int, int, int]:
    return line.slowdown_permille, line.calm_at_us, line.failures, line.retry_us
