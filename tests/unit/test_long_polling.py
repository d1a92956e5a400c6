"""Long polling: it ends with the job, or with the patience of whoever waits."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import ServiceFailed
from common.jobs import TERMINAL, Job, JobStatus
from common.long_polling import LOOK_SECONDS, WAIT_SECONDS_MAX, wait_for_end
from tests.fakes import ManualClock
from tests.unit.test_jobs import GENERATING, JOBS, QUEUED


class Story:
    """A job that changes as time goes by."""

    def __init__(self, clock: ManualClock, *chapters: tuple[float, Job]) -> None:
        """Each chapter begins so many seconds from now."""
        self._clock = clock
        self._began = clock()
        self._chapters = chapters
        self.looks = 0
        self.outage = False

    def get(self, job_id: str) -> Job | None:
        self.looks += 1
        if self.outage:
            raise ServiceFailed("Reading a job did not work.")
        gone = (self._clock() - self._began).total_seconds()
        told = [job for begins, job in self._chapters if begins <= gone]
        assert all(job.job_id == job_id for job in told)
        return told[-1] if told else None


def waited(story: Story, clock: ManualClock, seconds: int, job: Job = QUEUED) -> Job:
    return wait_for_end(
        job, asked_at=clock(), seconds=seconds, jobs=story, now=clock, sleep=clock.sleep
    )


def test_what_was_spent_before_is_part_of_the_wait() -> None:
    clock = ManualClock()
    asked_at = clock()
    clock.advance(15)
    story = Story(clock, (0, QUEUED))
    wait_for_end(QUEUED, asked_at=asked_at, seconds=20, jobs=story, now=clock, sleep=clock.sleep)
    assert sum(clock.slept) == pytest.approx(5)


def test_a_stalled_job_is_not_waited_for() -> None:
    clock = ManualClock()
    story = Story(clock, (0, QUEUED), (2, JOBS[JobStatus.STALLED]))
    assert waited(story, clock, 20) == JOBS[JobStatus.STALLED]
    assert sum(clock.slept) == pytest.approx(2)


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_a_job_that_ends_is_told_at_once(status: JobStatus) -> None:
    clock = ManualClock()
    story = Story(clock, (0, QUEUED), (1, GENERATING), (3.1, JOBS[status]))
    assert waited(story, clock, 20) == JOBS[status]
    assert 3.1 <= sum(clock.slept) < 3.1 + LOOK_SECONDS


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_a_job_that_is_over_is_not_waited_for(status: JobStatus) -> None:
    clock = ManualClock()
    story = Story(clock)
    assert waited(story, clock, 20, JOBS[status]) == JOBS[status]
    assert (story.looks, clock.slept) == (0, [])


def test_a_job_that_does_not_end_is_told_as_it_is_then() -> None:
    clock = ManualClock()
    story = Story(clock, (0, QUEUED), (4.9, GENERATING), (5.2, JOBS[JobStatus.SUCCEEDED]))
    assert waited(story, clock, 5) == GENERATING
    assert sum(clock.slept) == pytest.approx(5)


def test_who_does_not_want_to_wait_does_not() -> None:
    clock = ManualClock()
    story = Story(clock, (0, JOBS[JobStatus.SUCCEEDED]))
    assert waited(story, clock, 0) == QUEUED
    assert (story.looks, clock.slept) == (0, [])


@given(st.integers(0, WAIT_SECONDS_MAX), st.floats(0, 0.7))
def test_nobody_sleeps_past_the_deadline(seconds: int, slow: float) -> None:
    clock = ManualClock()
    began = clock()

    class Slow(Story):
        def get(self, job_id: str) -> Job | None:
            clock.advance(slow)
            return super().get(job_id)

    story = Slow(clock, (0, QUEUED))
    waited(story, clock, seconds)
    assert all(0 < nap <= LOOK_SECONDS for nap in clock.slept)
    assert seconds <= (clock() - began).total_seconds() <= seconds + slow + 1e-6
    assert story.looks <= WAIT_SECONDS_MAX / LOOK_SECONDS


def test_a_job_that_cannot_be_found_any_more_is_told_as_it_was() -> None:
    clock = ManualClock()
    seen = replace(QUEUED, version=7)
    assert waited(Story(clock), clock, 1, seen) == seen


def test_a_look_that_fails_is_no_reason_to_fail_whoever_waits() -> None:
    """A submit that has succeeded would be answered 503, and submitted again."""
    clock = ManualClock()
    story = Story(clock, (0, QUEUED))
    story.outage = True
    assert waited(story, clock, 1) == QUEUED
