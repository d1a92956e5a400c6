from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import jobs
from common.errors import Conflict
from common.jobs import (
    LAPSED_SECONDS,
    LOOK_SECONDS,
    LOOK_SECONDS_MAX,
    TERMINAL,
    Image,
    ImageRequest,
    Job,
    JobError,
    JobStatus,
    LeaseHeld,
    NotClaimable,
    job_id_for,
)

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(seconds=10)
LEASE_SECONDS = 130
ERROR = JobError(code="model_failed", message="It broke.")
IMAGE = Image(key="images/a/b.png", width=1, height=1, content_type="image/png", size_bytes=9)

QUEUED = Job(
    job_id="job_1",
    user_id="usr_ann",
    request=ImageRequest(prompt="a cat", model="core", aspect_ratio="1:1"),
    fingerprint="f" * 64,
    cost=2,
    created_at=NOW,
    look_at=NOW + timedelta(seconds=LOOK_SECONDS),
)
GENERATING = replace(
    QUEUED,
    status=JobStatus.GENERATING,
    version=2,
    attempts=1,
    started_at=NOW,
    starts_at=NOW,
    lease_id="lease-1",
    lease_expires_at=NOW + timedelta(seconds=LEASE_SECONDS),
    look_at=NOW + timedelta(seconds=LEASE_SECONDS + LAPSED_SECONDS),
)
JOBS = {
    JobStatus.QUEUED: QUEUED,
    JobStatus.GENERATING: GENERATING,
    JobStatus.SUCCEEDED: jobs.succeed(GENERATING, image=IMAGE, now=NOW),
    JobStatus.FAILED: jobs.fail(GENERATING, error=ERROR, now=NOW),
    JobStatus.CANCELED: jobs.cancel(QUEUED, now=NOW),
    JobStatus.STALLED: jobs.stall(GENERATING, error=ERROR, message_id="message-1", now=NOW),
}


def claimed(
    job: Job, *, sent_at: datetime = NOW, lease_id: str = "lease-2", now: datetime = LATER
) -> Job:
    return jobs.claim(job, lease_id=lease_id, sent_at=sent_at, now=now, lease_seconds=LEASE_SECONDS)


EARLIER = replace(JOBS[JobStatus.SUCCEEDED], job_id="job_0")
TRANSITIONS: dict[str, tuple[Callable[[Job], Job], JobStatus]] = {
    "claim": (claimed, JobStatus.GENERATING),
    "claim by a redrive": (lambda job: claimed(job, sent_at=LATER), JobStatus.GENERATING),
    "claim after the lease": (
        lambda job: claimed(job, now=NOW + timedelta(seconds=LEASE_SECONDS)),
        JobStatus.GENERATING,
    ),
    "requeue": (
        lambda job: jobs.requeue(job, attempt_spent=True, now=NOW, rest_seconds=5),
        JobStatus.QUEUED,
    ),
    "requeue unspent": (
        lambda job: jobs.requeue(job, attempt_spent=False, now=NOW, rest_seconds=5),
        JobStatus.QUEUED,
    ),
    "succeed": (lambda job: jobs.succeed(job, image=IMAGE, now=LATER), JobStatus.SUCCEEDED),
    "fail": (lambda job: jobs.fail(job, error=ERROR, now=LATER), JobStatus.FAILED),
    "stall": (lambda job: jobs.stall(job, error=ERROR, message_id="m", now=NOW), JobStatus.STALLED),
    "cancel": (lambda job: jobs.cancel(job, now=LATER), JobStatus.CANCELED),
    "recall": (lambda job: jobs.recall(job, earlier=EARLIER, now=LATER), JobStatus.SUCCEEDED),
    "redrive": (lambda job: jobs.redrive(job, now=LATER), JobStatus.QUEUED),
    "discard": (lambda job: jobs.discard(job, error=ERROR, now=LATER), JobStatus.FAILED),
}
WORKING = {"requeue", "requeue unspent", "succeed", "fail", "stall"}
LEGAL: dict[JobStatus, set[str]] = {
    JobStatus.QUEUED: {"claim", "claim by a redrive", "claim after the lease", "cancel", "recall"},
    JobStatus.GENERATING: {*WORKING, "claim after the lease"},
    JobStatus.STALLED: {"claim by a redrive", "redrive", "discard"},
    JobStatus.SUCCEEDED: set(),
    JobStatus.FAILED: set(),
    JobStatus.CANCELED: set(),
}


@pytest.mark.parametrize("status", JobStatus)
@pytest.mark.parametrize("name", TRANSITIONS)
def test_a_transition_leads_where_it_says_or_is_refused(status: JobStatus, name: str) -> None:
    move, target = TRANSITIONS[name]
    job = JOBS[status]
    if name in LEGAL[status]:
        after = move(job)
        assert after.status is target
        assert after.version == job.version + 1
        assert (after.lease_id is None) is (after.status is not JobStatus.GENERATING)
        assert (after.lease_expires_at is None) is (after.lease_id is None)
        assert after.starts_at is None, "whoever claims it has a slot of their own for it"
        assert (after.finished_at is not None) is after.terminal
        assert (after.look_at is None) is after.terminal, "until it is over, somebody looks"
        assert after.cached is (name == "recall")
        assert after.created_at == job.created_at
        assert (after.job_id, after.user_id, after.request) == ("job_1", "usr_ann", job.request)
    elif (name, status) == ("cancel", JobStatus.CANCELED):
        assert move(job) is job, "canceling twice changes nothing"
    else:
        with pytest.raises((ValueError, Conflict, LeaseHeld, NotClaimable)):
            move(job)


def test_every_status_is_terminal_or_has_a_way_out() -> None:
    assert {status for status in JobStatus if LEGAL[status]} == set(JobStatus) - TERMINAL
    for status, job in JOBS.items():
        assert job.terminal is (status in TERMINAL)


def test_the_statuses_are_the_apis() -> None:
    expected = ["queued", "generating", "succeeded", "failed", "canceled", "stalled"]
    assert [str(status) for status in JobStatus] == expected


def test_a_claim_counts_the_attempt_and_leases_the_job() -> None:
    job = claimed(QUEUED)
    assert (job.attempts, job.lease_id, job.started_at) == (1, "lease-2", LATER)
    assert job.lease_expires_at == LATER + timedelta(seconds=LEASE_SECONDS)


def test_a_later_attempt_keeps_when_the_first_began() -> None:
    again = claimed(
        jobs.requeue(claimed(QUEUED, now=NOW), attempt_spent=True, now=NOW, rest_seconds=5)
    )
    assert (again.attempts, again.started_at) == (2, NOW)


def test_a_leased_job_says_when_to_look_again() -> None:
    with pytest.raises(LeaseHeld) as held:
        claimed(GENERATING)
    assert held.value.expires_at == GENERATING.lease_expires_at


def test_a_lease_is_kept_to_its_last_moment() -> None:
    assert GENERATING.lease_expires_at is not None
    with pytest.raises(LeaseHeld):
        claimed(GENERATING, now=GENERATING.lease_expires_at - timedelta(microseconds=1))


def test_a_lapsed_lease_gives_the_next_attempt_to_another() -> None:
    job = claimed(GENERATING, now=NOW + timedelta(seconds=LEASE_SECONDS))
    assert (job.attempts, job.lease_id) == (2, "lease-2")


def test_only_a_message_sent_after_the_stall_redrives_a_job() -> None:
    stalled = replace(JOBS[JobStatus.STALLED], failed_starts=3)
    for sent_at in (NOW - timedelta(seconds=1), NOW):
        with pytest.raises(NotClaimable):
            claimed(stalled, sent_at=sent_at)
    redriven = claimed(stalled, sent_at=NOW + timedelta(milliseconds=1))
    assert (redriven.attempts, redriven.failed_starts) == (1, 0)
    assert (redriven.stalled_message_id, redriven.stalled_at) == (None, None)


def test_an_attempt_that_was_not_spent_is_given_back() -> None:
    assert jobs.requeue(GENERATING, attempt_spent=False, now=NOW, rest_seconds=5).attempts == 0
    assert jobs.requeue(GENERATING, attempt_spent=True, now=NOW, rest_seconds=5).attempts == 1


def test_a_job_rests_until_it_is_claimed_again() -> None:
    resting = jobs.requeue(GENERATING, attempt_spent=True, now=NOW, rest_seconds=5)
    assert resting.not_before == NOW + timedelta(seconds=5)
    assert claimed(resting).not_before is None


def test_a_requeue_keeps_the_last_known_error() -> None:
    first = jobs.requeue(GENERATING, attempt_spent=True, now=NOW, rest_seconds=5, error=ERROR)
    assert first.error == ERROR
    assert jobs.requeue(claimed(first), attempt_spent=False, now=NOW, rest_seconds=5).error == ERROR


def test_success_forgets_the_errors_on_the_way() -> None:
    job = claimed(
        jobs.requeue(GENERATING, attempt_spent=True, now=NOW, rest_seconds=5, error=ERROR)
    )
    done = jobs.succeed(job, image=IMAGE, now=LATER)
    assert (done.error, done.image, done.finished_at) == (None, IMAGE, LATER)


def test_an_earlier_image_comes_with_the_request_that_made_it() -> None:
    earlier = replace(EARLIER, request=replace(EARLIER.request, seed=7))
    recalled = jobs.recall(replace(QUEUED, error=ERROR), earlier=earlier, now=LATER)
    assert (recalled.image, recalled.request) == (earlier.image, earlier.request)
    assert (recalled.cached, recalled.error, recalled.finished_at) == (True, None, LATER)


def test_a_redrive_has_all_its_attempts_and_keeps_what_went_wrong() -> None:
    redriven = jobs.redrive(JOBS[JobStatus.STALLED], now=LATER)
    assert (redriven.attempts, redriven.error) == (0, ERROR)
    assert claimed(redriven).attempts == 1


@pytest.mark.parametrize("status", [status for status in JobStatus if status != "stalled"])
def test_only_a_stalled_job_can_be_decided_about(status: JobStatus) -> None:
    for decide in ("redrive", "discard"):
        with pytest.raises(Conflict, match=status) as refused:
            TRANSITIONS[decide][0](JOBS[status])
        assert refused.value.code == "not_stalled"


def test_a_job_is_looked_at_when_its_time_is_up() -> None:
    """A queued one 5 minutes after it was queued, a leased one a minute after its lease."""
    taken = claimed(QUEUED)
    assert taken.lease_expires_at is not None
    assert taken.look_at == taken.lease_expires_at + timedelta(seconds=LAPSED_SECONDS)
    soon = LATER + timedelta(seconds=LOOK_SECONDS)
    assert jobs.requeue(GENERATING, attempt_spent=True, now=LATER, rest_seconds=5).look_at == soon
    assert jobs.redrive(JOBS[JobStatus.STALLED], now=LATER).look_at == soon
    stalled = jobs.stall(GENERATING, error=ERROR, message_id="m", now=LATER)
    assert stalled.look_at == stalled.stalled_at == LATER


@pytest.mark.parametrize(
    ("waited", "later"),
    [
        (0, LOOK_SECONDS),
        (LOOK_SECONDS, LOOK_SECONDS),
        (700, 700),
        (LOOK_SECONDS_MAX, LOOK_SECONDS_MAX),
        (7 * 24 * 3600, LOOK_SECONDS_MAX),
    ],
)
@pytest.mark.parametrize("status", [JobStatus.QUEUED, JobStatus.GENERATING])
def test_a_job_that_is_sent_again_is_looked_at_when_it_has_waited_as_long_again(
    status: JobStatus, waited: float, later: float
) -> None:
    job = JOBS[status]
    now = job.created_at + timedelta(seconds=waited)
    assert jobs.send_again(job, now=now) == replace(
        job,
        version=job.version + 1,
        sendings=job.sendings + 1,
        look_at=now + timedelta(seconds=later),
    ), "nothing else is changed"


def test_a_cancel_that_comes_too_late_says_why() -> None:
    with pytest.raises(Conflict, match="generating") as refused:
        jobs.cancel(GENERATING, now=NOW)
    assert refused.value.code == "not_cancelable"


def test_an_image_lies_under_its_owner_and_job() -> None:
    assert jobs.image_key(QUEUED) == "images/usr_ann/job_1.png"


def test_a_users_key_stands_for_one_job_id_for_ever() -> None:
    """Pinned: another id for an old key would make a repeated submit a second job."""
    assert job_id_for("usr_ann", "key-1") == "job_5e247afc3034f9f6653987e996f3283d"


texts = st.text(max_size=12)


@given(texts, texts, texts, texts)
def test_no_two_users_keys_share_a_job_id(
    user: str, key: str, other_user: str, other_key: str
) -> None:
    job_id = job_id_for(user, key)
    assert re.fullmatch(r"job_[0-9a-f]{32}", job_id)
    assert (job_id == job_id_for(other_user, other_key)) is ((user, key) == (other_user, other_key))


def test_no_two_users_keys_that_read_alike_share_a_job_id() -> None:
    assert len({job_id_for("ab", "c"), job_id_for("a", "bc"), job_id_for("abc", "")}) == 3
    assert job_id_for("u", "1:ab") != job_id_for("u1:a", "b")


@given(st.lists(st.sampled_from(sorted(TRANSITIONS)), max_size=30))
def test_whatever_is_tried_a_job_stays_whole(names: list[str]) -> None:
    job, ended = QUEUED, False
    for name in names:
        try:
            after = TRANSITIONS[name][0](job)
        except (ValueError, Conflict, LeaseHeld, NotClaimable):
            continue
        assert after == job or not ended, "a terminal job never changes"
        assert after.version - job.version in (0, 1)
        assert after.attempts >= 0
        assert after.attempts > 0 or after.status is not JobStatus.GENERATING
        assert (after.image is not None) is (after.status is JobStatus.SUCCEEDED)
        assert (after.stalled_message_id is not None) is (after.status is JobStatus.STALLED)
        assert (after.stalled_at is not None) is (after.status is JobStatus.STALLED)
        assert (after.look_at is None) is after.terminal
        job, ended = after, after.terminal
