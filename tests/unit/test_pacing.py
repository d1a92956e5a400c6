"""The line of a route: its slots, its pushes, and how it slows and recovers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import NoFreeSlot, ServiceFailed
from common.latency import LATENCIES_KEPT
from common.lines import (
    RECOVER_AFTER_US,
    SLOWDOWN_MAX,
    THROTTLE_FACTOR_PERMILLE,
    THROTTLE_PUSH_US,
    UNSLOWED,
    US,
    Line,
    Slot,
    eased,
    interval_us,
    pushed,
    slowed,
    taken,
)
from common.pacing import LATE_MORE_US, LATE_US, LEAD_US, READY_US, Pacer, missed_us
from common.routes import Route
from tests.fakes import ManualClock, MemoryLines

TWO = Route(model="core", region="us-west-2", rate_per_second=2)
OTHER = Route(model="core", region="us-east-1", rate_per_second=4)
INTERVAL_US = 504_000


class Worker:
    """A pacer on a clock of its own, sharing the lines with others."""

    def __init__(self, lines: MemoryLines, *, wait_seconds_max: float = 30) -> None:
        self.clock = ManualClock()
        self.late_seconds = 0.0
        self.lines = lines
        self.pacer = self.paced_by(self.clock, wait_seconds_max=wait_seconds_max)

    def paced_by(self, clock: ManualClock, *, wait_seconds_max: float = 30) -> Pacer:
        self.clock = clock
        return Pacer(
            self.lines,
            now_us=clock.now_us,
            sleep=self._sleep,
            aside=lambda do: do(),
            wait_seconds_max=wait_seconds_max,
        )

    def _sleep(self, seconds: float) -> None:
        self.clock.sleep(seconds + self.late_seconds)

    def start(self, *routes: Route) -> Slot:
        """Take a slot and wait for it; afterwards it is the time of the start."""
        slot = self.pacer.take(routes or (TWO,))
        self.pacer.wait(slot)
        return slot


def line(lines: MemoryLines, route: Route = TWO) -> Line:
    return lines.read([route])[route.name]


def test_slots_are_an_interval_apart() -> None:
    assert interval_us(TWO, UNSLOWED) == INTERVAL_US
    assert interval_us(TWO, 2 * UNSLOWED) == 2 * INTERVAL_US
    workers = [Worker(lines) for lines in [MemoryLines()] * 5]
    slots = [worker.start() for worker in workers]
    starts = [slot.start_us for slot in slots]
    assert [later - earlier for earlier, later in pairwise(starts)] == [INTERVAL_US] * 4
    assert [worker.clock.now_us() for worker in workers] == starts, "each starts in its slot"


@given(st.floats(0.05, 100), st.integers(UNSLOWED, SLOWDOWN_MAX))
def test_an_interval_is_never_shorter_than_the_rate_allows(rate: float, slowdown: int) -> None:
    route = replace_rate(rate)
    assert interval_us(route, slowdown) >= US / rate


def replace_rate(rate: float) -> Route:
    return Route(model="core", region="us-west-2", rate_per_second=rate)


def test_an_idle_line_begins_again_now_and_saves_nothing_up() -> None:
    lines = MemoryLines()
    Worker(lines).start()
    late = Worker(lines)
    late.clock.advance(3600)
    began_us = late.clock.now_us()
    slots = [late.pacer.take([TWO]) for _slot in range(3)]
    assert [slot.start_us - began_us for slot in slots] == [
        READY_US + place * INTERVAL_US for place in range(3)
    ]


def test_a_late_start_moves_every_slot_behind_it() -> None:
    lines = MemoryLines()
    late, next_one = Worker(lines), Worker(lines)
    first, second = late.pacer.take([TWO]), next_one.pacer.take([TWO])
    late.late_seconds = 0.3
    late.pacer.wait(first)
    assert late.clock.now_us() == first.start_us + 300_000
    next_one.pacer.wait(second)
    assert next_one.clock.now_us() == second.start_us + 300_000 + LATE_MORE_US
    third = next_one.pacer.take([TWO])
    assert third.start_us == second.start_us + 300_000 + LATE_MORE_US + INTERVAL_US
    assert third.push_us == 300_000 + LATE_MORE_US


@pytest.mark.parametrize(("late_us", "moves"), [(0, False), (LATE_US, False), (LATE_US + 1, True)])
def test_a_start_within_the_jitter_moves_nothing(late_us: int, *, moves: bool) -> None:
    lines = MemoryLines()
    worker = Worker(lines)
    slot = worker.pacer.take([TWO])
    worker.late_seconds = late_us / US
    worker.pacer.wait(slot)
    assert line(lines).push_us == (late_us + LATE_MORE_US if moves else 0)


def test_a_slot_that_was_missed_is_given_up_for_the_next() -> None:
    lines = MemoryLines()
    worker = Worker(lines)
    slot = worker.pacer.take([TWO])
    behind = [Worker(lines).pacer.take([TWO]) for _slot in range(3)]
    worker.clock.advance((READY_US + missed_us(slot)) / US)
    worker.pacer.wait(slot)
    assert worker.clock.now_us() == behind[-1].start_us + INTERVAL_US
    assert line(lines).push_us == 0, "nobody else is moved"


def test_a_slot_that_was_missed_by_a_little_less_is_taken() -> None:
    lines = MemoryLines()
    worker = Worker(lines)
    slot = worker.pacer.take([TWO])
    late_us = missed_us(slot) - 1
    worker.clock.advance((READY_US + late_us) / US)
    worker.pacer.wait(slot)
    assert worker.clock.now_us() == slot.start_us + late_us
    assert line(lines).push_us == late_us + LATE_MORE_US


def test_a_sleeper_looks_at_the_line_once_more_just_before_it_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = MemoryLines()
    worker = Worker(lines)
    worker.start()
    slot = worker.pacer.take([TWO])
    woken_us: list[int] = []
    read = lines.read

    def reading(routes: Sequence[Route]) -> object:
        woken_us.append(worker.clock.now_us())
        return read(routes)

    monkeypatch.setattr(lines, "read", reading)
    worker.pacer.wait(slot)
    assert woken_us == [slot.start_us - LEAD_US]


def test_a_slot_that_is_too_far_away_is_left_alone_without_sleeping() -> None:
    lines = MemoryLines()
    worker = Worker(lines, wait_seconds_max=30)
    lines._lines[TWO.name] = Line(next_us=worker.clock.now_us() + 100 * US)
    before = line(lines)
    with pytest.raises(NoFreeSlot) as refused:
        worker.pacer.take([TWO])
    assert worker.clock.slept == []
    assert line(lines) == before
    assert refused.value.retry_after_seconds == pytest.approx(85)


def test_a_slot_that_is_pushed_too_far_away_is_given_up() -> None:
    lines = MemoryLines()
    worker = Worker(lines, wait_seconds_max=30)
    worker.start()
    slot = worker.pacer.take([TWO])
    lines.push(TWO, by_us=60 * US)
    with pytest.raises(NoFreeSlot):
        worker.pacer.wait(slot)
    assert sum(worker.clock.slept) < 2


def test_a_retaken_slot_does_not_begin_the_longest_wait_anew() -> None:
    lines = MemoryLines()
    worker = Worker(lines, wait_seconds_max=30)
    began_us = worker.clock.now_us()
    lines._lines[TWO.name] = Line(next_us=began_us + 29 * US)
    slot = worker.pacer.take([TWO])
    lines._lines[TWO.name] = Line(next_us=began_us + 58 * US)
    worker.late_seconds = 0.6
    with pytest.raises(NoFreeSlot):
        worker.pacer.wait(slot)
    assert worker.clock.now_us() - began_us < 31 * US


class LostLines(MemoryLines):
    """Lines that cannot be reached."""

    def take(self, route: Route, *, earliest_us: int, latest_us: int) -> Slot | Line:
        raise ServiceFailed(f"Updating {route.name} from {earliest_us} to {latest_us} failed.")

    def read(self, routes: Sequence[Route]) -> Mapping[str, Line]:
        raise ServiceFailed(f"Reading {len(routes)} lines failed.")


def test_a_line_out_of_reach_is_no_slot_and_so_spends_no_attempt() -> None:
    with pytest.raises(NoFreeSlot):
        Worker(LostLines()).pacer.take([TWO])
    with pytest.raises(NoFreeSlot):
        Worker(LostLines()).pacer.take([TWO, OTHER])
    worker = Worker(LostLines())
    start_us = worker.clock.now_us() + US
    slot = Slot(route=TWO, start_us=start_us, push_us=0, slowdown_permille=UNSLOWED)
    with pytest.raises(NoFreeSlot):
        worker.pacer.wait(slot)


def test_the_earliest_slot_of_any_route_is_taken() -> None:
    lines = MemoryLines()
    now_us = ManualClock().now_us()
    lines._lines[TWO.name] = Line(next_us=now_us + 5 * US)
    lines._lines[OTHER.name] = Line(next_us=now_us + 3 * US)
    assert Worker(lines).pacer.take([TWO, OTHER]).route == OTHER
    lines._lines[OTHER.name] = Line(next_us=now_us + 7 * US)
    slot = Worker(lines).pacer.take([TWO, OTHER])
    assert (slot.route, slot.start_us) == (TWO, now_us + 5 * US)


def test_the_throughput_of_routes_adds_up() -> None:
    lines = MemoryLines()
    began_us = ManualClock().now_us()
    slots = [Worker(lines).pacer.take([TWO, OTHER]) for _slot in range(60)]
    within = [slot for slot in slots if slot.start_us < began_us + READY_US + 10 * US]
    assert len(within) == 60, "6/s for ten seconds"
    assert sum(slot.route == OTHER for slot in within) == 40
    assert sum(slot.route == TWO for slot in within) == 20


def test_a_route_that_is_far_behind_is_passed_by() -> None:
    lines = MemoryLines()
    lines._lines[TWO.name] = Line(next_us=ManualClock().now_us() + 1000 * US)
    slots = [Worker(lines).pacer.take([TWO, OTHER]) for _slot in range(20)]
    assert {slot.route for slot in slots} == {OTHER}


def test_two_routes_that_are_both_too_far_away_are_left_alone() -> None:
    lines = MemoryLines()
    worker = Worker(lines)
    for route, seconds in ((TWO, 40), (OTHER, 60)):
        lines._lines[route.name] = Line(next_us=worker.clock.now_us() + seconds * US)
    with pytest.raises(NoFreeSlot) as refused:
        worker.pacer.take([TWO, OTHER])
    assert refused.value.retry_after_seconds == pytest.approx(25), "the nearer one's"


def test_a_throttle_slows_the_route_once_for_all_who_met_it() -> None:
    lines = MemoryLines()
    workers = [Worker(lines) for _worker in range(10)]
    slots = [worker.start() for worker in workers]
    now = max((worker.clock for worker in workers), key=ManualClock.now_us)
    pushed_before = line(lines).push_us
    for worker, slot in zip(workers, slots, strict=True):
        now.advance(0.05)
        worker.paced_by(now).throttled(slot)
    assert line(lines).slowdown_permille == THROTTLE_FACTOR_PERMILLE
    assert THROTTLE_PUSH_US <= line(lines).push_us - pushed_before < 2 * THROTTLE_PUSH_US


def test_a_throttle_leaves_the_model_alone_for_a_second_and_then_goes_slower() -> None:
    lines = MemoryLines()
    worker = Worker(lines)
    slot = worker.start()
    worker.clock.advance(0.2)
    worker.pacer.throttled(slot)
    throttled_us = worker.clock.now_us()
    starts = [worker.pacer.take([TWO]).start_us for _slot in range(3)]
    assert starts[0] >= throttled_us + THROTTLE_PUSH_US
    assert starts[2] - starts[1] == interval_us(TWO, THROTTLE_FACTOR_PERMILLE)


def test_those_who_wait_are_pushed_by_a_throttle_too() -> None:
    lines = MemoryLines()
    first, waiting = Worker(lines), Worker(lines)
    slot = first.start()
    behind = waiting.pacer.take([TWO])
    first.pacer.throttled(slot)
    waiting.pacer.wait(behind)
    assert waiting.clock.now_us() >= behind.start_us + THROTTLE_PUSH_US


def test_a_route_recovers_step_by_step_when_it_is_quiet() -> None:
    lines = MemoryLines()
    worker = Worker(lines)
    worker.pacer.throttled(worker.start())
    slowdowns = [line(lines).slowdown_permille]
    while slowdowns[-1] > UNSLOWED:
        worker.pacer.answered(worker.start())
        slowdowns.append(line(lines).slowdown_permille)
        assert slowdowns[-1] <= slowdowns[-2]
        assert len(slowdowns) < 100, "it never recovers"
    assert line(lines).calm_at_us - worker.clock.now_us() <= RECOVER_AFTER_US


def test_a_healthy_route_is_not_asked_about_after_each_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = MemoryLines()
    worker = Worker(lines)
    slot = worker.start()
    monkeypatch.setattr(lines, "read", lambda _routes: pytest.fail("one call too many"))
    worker.pacer.answered(slot)


lines_of_any_kind = st.builds(
    Line,
    next_us=st.integers(0, 2_000 * US),
    push_us=st.integers(0, 1_000 * US),
    slowdown_permille=st.integers(UNSLOWED, SLOWDOWN_MAX),
    calm_at_us=st.integers(0, 2_000 * US),
)


@given(lines_of_any_kind, st.integers(0, 2_000 * US))
def test_a_throttle_never_speeds_a_line_up_nor_takes_a_push_back(met: Line, now_us: int) -> None:
    after = slowed(met, now_us=now_us)
    assert UNSLOWED <= met.slowdown_permille <= after.slowdown_permille <= SLOWDOWN_MAX
    assert after.push_us - met.push_us == after.next_us - met.next_us >= 0
    if after != met:
        assert after.next_us >= now_us + THROTTLE_PUSH_US
        assert slowed(after, now_us=now_us) == after, "once for all who met it"


@given(lines_of_any_kind, st.integers(0, 2_000 * US))
def test_easing_speeds_up_by_a_step_and_only_after_a_quiet_while(met: Line, now_us: int) -> None:
    after = eased(met, now_us=now_us)
    assert UNSLOWED <= after.slowdown_permille <= met.slowdown_permille
    assert (after.next_us, after.push_us) == (met.next_us, met.push_us)
    if now_us < met.calm_at_us:
        assert after == met
    assert eased(after, now_us=now_us) == after


@given(lines_of_any_kind, st.integers(0, 2_000 * US), st.integers(0, 100 * US))
def test_slots_are_never_closer_than_the_interval_whatever_is_pushed(
    met: Line, earliest_us: int, by_us: int
) -> None:
    first, after = taken(met, TWO, earliest_us=earliest_us)
    second, _after = taken(pushed(after, by_us=by_us), TWO, earliest_us=earliest_us)
    assert first >= earliest_us
    assert second - first >= interval_us(TWO, met.slowdown_permille) + by_us


def test_what_calls_took_is_kept_in_milliseconds_the_last_of_each_place() -> None:
    worker = Worker(MemoryLines())
    for seconds in range(LATENCIES_KEPT + 3):
        worker.pacer.took(worker.start(), seconds=seconds + 0.0004)
    kept = line(worker.lines).latencies_ms
    assert sorted(kept) == [1000 * seconds for seconds in range(3, LATENCIES_KEPT + 3)]


def test_routes_keep_apart_what_their_calls_took() -> None:
    worker = Worker(MemoryLines())
    worker.pacer.took(worker.start(OTHER), seconds=2)
    assert line(worker.lines, OTHER).latencies_ms == (2000,)
    assert line(worker.lines).latencies_ms == ()


class Deaf(MemoryLines):
    """Lines that keep no latency."""

    def observe(self, route: Route, *, place: int, latency_ms: int) -> None:
        raise ServiceFailed(f"Keeping {latency_ms} at {place} of {route.name} did not work.")


def test_what_a_call_took_is_not_worth_a_failure() -> None:
    worker = Worker(Deaf())
    worker.pacer.took(worker.start(), seconds=2)
