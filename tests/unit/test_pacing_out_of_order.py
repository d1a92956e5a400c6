"""A route that fails is left alone by all workers, tried by one at a time, and then used again."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from common.errors import NoRouteInOrder, ServiceFailed
from common.lines import (
    FAILURES_MAX,
    PROBE_US,
    REST_US,
    REST_US_MAX,
    SLOWDOWN_MAX,
    UNSLOWED,
    US,
    Line,
    Slot,
)
from common.pacing import LEAD_US, READY_US
from common.routes import Route
from tests.fakes import MemoryLines
from tests.unit.test_pacing import INTERVAL_US, OTHER, TWO, Worker, line

REST_SECONDS = REST_US / US


def failing(lines: MemoryLines, *, route: Route = TWO, times: int = FAILURES_MAX) -> Worker:
    """A worker whose model has just failed so many times."""
    worker = Worker(lines)
    for _time in range(times):
        worker.pacer.failed(worker.start(route))
    return worker


def joined(lines: MemoryLines, other: Worker) -> Worker:
    """Another worker, at the same time."""
    worker = Worker(lines)
    worker.clock.advance((other.clock.now_us() - worker.clock.now_us()) / US)
    return worker


def refusal(worker: Worker, *routes: Route) -> NoRouteInOrder:
    """What a worker is told that gets no slot; it has not slept for that."""
    slept = len(worker.clock.slept)
    with pytest.raises(NoRouteInOrder) as refused:
        worker.pacer.take(routes or (TWO,))
    assert len(worker.clock.slept) == slept
    return refused.value


def test_the_last_of_five_failures_says_that_the_route_is_out_of_order() -> None:
    lines = MemoryLines()
    worker = Worker(lines)
    said = [worker.pacer.failed(worker.start()) for _time in range(FAILURES_MAX)]
    assert [line.failures for line in said] == [1, 2, 3, 4, 5]
    assert [line.in_order for line in said] == [True] * (FAILURES_MAX - 1) + [False]


def test_a_route_that_fails_is_left_alone_by_all_workers() -> None:
    lines = MemoryLines()
    worker = failing(lines)
    before = line(lines)
    for other in (worker, joined(lines, worker), joined(lines, worker)):
        refused = refusal(other)
        assert refused.retry_after_seconds == pytest.approx(REST_SECONDS)
        assert f"{REST_SECONDS:.0f} s" in refused.message
    assert line(lines) == before, "nobody has taken anything"


def test_a_route_is_left_alone_to_the_end_of_its_rest() -> None:
    lines = MemoryLines()
    worker = failing(lines)
    worker.clock.advance(REST_SECONDS - 0.1)
    assert refusal(worker).retry_after_seconds == 1, "no sooner than in a second"
    worker.clock.advance(0.1)
    assert worker.pacer.take([TWO]).probe


def test_an_answer_in_between_ends_the_row_of_failures() -> None:
    lines = MemoryLines()
    worker = failing(lines, times=FAILURES_MAX - 1)
    worker.pacer.took(worker.start(), seconds=4)
    worker.pacer.failed(worker.start())
    assert (line(lines).failures, line(lines).in_order) == (1, True)


def test_failures_of_calls_that_began_before_change_nothing() -> None:
    lines = MemoryLines()
    workers = [Worker(lines) for _worker in range(30)]
    slots = [worker.start() for worker in workers]
    told = [worker.pacer.failed(slot) for worker, slot in zip(workers, slots, strict=True)]
    said = [line.in_order for line in told]
    assert said == [True] * (FAILURES_MAX - 1) + [False] * 26, "all are told how the route is"
    after = line(lines)
    assert after.failures == FAILURES_MAX
    fifth = workers[FAILURES_MAX - 1].clock.now_us()
    assert after.retry_us == fifth + REST_US


@pytest.mark.parametrize("slowdown", [UNSLOWED, 1500])
def test_a_late_success_of_a_call_that_began_before_mends_nothing(slowdown: int) -> None:
    lines = MemoryLines()
    early = Worker(lines)
    lines._lines[TWO.name] = Line(slowdown_permille=slowdown, calm_at_us=2 * early.clock.now_us())
    slot = early.start()
    worker = failing(lines)
    before = line(lines)
    early.pacer.answered(slot)
    early.pacer.took(slot, seconds=12)
    assert line(lines) == before
    refusal(worker)


def test_one_worker_at_a_time_finds_out_whether_it_works_again() -> None:
    lines = MemoryLines()
    worker = failing(lines)
    worker.clock.advance(REST_SECONDS)
    probe = worker.pacer.take([TWO])
    assert probe.probe
    assert line(lines).retry_us == worker.clock.now_us() + PROBE_US
    for other in (worker, joined(lines, worker)):
        # Not the time that the probe may last at most: its answer is there much sooner.
        assert refusal(other).retry_after_seconds == pytest.approx(REST_SECONDS)
    worker.pacer.wait(probe)
    assert worker.clock.now_us() == probe.start_us, "a probe waits for its slot like any start"


def test_who_waits_for_a_probe_comes_again_when_it_may_have_its_answer() -> None:
    """Sooner than one that died is given up, or all would come too late after an outage."""
    lines = MemoryLines()
    worker = failing(lines)
    worker.clock.advance(REST_SECONDS)
    worker.pacer.take([TWO])
    assert refusal(worker).retry_after_seconds == pytest.approx(REST_SECONDS)
    worker.clock.advance(PROBE_US / US - 5)
    assert refusal(worker).retry_after_seconds == pytest.approx(5), "then another may try"


def test_of_a_rest_and_a_probe_the_sooner_is_told() -> None:
    lines = MemoryLines()
    worker = failing(lines)
    worker.clock.advance(REST_SECONDS)
    worker.pacer.take([TWO])
    now_us = worker.clock.now_us()
    for rest_us, told in ((6 * US, 6), (60 * US, REST_SECONDS)):
        lines._lines[OTHER.name] = Line(failures=6, retry_us=now_us + rest_us)
        assert refusal(worker, TWO, OTHER).retry_after_seconds == pytest.approx(told)


def test_a_probe_that_dies_is_followed_by_another() -> None:
    lines = MemoryLines()
    worker = failing(lines)
    worker.clock.advance(REST_SECONDS)
    assert worker.pacer.take([TWO]).probe
    worker.clock.advance(PROBE_US / US - 0.001)
    refusal(worker)
    worker.clock.advance(0.001)
    other = joined(lines, worker)
    assert other.pacer.take([TWO]).probe
    refusal(worker)


@pytest.mark.parametrize("throttle", [False, True])
def test_each_probe_that_fails_makes_the_rest_longer(*, throttle: bool) -> None:
    lines = MemoryLines()
    worker = failing(lines)
    rests = [REST_SECONDS]
    for _probe in range(5):
        worker.clock.advance(rests[-1])
        probe = worker.start()
        assert probe.probe
        if throttle:
            worker.pacer.throttled(probe)
        else:
            assert not worker.pacer.failed(probe).in_order
        rests.append(refusal(worker).retry_after_seconds)
    longest = REST_US_MAX / US
    assert rests == pytest.approx([15, 30, 60, longest, longest, longest])


def test_a_route_whose_probe_is_answered_is_used_again_at_its_rate_and_no_faster() -> None:
    lines = MemoryLines()
    worker = failing(lines)
    worker.clock.advance(600)
    probe = worker.start()
    worker.clock.advance(4)
    worker.pacer.answered(probe)
    after = line(lines)
    assert (after.failures, after.in_order) == (0, True)
    now_us = worker.clock.now_us()
    workers = [joined(lines, worker) for _worker in range(20)]
    starts = [each.start().start_us for each in workers]
    assert starts[0] == now_us + READY_US, "at once"
    assert [later - earlier for earlier, later in pairwise(starts)] == [INTERVAL_US] * 19
    assert not worker.pacer.take([TWO]).probe


def test_a_slow_route_whose_probe_is_answered_eases_too() -> None:
    lines = MemoryLines()
    worker = Worker(lines)
    lines._lines[TWO.name] = Line(slowdown_permille=2000, failures=9, retry_us=1)
    worker.pacer.answered(worker.start())
    after = line(lines)
    assert after.in_order
    assert after.slowdown_permille == 1800


def test_throttles_at_the_slowest_pace_leave_the_route_alone() -> None:
    lines = MemoryLines()
    worker = Worker(lines)
    throttles = 0
    while line(lines).in_order:
        worker.pacer.throttled(worker.start())
        throttles += 1
        assert throttles < 100, "it never ends"
    assert line(lines).slowdown_permille == SLOWDOWN_MAX
    assert throttles > math.log(SLOWDOWN_MAX / 1000) / math.log(1.25)
    assert refusal(worker).retry_after_seconds == pytest.approx(REST_SECONDS)


def test_a_sleeper_with_a_slot_stays_away_from_a_route_that_went_out_of_order() -> None:
    lines = MemoryLines()
    worker, sleeper = Worker(lines), Worker(lines)
    for _slot in range(8):
        worker.pacer.take([TWO])
    slot = sleeper.pacer.take([TWO])
    lines._lines[TWO.name] = Line(
        next_us=line(lines).next_us, failures=5, retry_us=slot.start_us + 30 * US
    )
    with pytest.raises(NoRouteInOrder) as refused:
        sleeper.pacer.wait(slot)
    assert sleeper.clock.now_us() == slot.start_us - LEAD_US, "it looked just before its start"
    assert refused.value.retry_after_seconds == pytest.approx(30, abs=0.1)


def test_the_sleeper_that_is_the_probe_does_not() -> None:
    lines = MemoryLines()
    worker = failing(lines)
    lines.push(TWO, by_us=20 * US)
    worker.clock.advance(REST_SECONDS)
    probe = worker.pacer.take([TWO])
    assert probe.start_us - worker.clock.now_us() > LEAD_US, "it will look once more"
    worker.pacer.wait(probe)
    assert worker.clock.now_us() == probe.start_us


def test_of_two_routes_the_one_in_order_is_used_and_its_throughput_goes_on() -> None:
    lines = MemoryLines()
    worker = failing(lines, route=OTHER)
    began_us = worker.clock.now_us()
    slots = [joined(lines, worker).pacer.take([TWO, OTHER]) for _slot in range(20)]
    assert {slot.route for slot in slots} == {TWO}
    starts = [slot.start_us for slot in slots]
    assert starts[0] <= began_us + READY_US + INTERVAL_US
    assert [later - earlier for earlier, later in pairwise(starts)] == [INTERVAL_US] * 19


def test_of_two_routes_the_one_out_of_order_is_probed_beside_the_other() -> None:
    lines = MemoryLines()
    worker = failing(lines, route=OTHER)
    worker.clock.advance(REST_SECONDS)
    slots = [joined(lines, worker).pacer.take([TWO, OTHER]) for _slot in range(6)]
    probes = [slot for slot in slots if slot.probe]
    assert [slot.route for slot in probes] == [OTHER]
    others = [slot for slot in slots if not slot.probe]
    assert {slot.route for slot in others} == {TWO}
    worker.pacer.answered(probes[0])
    again = [joined(lines, worker).pacer.take([TWO, OTHER]) for _slot in range(30)]
    assert {slot.route for slot in again} == {TWO, OTHER}, "both add up again"


def test_where_all_routes_are_out_of_order_the_nearest_retry_is_told() -> None:
    lines = MemoryLines()
    worker = failing(lines, route=TWO)
    lines._lines[OTHER.name] = Line(failures=6, retry_us=worker.clock.now_us() + 6 * US)
    assert refusal(worker, TWO, OTHER).retry_after_seconds == pytest.approx(6)
    assert refusal(worker, OTHER, TWO).retry_after_seconds == pytest.approx(6)


class Deaf(MemoryLines):
    """Lines that can be taken from and not be changed."""

    def adapt(self, route: Route, *, seen: Line, wanted: Line) -> bool:
        raise ServiceFailed(f"Updating {route.name} from {seen} to {wanted} did not work.")


def test_a_failure_that_cannot_be_told_to_the_others_is_not_taken_for_an_outage() -> None:
    lines = Deaf()
    worker = Worker(lines)
    for _time in range(9):
        assert worker.pacer.failed(worker.start()) == Line()


def test_a_late_failure_says_how_the_route_is_and_writes_nothing() -> None:
    lines = Deaf()
    worker = Worker(lines)
    slot = worker.start()
    lines._lines[TWO.name] = Line(failures=FAILURES_MAX, retry_us=2 * worker.clock.now_us())
    assert not worker.pacer.failed(slot).in_order


class Busy(MemoryLines):
    """Lines that somebody else adapts each time between a look and a change."""

    others = 3

    def adapt(self, route: Route, *, seen: Line, wanted: Line) -> bool:
        if self.others:
            self.others -= 1
            met = self.read([route])[route.name]
            self._lines[route.name] = Line(next_us=met.next_us, failures=met.failures + 1)
        return super().adapt(route, seen=seen, wanted=wanted)


def test_failures_at_the_same_time_all_count() -> None:
    lines = Busy()
    worker = Worker(lines)
    assert worker.pacer.failed(worker.start()).in_order
    assert line(lines).failures == 4, "three of others and this one"


def test_a_start_of_a_healthy_route_after_another_is_no_probe() -> None:
    worker = Worker(MemoryLines())
    slots: list[Slot] = [worker.start() for _slot in range(3)]
    assert [slot.probe for slot in slots] == [False] * 3


def test_a_probe_that_is_taken_for_a_missed_slot_is_told_as_one() -> None:
    lines = MemoryLines()
    worker = Worker(lines)
    slot = worker.pacer.take([TWO])
    lines._lines[TWO.name] = Line(failures=5, retry_us=worker.clock.now_us() + US)
    worker.clock.advance(2)  # the slot is missed, and the rest is over
    worker.pacer.answered(worker.pacer.wait(slot))
    assert line(lines).in_order


def test_a_probe_that_misses_its_slot_starts_all_the_same() -> None:
    lines = MemoryLines()
    worker = failing(lines)
    worker.clock.advance(REST_SECONDS)
    probe = worker.pacer.take([TWO])
    worker.clock.advance(5)
    assert worker.pacer.wait(probe) == probe


def test_a_refusal_ends_a_row_of_failures() -> None:
    lines = MemoryLines()
    worker = Worker(lines)
    for _time in range(FAILURES_MAX):
        worker.pacer.failed(worker.start())
        worker.pacer.refused(worker.start())
    assert line(lines).in_order
    assert line(lines).failures == 0


def test_a_refusal_of_a_call_that_began_before_tells_nothing_of_a_route_out_of_order() -> None:
    lines = MemoryLines()
    worker = Worker(lines)
    before = worker.pacer.take([TWO])
    for _time in range(FAILURES_MAX):
        worker.pacer.failed(before)
    resting = line(lines)
    worker.pacer.refused(before)
    assert line(lines) == resting


def test_a_refusal_of_a_probe_mends_its_route() -> None:
    lines = MemoryLines()
    worker = failing(lines)
    worker.clock.advance(REST_SECONDS)
    worker.pacer.refused(worker.pacer.wait(worker.pacer.take([TWO])))
    assert line(lines).in_order
