"""How many calls a sweep makes for the jobs that it looks after; see `tests.handlers.wired`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from common import jobs as lifecycle
from common.jobs import LOOK_SECONDS, Job, JobError, JobStatus, image_key
from common.services.sweep import SweepServices
from common.wall_clock import utc_now
from common.wiring import submit as submit_wiring
from common.wiring import sweep as sweep_wiring
from common.wiring import worker as worker_wiring
from functions.sweep import handler as sweep
from tests.handlers.calls import Context, event
from tests.handlers.wired import call

MODELS_CALLS = ["BatchGetItem"]
"""How the routes are."""
JOBS_CALLS = [
    "Query",  # who waits too long
    "Query",  # whose lease has lapsed
    "Query",  # who is stalled for too long
    "Query",  # how many are stalled
]
"""What a sweep of nothing asks of the Jobs table."""
LEASE_SECONDS = 130
WEEK = timedelta(days=7)


@pytest.fixture
def job(user_id: str, calls: list[str]) -> Job:
    """A job that was submitted."""
    job_id = json.loads(call("post_jobs", user_id)["body"])["job_id"]
    submitted = submit_wiring.services().jobs.get(job_id)
    assert submitted is not None
    calls.clear()
    return submitted


def swept(
    monkeypatch: pytest.MonkeyPatch, calls: list[str], *, after: timedelta = timedelta()
) -> Mapping[str, int]:
    """What the handler answers so much later; the calls before it are forgotten."""
    calls.clear()
    wired: SweepServices = replace(sweep_wiring.services(), now=lambda: utc_now() + after)
    monkeypatch.setattr(sweep, "services", lambda: wired)
    answer: Mapping[str, int] = sweep.handler(event("sweep"), Context(seconds_left=55))
    return answer


def claimed(job: Job) -> Job:
    """The job, leased to a worker that died."""
    taken = lifecycle.claim(
        job, lease_id="lease", sent_at=utc_now(), now=utc_now(), lease_seconds=LEASE_SECONDS
    )
    worker_wiring.services().jobs.save(taken)
    return taken


def stalled(job: Job) -> Job:
    aside = lifecycle.stall(
        claimed(job),
        error=JobError(code="model_failed", message="It broke."),
        message_id="message",
        now=utc_now(),
    )
    worker_wiring.services().jobs.save(aside)
    return aside


def stored(job: Job) -> Job:
    """The job as the sweep left it."""
    found = sweep_wiring.services().jobs.get(job.job_id)
    assert found is not None
    return found


def test_a_sweep_with_nothing_to_do_is_a_look_each(
    calls: list[str], job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert set(swept(monkeypatch, calls).values()) == {0}
    assert calls == [*MODELS_CALLS, *JOBS_CALLS, "Query"]
    assert stored(job) == job


def test_a_job_that_waits_too_long_is_three_calls_more(
    calls: list[str], job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = timedelta(seconds=LOOK_SECONDS)
    assert swept(monkeypatch, calls, after=later)["sent_again"] == 1
    each = ["GetItem", "PutItem", "SendMessage"]
    assert calls == [*MODELS_CALLS, JOBS_CALLS[0], *each, *JOBS_CALLS[1:], "Query"]
    assert stored(job).version == job.version + 1


def test_a_job_whose_lease_lapsed_is_three_calls_more(
    calls: list[str], job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed(job)
    later = timedelta(seconds=LEASE_SECONDS + 61)
    assert swept(monkeypatch, calls, after=later)["lapsed"] == 1
    each = ["GetItem", "PutItem", "SendMessage"]
    assert calls == [*MODELS_CALLS, *JOBS_CALLS[:2], *each, *JOBS_CALLS[2:], "Query"]


def test_a_job_that_is_given_up_is_four_calls_more(
    calls: list[str], job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    stalled(job)
    assert swept(monkeypatch, calls, after=WEEK)["given_up"] == 1
    each = ["GetItem", "GetItem", "HeadObject", "TransactWriteItems"]
    assert calls == [*MODELS_CALLS, *JOBS_CALLS[:3], *each, JOBS_CALLS[3], "Query"]
    assert stored(job).status is JobStatus.FAILED


def test_a_stalled_job_whose_image_is_stored_is_redriven_in_six_calls_more(
    calls: list[str], job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    stalled(job)
    worker_wiring.services().images.put(image_key(job), b"an image", width=1, height=1)
    assert swept(monkeypatch, calls, after=WEEK)["given_up"] == 1
    each = ["GetItem", "GetItem", "HeadObject", "GetItem", "TransactWriteItems", "SendMessage"]
    assert calls == [*MODELS_CALLS, *JOBS_CALLS[:3], *each, JOBS_CALLS[3], "Query"]
    assert stored(job).status is JobStatus.QUEUED
