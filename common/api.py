"""What comes in and goes out over HTTP: the API's bodies, and nothing of how they are stored.

Field names are the API's and only ever grow in number. Times are RFC 3339 in UTC.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from common.credits import Balance
from common.jobs import Image, Job, JobStatus
from common.models.spec import ModelSpec
from common.outlook import InLine, Outlook, Underway
from common.users import User

PROMPT_CHARS_MAX = 10_000
"""No model takes more."""

Prompt = Annotated[
    str, Field(json_schema_extra={"minLength": 1, "maxLength": PROMPT_CHARS_MAX, "pattern": r"\S"})
]
"""Its limits are described here and checked where it is known which model is meant: each has a code
of its own."""

NEVER_RETRYABLE = frozenset({"content_refused", "model_rejected", "model_not_served"})
"""Failures that the same request would only meet again."""


class Body(BaseModel):
    """A JSON object of the API."""

    # Built when first read or written: no request needs them all.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class SubmitRequest(Body):
    """An image to make."""

    prompt: Prompt
    negative_prompt: Prompt | None = None
    aspect_ratio: str = "1:1"
    seed: Annotated[int | None, Field(ge=0)] = None
    """None, absent or 0: one is chosen, and the job says which."""
    model: str | None = None
    """None, or absent: the first of `GET /models`."""
    allow_cached: bool = False
    """While the model does not work, an earlier image of yours from the same request will do."""


class ChargeView(Body):
    """Where the job's credits are; their sum is its price."""

    held: int
    settled: int
    released: int


class ImageView(Body):
    """The image, and where to fetch it until `expires_at`."""

    url: str
    expires_at: datetime
    width: int
    height: int
    content_type: str
    bytes: int


class ErrorView(Body):
    """What went wrong, for programs and for people."""

    code: str
    message: str


class QueueView(Body):
    """A queued job's place in its model's line, and when the image is due."""

    position: int
    """1 for the next."""
    eta_seconds: int
    """Until the image is expected to be there."""


class ProgressView(Body):
    """How far a job has come that is generating."""

    percent: int
    """From 0 to 99: reckoned from how long such images take, never 100 before it is there."""
    starts_in_seconds: int
    """Until the model begins, whose starts are paced; 0 once it has."""
    eta_seconds: int
    """Until the image is expected to be there."""


class JobUrls(Body):
    """Paths below the API's address; `cancel` takes a DELETE and is null when it is too late."""

    self: str
    cancel: str | None


class JobView(Body):
    """A job as its owner sees it."""

    job_id: str
    status: JobStatus
    terminal: bool
    """Nothing will change any more; a client may stop asking, whatever the status is called."""
    retryable: bool
    """It ended without an image, and submitting it again may give one."""
    version: int
    """Grows with every change; of two views the higher is the newer."""
    prompt: str
    negative_prompt: str | None
    aspect_ratio: str
    seed: int | None
    model: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    queue: QueueView | None
    """While it is queued; null when nobody knows."""
    progress: ProgressView | None
    """While it is generating; null when nobody knows."""
    cached: bool
    """Whether the image is an earlier one, of the same request; then nothing is charged."""
    charge: ChargeView
    image: ImageView | None
    error: ErrorView | None
    urls: JobUrls


class JobList(Body):
    """Some of the user's jobs, newest first; `next_cursor` is null on the last page."""

    jobs: list[JobView]
    next_cursor: str | None


class SizeView(Body):
    """An aspect ratio and the pixels it gives."""

    aspect_ratio: str
    width: int
    height: int


class ModelView(Body):
    """A model that can be asked for an image."""

    model: str
    title: str
    default: bool
    cost_credits: int
    prompt_chars_max: int
    negative_prompt: bool
    seed_max: int
    sizes: list[SizeView]


class ModelList(Body):
    """What can be generated, the default first."""

    models: list[ModelView]


class BalanceView(Body):
    """Credits that can be spent, and credits set aside for jobs in progress."""

    available: int
    held: int


class MeView(Body):
    """The user who asks."""

    user_id: str
    email: str
    balance: BalanceView
    created_at: datetime


class Health(Body):
    """The service answers."""

    status: str = "ok"


class FieldError(Body):
    """One thing that is wrong with the request."""

    field: str
    message: str


class Problem(Body):
    """An error as RFC 9457 has it, with a `code` that never changes its meaning."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    errors: list[FieldError] | None = None


def job_view(
    job: Job,
    *,
    sign: Callable[..., str],
    outlook: Outlook,
    now: datetime,
    image_url_seconds: int,
) -> JobView:
    """The job for its owner; `sign(key, expires_seconds=…)` makes its image's URL.

    The URL works for at least half of `image_url_seconds`, and two views of the same half say the
    same moment, so that a view can be told from an older one by its version and that moment.
    """
    expires_at = _expiry(now, image_url_seconds)
    held = settled = released = 0
    if job.status is JobStatus.SUCCEEDED and not job.cached:
        settled = job.cost
    elif job.terminal:
        released = job.cost
    else:
        held = job.cost
    path = f"/jobs/{job.job_id}"
    return JobView(
        job_id=job.job_id,
        status=job.status,
        terminal=job.terminal,
        retryable=_retryable(job),
        version=job.version,
        prompt=job.request.prompt,
        negative_prompt=job.request.negative_prompt,
        aspect_ratio=job.request.aspect_ratio,
        seed=job.request.seed,
        model=job.request.model,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        queue=QueueView(position=outlook.position, eta_seconds=_whole(outlook.eta_seconds))
        if isinstance(outlook, InLine)
        else None,
        progress=ProgressView(
            percent=outlook.percent,
            starts_in_seconds=round(outlook.starts_in_seconds),
            eta_seconds=_whole(outlook.eta_seconds),
        )
        if isinstance(outlook, Underway)
        else None,
        cached=job.cached,
        charge=ChargeView(held=held, settled=settled, released=released),
        image=_image_view(job.image, sign, expires_at, now) if job.image else None,
        error=ErrorView(code=job.error.code, message=job.error.message) if job.error else None,
        urls=JobUrls(self=path, cancel=path if job.status is JobStatus.QUEUED else None),
    )


def model_view(spec: ModelSpec, *, default: bool) -> ModelView:
    """The model for those who choose one."""
    return ModelView(
        model=spec.model_id,
        title=spec.title,
        default=default,
        cost_credits=spec.cost_credits,
        prompt_chars_max=spec.prompt_chars_max,
        negative_prompt=spec.negative_prompt,
        seed_max=spec.seed_max,
        sizes=[
            SizeView(aspect_ratio=ratio, width=size.width, height=size.height)
            for ratio, size in spec.sizes.items()
        ],
    )


def balance_view(balance: Balance) -> BalanceView:
    """The balance for its owner."""
    return BalanceView(available=balance.available, held=balance.held)


def me_view(user: User) -> MeView:
    """The user to themselves."""
    return MeView(
        user_id=user.user_id,
        email=user.email,
        balance=balance_view(user.balance),
        created_at=user.created_at,
    )


def _whole(seconds: float) -> int:
    """Whole seconds, at least one: what is due is not there yet."""
    return max(1, round(seconds))


def _image_view(
    image: Image, sign: Callable[..., str], expires_at: datetime, now: datetime
) -> ImageView:
    return ImageView(
        url=sign(image.key, expires_seconds=int((expires_at - now).total_seconds())),
        expires_at=expires_at,
        width=image.width,
        height=image.height,
        content_type=image.content_type,
        bytes=image.size_bytes,
    )


def _expiry(now: datetime, image_url_seconds: int) -> datetime:
    half = max(1, image_url_seconds // 2)
    return datetime.fromtimestamp((int(now.timestamp()) // half + 2) * half, UTC)


def _retryable(job: Job) -> bool:
    if job.status is JobStatus.CANCELED:
        return True
    refused = job.error is not None and job.error.code in NEVER_RETRYABLE
    return job.status is JobStatus.FAILED and not refused
