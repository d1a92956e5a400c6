"""Jobs: what a person asked for, and how far it has come.

    queued ──▶ generating ──▶ succeeded     the image is stored, the hold settled
       ▲           │ ├──────▶ failed        refused, or no retry mends it; the hold is released
       │           │ └──────▶ stalled       attempts used up; the hold is kept
       └───────────┘ requeued: later, or after a transient error
    queued ──▶ canceled                     the hold is released
    queued ──▶ succeeded                    from an earlier image; the hold is released
    stalled ──▶ queued                      redriven by an operator
    stalled ──▶ generating                  redriven in the queue: the message came back
    stalled ──▶ failed                      discarded; the hold is released

Each transition is a pure function from a job to the next version of it. Stores write a job only
over the version before it, so of two rivals one wins and the other reads again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from common.errors import Conflict


class JobStatus(StrEnum):
    """Where a job is; the values are the API's and never change."""

    QUEUED = "queued"
    """Paid for by a hold, waiting for a worker."""
    GENERATING = "generating"
    """A worker has it, until its lease expires."""
    SUCCEEDED = "succeeded"
    """The image is stored and the hold settled."""
    FAILED = "failed"
    """There will be no image; the hold is released."""
    CANCELED = "canceled"
    """Withdrawn before a worker had it; the hold is released."""
    STALLED = "stalled"
    """Attempts used up; the message is in the dead-letter queue, the hold is kept."""


Place = tuple[datetime, str]
"""Where a job is in its model's line: by when it was submitted, then by its id."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The places of a model's queued jobs, in order; `complete` unless there are too many."""

    places: tuple[Place, ...]
    complete: bool = True


TERMINAL = frozenset({JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELED})

LOOK_SECONDS = 300
"""After this the sweep looks at a job that is still queued: it may have no message …"""
LOOK_SECONDS_MAX = 3600
"""… and again whenever it has waited as long again, but at least so often."""
SOON_SECONDS = 30
"""When to look again at one that could not be sent."""
LAPSED_SECONDS = 60
"""How long after its lease a job is looked at: its message has had its time to come back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """What to draw, already checked against the model's limits."""

    prompt: str
    model: str
    aspect_ratio: str
    negative_prompt: str | None = None
    seed: int | None = None
    """None lets the model choose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A stored image; `key` is its place in the bucket."""

    key: str
    width: int
    height: int
    content_type: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobError:
    """Why a job failed or stalled, or what the last attempt ran into."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One image that somebody asked for; `version` grows by one with each change."""

    job_id: str
    user_id: str
    request: ImageRequest
    fingerprint: str
    """SHA-256 of the request: tells a repeated submit from another one with the same key."""
    cost: int
    """Credits held for it."""
    created_at: datetime
    status: JobStatus = JobStatus.QUEUED
    version: int = 1
    attempts: int = 0
    """Attempts spent since the submit or the last redrive."""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    starts_at: datetime | None = None
    """When the model's first call of this attempt starts: the slot that a worker has for it."""
    not_before: datetime | None = None
    """Until when it rests after an attempt that failed, if it does."""
    lease_id: str | None = None
    """Whose turn it is: the worker that claimed it last."""
    lease_expires_at: datetime | None = None
    stalled_message_id: str | None = None
    """The message whose delivery used up the attempts: it goes to the dead-letter queue."""
    stalled_at: datetime | None = None
    """When that was; a message sent later is a redrive."""
    failed_starts: int = 0
    """Calls of the model that failed, since the submit or the last redrive."""
    sendings: int = 1
    """How often it was sent anew; a message of an earlier sending need not wait any more."""
    look_at: datetime | None = None
    """When the sweep is to look at it, if it is still as it is; None: nobody need look."""
    allow_cached: bool = False
    """Whether an earlier image will do while no route of its model is in order."""
    cached: bool = False
    """Whether its image is an earlier job's; then it costs nothing."""
    image: Image | None = None
    error: JobError | None = None

    @property
    def terminal(self) -> bool:
        """Whether nothing will change it any more."""
        return self.status in TERMINAL

    @property
    def at_rest(self) -> bool:
        """Whether it waits for nothing but, if it is stalled, an operator."""
        return self.terminal or self.status is JobStatus.STALLED


class LeaseHeld(Exception):
    """Another worker has the job; look again after `expires_at`."""

    def __init__(self, expires_at: datetime) -> None:
        super().__init__(f"leased until {expires_at.isoformat()}")
        self.expires_at = expires_at


class NotClaimable(Exception):
    """The job is over, or stalled and this message is no redrive."""


def job_id_for(user_id: str, idempotency_key: str) -> str:
    """The job id that a user's key stands for, always the same: `job_` and 32 hex digits.

    The lengths are written before the parts, so no two pairs can read alike.
    """
    parts = f"{len(user_id)}:{user_id}{len(idempotency_key)}:{idempotency_key}"
    return "job_" + hashlib.sha256(parts.encode()).hexdigest()[:32]


def seed_for(job_id: str, seed_max: int) -> int:
    """A seed of the job's own, never 0: models read that as none, and some then use a fixed one.

    Every attempt draws the same image, and the owner can see which seed made it.
    """
    digest = hashlib.sha256(job_id.encode()).digest()
    return 1 + int.from_bytes(digest[:8], "big") % seed_max


def image_key(job: Job) -> str:
    """Where the job's image is stored; derived, so storing it twice is harmless."""
    return f"images/{job.user_id}/{job.job_id}.png"


def claim(job: Job, *, lease_id: str, sent_at: datetime, now: datetime, lease_seconds: int) -> Job:
    """Take the job for one attempt, for a message that was sent at `sent_at`.

    A message that was sent after the job stalled is a redrive; one that was sent before is a
    straggler and changes nothing. Raises LeaseHeld while another worker has the job, and
    NotClaimable where nothing is left to do.
    """
    redriven = job.stalled_at is not None and sent_at > job.stalled_at
    if job.status is JobStatus.GENERATING:
        assert job.lease_expires_at is not None
        if job.lease_expires_at > now:
            raise LeaseHeld(job.lease_expires_at)
    elif job.status is not JobStatus.QUEUED and not redriven:
        raise NotClaimable(f"{job.job_id} is {job.status}")
    return replace(
        job,
        status=JobStatus.GENERATING,
        version=job.version + 1,
        attempts=1 if redriven else job.attempts + 1,
        failed_starts=0 if redriven else job.failed_starts,
        started_at=job.started_at or now,
        starts_at=None,
        not_before=None,
        lease_id=lease_id,
        lease_expires_at=now + timedelta(seconds=lease_seconds),
        stalled_message_id=None,
        stalled_at=None,
        look_at=now + timedelta(seconds=lease_seconds + LAPSED_SECONDS),
    )


def requeue(
    job: Job,
    *,
    attempt_spent: bool,
    now: datetime,
    rest_seconds: float,
    anew: bool = False,
    error: JobError | None = None,
) -> Job:
    """Give a claimed job back to rest; an attempt that says nothing of it is not spent.

    `anew`: a new message is sent for it, and whatever other ones there are need not wait any more.
    """
    return _leave(
        job,
        JobStatus.GENERATING,
        JobStatus.QUEUED,
        attempts=job.attempts if attempt_spent else job.attempts - 1,
        sendings=job.sendings + anew,
        not_before=now + timedelta(seconds=rest_seconds),
        look_at=now + timedelta(seconds=LOOK_SECONDS),
        error=error or job.error,
    )


def succeed(job: Job, *, image: Image, now: datetime) -> Job:
    """End a claimed job whose image is stored."""
    return _leave(
        job,
        JobStatus.GENERATING,
        JobStatus.SUCCEEDED,
        image=image,
        error=None,
        finished_at=now,
    )


def recall(job: Job, *, earlier: Job, now: datetime) -> Job:
    """End a queued job with the image of an earlier one, and the seed that made it."""
    return _leave(
        job,
        JobStatus.QUEUED,
        JobStatus.SUCCEEDED,
        request=earlier.request,
        image=earlier.image,
        cached=True,
        error=None,
        finished_at=now,
    )


def fail(job: Job, *, error: JobError, now: datetime) -> Job:
    """End a claimed job that will never have an image."""
    return _leave(job, JobStatus.GENERATING, JobStatus.FAILED, error=error, finished_at=now)


def stall(job: Job, *, error: JobError, message_id: str, now: datetime) -> Job:
    """Set a job aside whose attempts are used up, until an operator decides."""
    return _leave(
        job,
        JobStatus.GENERATING,
        JobStatus.STALLED,
        error=error,
        stalled_message_id=message_id,
        stalled_at=now,
        look_at=now,
    )


def redrive(job: Job, *, now: datetime) -> Job:
    """Give a stalled job all its attempts again. Raises Conflict for any other."""
    require_stalled(job)
    return _leave(
        job,
        JobStatus.STALLED,
        JobStatus.QUEUED,
        attempts=0,
        failed_starts=0,
        sendings=job.sendings + 1,
        look_at=now + timedelta(seconds=LOOK_SECONDS),
    )


def discard(job: Job, *, error: JobError, now: datetime) -> Job:
    """End a stalled job without an image. Raises Conflict for any other."""
    require_stalled(job)
    return _leave(job, JobStatus.STALLED, JobStatus.FAILED, error=error, finished_at=now)


def look_soon(job: Job, *, now: datetime) -> Job:
    """Look again at the next sweep at a job that could not be sent."""
    return replace(job, version=job.version + 1, look_at=now + timedelta(seconds=SOON_SECONDS))


def send_again(job: Job, *, now: datetime) -> Job:
    """Count another sending of a job that may have no message any more, and look again later."""
    waited_seconds = (now - job.created_at).total_seconds()
    later_seconds = min(max(waited_seconds, LOOK_SECONDS), LOOK_SECONDS_MAX)
    return replace(
        job,
        version=job.version + 1,
        sendings=job.sendings + 1,
        look_at=now + timedelta(seconds=later_seconds),
    )


def cancel(job: Job, *, now: datetime) -> Job:
    """Withdraw a queued job; a canceled one stays as it is.

    Raises Conflict once a worker has or had it to the end.
    """
    if job.status is JobStatus.CANCELED:
        return job
    if job.status is not JobStatus.QUEUED:
        raise Conflict(f"A job that is {job.status} cannot be canceled.", code="not_cancelable")
    return _leave(job, JobStatus.QUEUED, JobStatus.CANCELED, finished_at=now)


def require_stalled(job: Job) -> None:
    """Raise Conflict (`not_stalled`) for a job that is not."""
    if job.status is not JobStatus.STALLED:
        raise Conflict(f"{job.job_id} is {job.status}, not stalled.", code="not_stalled")


def _leave(job: Job, before: JobStatus, status: JobStatus, **changes: Any) -> Job:
    """The next version, from `before` to `status`, with nothing left of what only that had."""
    if job.status is not before:
        raise ValueError(f"{job.job_id} is {job.status}, so it cannot become {status}")
    left = {
        "starts_at": None,
        "not_before": None,
        "lease_id": None,
        "lease_expires_at": None,
        "stalled_message_id": None,
        "stalled_at": None,
        "look_at": None,
    }
    return replace(job, status=status, version=job.version + 1, **{**left, **changes})
