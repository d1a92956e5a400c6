"""Pacing: every start of a model call takes the next slot of its route's line.

A worker that took a slot sleeps until it. What keeps the spacing true on real machines is the
line's push: a worker that wakes late moves every slot behind it by as much, so a late start delays
the line and never compresses it; a throttle from the model moves it the same way. Sleepers read the
line once more just before they start, and then stay away from a route that has gone out of order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial

from common.errors import NoFreeSlot, NoRouteInOrder, ServiceFailed, Unavailable
from common.latency import LATENCIES_KEPT
from common.lines import (
    PROBE_US,
    REST_US,
    UNSLOWED,
    US,
    Line,
    LineStore,
    Slot,
    eased,
    failed,
    interval_us,
    mended,
    throttled,
)
from common.routes import Route

LATE_US = 4_000
"""A start later than this pushes the line; half of the jitter, the rest is the network's."""
LATE_MORE_US = 10_000
"""How much later than it woke such a start is assumed to leave: its machine is busy."""
LEAD_US = 60_000
"""How long before its slot a sleeper wakes to read the line once more."""
LATE_LOOKS_MAX = 2
"""How often a line is read again by one who has learnt of the slot, or of the line, too late."""
READY_US = 50_000
"""How long it may last to take a slot and be ready for it; none is promised earlier from now."""

UNREACHABLE_SECONDS = 5.0
"""When to try again for a line that could not be reached."""
ADAPT_TRIES = 5
"""How often a line is adapted that others adapt at the same time; they have seen the same."""


def missed_us(slot: Slot) -> int:
    """How late a start may not be: whoever is next in line reads it `LEAD_US` before its own slot.

    A push must be written by then, which matters to routes of one start a second and fewer; at
    higher rates it is a later one than the next that could make a second too full.
    """
    whole_us = interval_us(slot.route, slot.slowdown_permille)
    return max(whole_us // 2, whole_us - 2 * LEAD_US)


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

        Routes that are out of order are left alone, but for one probe when their time has come.
        Raises NoRouteInOrder where that leaves none, and NoFreeSlot when the slot is further away
        than the longest wait.
        """
        return self._take(routes, self._now_us() + self._wait_us_max)

    def wait(self, slot: Slot) -> Slot:
        """Sleep until the slot has come; to be called when nothing but the start itself is left.

        A slot that is missed by about an interval is lost, as another start has had its turn since:
        the route's next one is taken instead. Answers which slot the start is in. Raises NoFreeSlot
        when that, or a push, is further away than the longest wait, and NoRouteInOrder when the
        route has gone out of order.
        """
        give_up_us = self._now_us() + self._wait_us_max
        while (late_us := self._sleep_through(slot, give_up_us)) >= missed_us(slot):
            if slot.probe:
                break  # nobody starts after it
            slot = self._take([slot.route], give_up_us)
        if late_us > LATE_US:
            # Beside the start, which would be the later for waiting until it is written.
            self._aside(partial(self._push, slot.route, late_us + LATE_MORE_US))
        return slot

    def throttled(self, slot: Slot) -> None:
        """The model refused a start for its rate: slow the route down for everyone."""

        def change(line: Line, now_us: int) -> Line:
            return throttled(line, now_us=now_us, probe=slot.probe)

        self._adapt(slot.route, change)

    def give_back(self, slot: Slot) -> None:
        """A slot is not used. A probe's must be told, or nobody else would try for long."""

        def change(line: Line, now_us: int) -> Line:
            return replace(line, retry_us=now_us, probing=False) if line.probing else line

        if slot.probe:
            self._adapt(slot.route, change)

    def failed(self, slot: Slot) -> Line:
        """The model broke on a start; answers how its route's line is then, as far as is known."""

        def change(line: Line, now_us: int) -> Line:
            return failed(line, now_us=now_us, probe=slot.probe)

        return self._adapt(slot.route, change) or Line()

    def refused(self, slot: Slot) -> None:
        """The model answered that it will not draw this: its route is in order."""

        def change(line: Line, _now_us: int) -> Line:
            return mended(line) if line.in_order or slot.probe else line

        self._adapt(slot.route, change)

    def answered(self, slot: Slot) -> None:
        """The model made an image: its route may ease if it was slow, and is in order again."""
        if slot.slowdown_permille == UNSLOWED and not slot.probe:
            return

        def change(line: Line, now_us: int) -> Line:
            line = eased(line, now_us=now_us)
            return mended(line) if slot.probe else line

        self._adapt(slot.route, change)

    def took(self, slot: Slot, *, seconds: float) -> None:
        """A start has led to a stored image so long after it: keep that, if it can be.

        Slots that follow each other have places that do, so that the line keeps the last ones.
        """
        place = slot.start_us // interval_us(slot.route, UNSLOWED) % LATENCIES_KEPT
        with suppress(ServiceFailed):
            self._lines.observe(slot.route, place=place, latency_ms=round(seconds * 1000))

    def _take(self, routes: Sequence[Route], latest_us: int) -> Slot:
        lines = dict(self._read(routes)) if len(routes) > 1 else {routes[0].name: Line()}
        while True:
            now_us = self._now_us()
            earliest_us = now_us + READY_US
            open_ = [route for route in routes if lines[route.name].takes(now_us)]
            if not open_:
                raise self._out_of_order(lines.values())
            best, *others = sorted(open_, key=lambda route: lines[route.name].next_us)
            line = lines[best.name]
            if line.next_us > latest_us:
                raise self._too_far(line.next_us)
            limit_us = min(
                [latest_us, *(max(lines[other.name].next_us, earliest_us) for other in others[:1])]
            )
            with _reachable():
                answer = (
                    self._lines.take(best, earliest_us=earliest_us, latest_us=limit_us)
                    if line.in_order
                    else self._lines.probe(
                        best, seen=line, earliest_us=earliest_us, until_us=now_us + PROBE_US
                    )
                )
            if isinstance(answer, Slot):
                return replace(answer, taken_us=now_us)
            lines[best.name] = answer

    def _sleep_through(self, slot: Slot, give_up_us: int) -> int:
        """Sleep until the slot, wherever it is pushed; answer by how much it was missed."""
        start_us, seen_us, late_looks = slot.start_us, slot.taken_us, 0
        while True:
            now_us = self._now_us()
            if start_us - now_us > LEAD_US:
                if start_us > give_up_us:
                    raise self._too_far(start_us)
                self._sleep_until(start_us - LEAD_US)
            elif now_us - seen_us <= LEAD_US or late_looks == LATE_LOOKS_MAX:
                break
            else:
                late_looks += 1
            seen_us = self._now_us()
            if seen_us - start_us >= missed_us(slot):
                break  # whoever is next has had its turn, however far the line was pushed since
            line = self._read([slot.route])[slot.route.name]
            if not (line.in_order or slot.probe):
                raise self._out_of_order([line])
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

    def _adapt(self, route: Route, change: Callable[[Line, int], Line]) -> Line | None:
        """Adapt the line; the answer is how it is then, None if that is not known.

        What the model has just answered counts for more: the next start can adapt the line.
        """
        with suppress(ServiceFailed):
            for _try in range(ADAPT_TRIES):
                seen = self._lines.read([route])[route.name]
                wanted = change(seen, self._now_us())
                if wanted == seen or self._lines.adapt(route, seen=seen, wanted=wanted):
                    return wanted
        return None

    def _sleep_until(self, moment_us: int) -> None:
        while (left_us := moment_us - self._now_us()) > 0:
            self._sleep(left_us / US)

    def _out_of_order(self, lines: Collection[Line]) -> Unavailable:
        """Nobody may start before the first rest is over, or the probe under way has an answer."""
        now_us = self._now_us()
        rests = [line.retry_us - now_us for line in lines]
        answers = [REST_US for line in lines if line.probing]
        away = min([*rests, *answers]) / US
        return NoRouteInOrder(
            f"The model does not work; the next try is in {away:.0f} s.",
            retry_after_seconds=max(1.0, away),
        )

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
