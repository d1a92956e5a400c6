"""Slots that are not used: a probe's is told, any other one's is not."""

from __future__ import annotations

from common.lines import FAILURES_MAX
from tests.fakes import MemoryLines
from tests.unit.test_pacing import TWO, Worker, line
from tests.unit.test_pacing_out_of_order import REST_SECONDS, Deaf, failing, joined


def test_a_probe_that_is_given_back_lets_another_try_at_once() -> None:
    lines = MemoryLines()
    worker = failing(lines)
    worker.clock.advance(REST_SECONDS)
    worker.pacer.give_back(worker.pacer.take([TWO]))
    assert not line(lines).probing
    assert joined(lines, worker).pacer.take([TWO]).probe


def test_a_probe_that_is_given_back_too_late_changes_nothing() -> None:
    lines = MemoryLines()
    worker = failing(lines)
    worker.clock.advance(REST_SECONDS)
    probe = worker.pacer.take([TWO])
    worker.pacer.failed(probe)
    resting = line(lines)
    worker.pacer.give_back(probe)
    assert line(lines) == resting


def test_an_earlier_slot_that_is_given_back_leaves_a_probe_alone() -> None:
    lines = MemoryLines()
    worker = Worker(lines)
    before = worker.pacer.take([TWO])
    for _time in range(FAILURES_MAX):
        worker.pacer.failed(before)
    worker.clock.advance(REST_SECONDS)
    assert worker.pacer.take([TWO]).probe
    worker.pacer.give_back(before)
    assert line(lines).probing


def test_any_other_slot_that_is_given_back_tells_nobody_anything() -> None:
    lines = Deaf()
    worker = Worker(lines)
    worker.pacer.give_back(worker.pacer.take([TWO]))
    assert line(lines).in_order
