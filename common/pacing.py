"""Pacing: every start of a model call takes the next slot of its route's line.

A line is a GCRA (generic cell rate algorithm, ITU-T I.371) that all workers share: the time of the
next free slot, moved on by one interval by whoever takes it. A worker that took a slot sleeps until
it. What keeps the spacing true on real machines is the line's *push*: a worker that wakes late
moves every slot behind it by as much, so a late start delays the line and never compresses it; a
throttle from the model moves it the same way. Sleepers read the push once more just before they
start. Times are integers in microseconds since the epoch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from common.errors import NoFreeSlot, ServiceFailed
from common.latency import LATENCIES_KEPT
from common.routes import Route

US = 1_000_000
"""Microseconds in a second."""

JITTER_PERMILLE = 8
"""What the interval is longer than 1/rate: the jitter that a window may have, 8 ms in a second."""
LATE_US = 4_000
"""A start later than this pushes the line; half of the jitter, the rest is the network's."""
LATE_MORE_US = 10_000
"""How much later than it woke such a start is assumed to leave: its machine is busy."""
LEAD_US = 60_000
"""How long before its slot a sleeper wakes to read the line once more."""
READY_US = 50_000
"""How long it may last to take a slot and be ready for it; none is promised earlier from now."""

UNREACHABLE_SECONDS = 5.0
"""When to try again for a line that could not be reached."""

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
    latencies_ms: tuple[int, ...] = ()
    """What the last calls took, from their start to the stored image, in no order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A start that was taken: at `start_us`, plus whatever the line is pushed after `push_us`."""

    route: Route
    start_us: int
    push_us: int
    slowdown_permille: int


class LineStore(Protocol):
    """The lines, shared by all workers; each method is one atomic step."""

    def read(self, routes: Sequence[Route]) -> Mapping[str, Line]:
        """Each route's line by the route's name; fresh where nobody has used it yet."""

    def take(self, route: Route, *, earliest_us: int, latest_us: int) -> Slot | Line:
        """Take the next slot, unless it is after `latest_us`: then say how the line is.

        A line that nobody stands in starts again at `earliest_us`.
        """

    def push(self, route: Route, *, by_us: int) -> None:
        """Move the next slot, and all that were taken but have not started, `by_us` later."""

    def adapt(self, route: Route, *, seen: Line, wanted: Line) -> bool:
        """Give the line `wanted`'s slowdown and what `wanted` is pushed more than `seen`.

        Answers False, and does nothing, if another worker has adapted the line since `seen`.
        """

    def observe(self, route: Route, *, place: int, latency_ms: int) -> None:
        """Keep a latency at its place, 0 to `LATENCIES_KEPT` - 1, over what was there."""


def interval_us(route: Route, slowdown_permille: int) -> int:
    """The time between two starts."""
    per_start = (1000 + JITTER_PERMILLE) * slowdown_permille / route.rate_per_second
    return math.ceil(per_start * US / 1_000_000)


def missed_us(slot: Slot) -> int:
    """How late a start may not be: whoever is next in line reads it `LEAD_US` before its own slot.

    A push must be written by then, which matters to routes of one start a second and fewer; at
    higher rates it is a later one than the next that could make a second too full.
    """
    whole_us = interval_us(slot.route, slot.slowdown_permille)
    return max(whole_us // 2, whole_us - 2 * LEAD_US)


def taken(line: Line, route: Route, *, earliest_us: int) -> tuple[int, Line]:
    """The slot that is next, not before `earliest_us`, and the line without it."""
    start_us = max(line.next_us, earliest_us)
    after = start_us + interval_us(route, line.slowdown_permille)
    return start_us, replace(line, next_us=after)


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


class Pacer:
    """Lets a worker start when a slot of one of its routes has come: `take` one, then `wait`."""

    def __init__(
        self,
        lines: LineStore,
        *,
        now_us: Callable[[], int],
        sleep: Callable[[float], None],
        aside: Callable[[Callable[[], None]], None],
        wait_seconds_max: float,
    ) -> None:
        """`aside` does a thing without being waited for."""
        self._lines = lines
        self._aside = aside
        self._now_us = now_us
        self._sleep = sleep
        self._wait_us_max = int(wait_seconds_max * US)

    def take(self, routes: Sequence[Route]) -> Slot:
        """The earliest slot of any route: one is taken only while no other has an earlier one.

        Raises NoFreeSlot when it is further away than the longest wait.
        """
        return self._take(routes, self._now_us() + self._wait_us_max)

    def wait(self, slot: Slot) -> None:
        """Sleep until the slot has come; to be called when nothing but the start itself is left.

        A slot that is missed by about an interval is lost, as another start has had its turn since:
        the route's next one is taken instead. Raises NoFreeSlot when that, or a push, is further
        away than the longest wait.
        """
        give_up_us = self._now_us() + self._wait_us_max
        while (late_us := self._sleep_through(slot, give_up_us)) >= missed_us(slot):
            slot = self._take([slot.route], give_up_us)
        if late_us > LATE_US:
            # Beside the start, which would be the later for waiting until it is written.
            self._aside(partial(self._push, slot.route, late_us + LATE_MORE_US))

    def throttled(self, slot: Slot) -> None:
        """The model refused a start for its rate: slow the route down for everyone."""
        self._adapt(slot.route, slowed)

    def succeeded(self, slot: Slot) -> None:
        """The model took a start: a route that was slowed down may ease."""
        if slot.slowdown_permille > UNSLOWED:
            self._adapt(slot.route, eased)

    def took(self, slot: Slot, *, seconds: float) -> None:
        """A start has led to a stored image so long after it: keep that, if it can be.

        Slots that follow each other have places that do, so that the line keeps the last ones.
        """
        place = slot.start_us // interval_us(slot.route, UNSLOWED) % LATENCIES_KEPT
        with suppress(ServiceFailed):
            self._lines.observe(slot.route, place=place, latency_ms=round(seconds * 1000))

    def _take(self, routes: Sequence[Route], latest_us: int) -> Slot:
        lines = dict(self._read(routes)) if len(routes) > 1 else {}
        while True:
            earliest_us = self._now_us() + READY_US
            by_slot = sorted(routes, key=lambda route: lines.get(route.name, Line()).next_us)
            best, runner_up = by_slot[0], by_slot[1:2]
            limit_us = min(
                [latest_us, *(max(lines[route.name].next_us, earliest_us) for route in runner_up)]
            )
            with _reachable():
                answer = self._lines.take(best, earliest_us=earliest_us, latest_us=limit_us)
            if isinstance(answer, Slot):
                return answer
            lines[best.name] = answer
            if min(line.next_us for line in lines.values()) > latest_us:
                raise self._too_far(min(line.next_us for line in lines.values()))

    def _sleep_through(self, slot: Slot, give_up_us: int) -> int:
        """Sleep until the slot, wherever it is pushed; answer by how much it was missed."""
        start_us = slot.start_us
        while start_us - self._now_us() > LEAD_US:
            if start_us > give_up_us:
                raise self._too_far(start_us)
            self._sleep_until(start_us - LEAD_US)
            line = self._read([slot.route])[slot.route.name]
            start_us = slot.start_us + line.push_us - slot.push_us
        self._sleep_until(start_us)
        return self._now_us() - start_us

    def _read(self, routes: Sequence[Route]) -> Mapping[str, Line]:
        with _reachable():
            return self._lines.read(routes)

    def _push(self, route: Route, by_us: int) -> None:
        # The start has been made; a line that cannot be pushed now only loses its jitter's room.
        with suppress(ServiceFailed):
            self._lines.push(route, by_us=by_us)

    def _adapt(self, route: Route, change: Callable[..., Line]) -> None:
        # What the model has just answered counts for more: the next start can adapt the line.
        with suppress(ServiceFailed):
            seen = self._lines.read([route])[route.name]
            wanted = change(seen, now_us=self._now_us())
            if wanted != seen:
                self._lines.adapt(route, seen=seen, wanted=wanted)

    def _sleep_until(self, moment_us: int) -> None:
        while (left_us := moment_us - self._now_us()) > 0:
            self._sleep(left_us / US)

    def _too_far(self, start_us: int) -> NoFreeSlot:
        away = (start_us - self._now_us()) / US
        return NoFreeSlot(
            f"The next start is {away:.0f} s away.",
            retry_after_seconds=max(1.0, away - self._wait_us_max / US / 2),
        )


@contextmanager
def _reachable() -> Iterator[None]:
    """No line, no slot: a start that cannot be had spends no attempt."""
    try:
        yield
    except ServiceFailed as error:
        raise NoFreeSlot(
            f"The line is out of reach: {error.message}", retry_after_seconds=UNREACHABLE_SECONDS
        ) from error
