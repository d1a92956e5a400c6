"""How often a forecaster reads, and how long what it read is good for."""

from __future__ import annotations

import pytest

from common.jobs import Waiting
from common.outlook import FRESH_SECONDS
from tests.unit.test_outlook import Here, a_job, started


def test_what_was_read_serves_a_crowd_for_a_quarter_of_a_second() -> None:
    first, second = a_job("a", 1), a_job("b", 2)
    here = Here(first, second)
    here.clock.advance(3)
    for _look in range(5):
        assert here.in_line(second).position == 2
        here.in_line(first)
        here.clock.advance(FRESH_SECONDS / 6)
    assert here.waiting.asked == ["core"]
    here.waiting.jobs.remove(first)
    assert here.in_line(second).position == 2
    here.clock.advance(FRESH_SECONDS / 6 + 0.001)
    assert here.in_line(second).position == 1
    assert here.waiting.asked == ["core", "core"]


def test_a_read_that_is_slow_serves_as_long_as_a_quick_one() -> None:
    job = a_job("a")
    here = Here(job)
    here.clock.advance(1)
    read = here.waiting.waiting

    def slowly(model: str) -> Waiting:
        here.clock.advance(2 * FRESH_SECONDS)
        return read(model)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(here.waiting, "waiting", slowly)
        here.in_line(job)
        here.in_line(job)
    assert here.waiting.asked == ["core"]


def test_a_job_that_came_after_a_read_is_read_for() -> None:
    first, second = a_job("a", 1), a_job("b", 2)
    here = Here(first, second)
    here.clock.advance(2)
    here.in_line(first)
    here.waiting.jobs.insert(1, a_job("c", 1.9))
    assert here.in_line(second).position == 3, "it was submitted at the very moment of the read"


def test_what_was_read_of_one_model_says_nothing_of_another() -> None:
    here = Here(a_job("a", 1), a_job("b", 2))
    other = a_job("c", 3, model="titan")
    assert here.in_line(a_job("b", 2)).position == 2
    assert here.in_line(other).position == 1
    assert here.waiting.asked == ["core", "titan"]


def test_a_clock_that_was_set_back_reads_again() -> None:
    job = a_job("a")
    here = Here(job)
    here.in_line(job)
    here.clock.advance(-60)
    here.in_line(job)
    assert here.waiting.asked == ["core", "core"]


def test_a_time_that_was_read_before_is_told_as_of_now() -> None:
    job = started(a_job("a"), 0)
    here = Here(job)
    before = here.underway(job).eta_seconds
    here.clock.advance(FRESH_SECONDS / 2)
    assert here.underway(job).eta_seconds < before


def test_behind_the_longest_line_that_is_read_nobody_knows() -> None:
    known, behind = a_job("a", 1), a_job("b", 2)
    here = Here(known)
    here.waiting.complete = False
    assert here.in_line(known).position == 1
    assert here.told(behind) is None
