"""A worker that learns of its slot or of its line too late looks once more before it starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from common.lines import UNSLOWED, US, Line, Slot, interval_us
from common.pacing import LATE_LOOKS_MAX, LEAD_US, READY_US, Pacer
from common.routes import Route
from tests.fakes import ManualClock, MemoryLines

ROUTE = Route(model="core", region="us-west-2", rate_per_second=1)


class SlowLines(MemoryLines):
    """Lines whose answers take a while; meanwhile another worker may push."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self._clock = clock
        self.take_seconds = 0.0
        self.read_seconds: list[float] = []
        """What the next reads take; those after them take no time."""
        self.pushes_us = [0]
        """By how much others push the line while each call's answer is on its way."""
        self.reads = 0

    def take(self, route: Route, *, earliest_us: int, latest_us: int) -> Slot | Line:
        slot = super().take(route, earliest_us=earliest_us, latest_us=latest_us)
        self._pass(route, self.take_seconds)
        return slot

    def read(self, routes: Sequence[Route]) -> Mapping[str, Line]:
        self.reads += 1
        line = super().read(routes)
        self._pass(routes[0], self.read_seconds.pop(0) if self.read_seconds else 0)
        return line

    def _pass(self, route: Route, seconds: float) -> None:
        self._clock.advance(seconds)
        if self.pushes_us and (push_us := self.pushes_us.pop(0)):
            self.push(route, by_us=push_us)


def started_us(lines: SlowLines, clock: ManualClock) -> int:
    """How long after its first slot a worker starts that takes and waits for it."""
    pacer = Pacer(
        lines,
        now_us=clock.now_us,
        sleep=clock.sleep,
        aside=lambda do: do(),
        wait_seconds_max=30,
    )
    began_us = clock.now_us()
    pacer.wait(pacer.take([ROUTE]))
    return clock.now_us() - began_us - READY_US


def test_a_push_while_the_slots_answer_was_on_its_way_is_obeyed() -> None:
    clock = ManualClock()
    lines = SlowLines(clock)
    lines.take_seconds, lines.pushes_us = 0.15, [300_000]
    assert started_us(lines, clock) == 300_000
    assert lines.reads > 0


def test_a_slot_that_was_told_of_in_time_needs_no_look() -> None:
    clock = ManualClock()
    lines = SlowLines(clock)
    lines.take_seconds = 0.02
    assert started_us(lines, clock) == 0
    assert lines.reads == 0


def test_a_push_while_the_last_look_was_on_its_way_is_obeyed() -> None:
    clock = ManualClock()
    lines = SlowLines(clock)
    taken = lines.take(ROUTE, earliest_us=clock.now_us(), latest_us=clock.now_us())
    assert isinstance(taken, Slot)
    lines.read_seconds, lines.pushes_us = [0.1], [0, 400_000]
    started = started_us(lines, clock) + READY_US
    assert started == interval_us(ROUTE, UNSLOWED) + 400_000


@pytest.mark.parametrize("read_seconds", [0.1, 0.3])
def test_a_line_that_always_answers_late_holds_nobody_for_ever(read_seconds: float) -> None:
    clock = ManualClock()
    lines = SlowLines(clock)
    lines.take_seconds, lines.read_seconds = 0.15, [read_seconds] * 100
    late_us = started_us(lines, clock)
    assert lines.reads == LATE_LOOKS_MAX
    assert late_us == pytest.approx((0.15 + 2 * read_seconds) * US - READY_US, abs=LEAD_US)


def test_a_slot_whose_turn_is_over_is_not_excused_by_a_later_push() -> None:
    clock = ManualClock()
    lines = SlowLines(clock)
    whole_us = interval_us(ROUTE, UNSLOWED)
    lines.take_seconds, lines.pushes_us = (whole_us + READY_US) / US, []
    lines.read_seconds = [0.0]
    pacer = Pacer(
        lines, now_us=clock.now_us, sleep=clock.sleep, aside=lambda do: do(), wait_seconds_max=30
    )
    slot = pacer.take([ROUTE])
    lines.take_seconds = 0
    lines.push(ROUTE, by_us=whole_us)
    next_us = lines.read([ROUTE])[ROUTE.name].next_us
    pacer.wait(slot)
    assert clock.now_us() >= next_us, "it takes the next slot instead"


def test_who_oversleeps_its_turn_is_not_excused_by_a_later_push_either() -> None:
    clock = ManualClock()
    lines = SlowLines(clock)
    lines.pushes_us = []
    whole_us = interval_us(ROUTE, UNSLOWED)
    lines.take(ROUTE, earliest_us=clock.now_us(), latest_us=clock.now_us())

    late = [whole_us]

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if late:
            clock.advance(late.pop() / US)
            lines.push(ROUTE, by_us=whole_us)

    pacer = Pacer(
        lines,
        now_us=clock.now_us,
        sleep=sleep,
        aside=lambda do: do(),
        wait_seconds_max=30,
    )
    slot = pacer.take([ROUTE])
    assert pacer.wait(slot).start_us > slot.start_us, "it takes the next slot instead"
