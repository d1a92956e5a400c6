"""Submit a job: two AWS calls, the transaction that holds its credits and the message."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from common import credits as ledger
from common import jobs as lifecycle
from common.api import SubmitRequest
from common.errors import InvalidRequest, KeyReused, ServiceFailed, StaleWrite
from common.jobs import LOOK_SECONDS, ImageRequest, Job, JobStatus, job_id_for, seed_for
from common.models.catalogue import find
from common.models.spec import ModelSpec
from common.observability import logger
from common.routes import Route

if TYPE_CHECKING:
    from common.ports import JobOpener, JobQueue

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""Control characters but tab and line breaks: nobody types them, and JSON makes six of each."""


def submit_job(
    request: SubmitRequest,
    *,
    user_id: str,
    key: str,
    jobs: JobOpener,
    queue: JobQueue,
    routes: Sequence[Route],
    active_jobs_max: int,
    now: datetime,
) -> Job:
    """Open the job that the user's key stands for and enqueue it; the same again is the same job.

    Raises InvalidRequest, InsufficientCredits, TooManyActiveJobs, or KeyReused when the key came
    with another request before; then nothing has changed.
    """
    job_id = job_id_for(user_id, key)
    fingerprint = _fingerprint(request)
    try:
        spec = _model_of(request, routes)
        image_request = _checked(request, spec, seed=seed_for(job_id, spec.seed_max))
    except InvalidRequest:
        # What was fine at the first submit is that job for ever, whatever models there are now.
        there = jobs.get(job_id)
        if there is None:
            raise
        job, wanted = there, None
    else:
        wanted = Job(
            job_id=job_id,
            user_id=user_id,
            request=image_request,
            fingerprint=fingerprint,
            cost=spec.cost_credits,
            created_at=now,
            look_at=now + timedelta(seconds=LOOK_SECONDS),
            allow_cached=request.allow_cached,
        )
        job = jobs.open(wanted, ledger.hold(wanted), active_jobs_max=active_jobs_max)
    if job.fingerprint != fingerprint:
        raise KeyReused("This Idempotency-Key was used before, with another request.")
    if job is wanted:
        _send(job, queue)
    elif job.status is JobStatus.QUEUED and job.version == 1:
        return _send_again(job, jobs=jobs, queue=queue, now=now)
    return job


def _send_again(job: Job, *, jobs: JobOpener, queue: JobQueue, now: datetime) -> Job:
    """Send a job of an earlier submit, which may have died before it could; but only once.

    After that it is the sweep's: who repeats a submit a thousand times has one job waiting.
    """
    again = lifecycle.send_again(job, now=now)
    try:
        jobs.save(again)
    except StaleWrite:
        return jobs.get(job.job_id) or job  # somebody has just seen to it
    except ServiceFailed as error:
        logger.error("a queued job was not sent", job_id=job.job_id, reason=error.message)
        return job
    _send(again, queue)
    return again


def _send(job: Job, queue: JobQueue) -> None:
    """The job is paid for and stays queued, so a failed send is not the user's to know."""
    try:
        queue.send(job.job_id, job.user_id, sending=job.sendings)
    except ServiceFailed as error:
        logger.error("a queued job was not sent", job_id=job.job_id, reason=error.message)


def _model_of(request: SubmitRequest, routes: Sequence[Route]) -> ModelSpec:
    served = list(dict.fromkeys(route.model for route in routes))
    model = request.model if request.model is not None else served[0]
    spec = find(model) if model in served else None
    if spec is None:
        raise InvalidRequest(
            f"There is no model of that name here; there is {', '.join(served)}.",
            code="unknown_model",
        )
    return spec


def _checked(request: SubmitRequest, spec: ModelSpec, *, seed: int) -> ImageRequest:
    """The request within the model's limits, with `seed` where it chose none.

    Raises InvalidRequest, with a code for each limit.
    """
    for name, text in (("prompt", request.prompt), ("negative_prompt", request.negative_prompt)):
        if text is not None and not text.strip():
            raise InvalidRequest(f"{name} is empty.", code=f"{name}_empty")
        if text is not None and _UNPRINTABLE.search(text):
            raise InvalidRequest(f"{name} has control characters.", code=f"{name}_unprintable")
        if text is not None and len(text) > spec.prompt_chars_max:
            raise InvalidRequest(
                f"{spec.title} takes a {name} of at most {spec.prompt_chars_max} characters; "
                f"this has {len(text)}.",
                code=f"{name}_too_long",
            )
    if request.negative_prompt is not None and not spec.negative_prompt:
        raise InvalidRequest(
            f"{spec.title} takes no negative prompt.", code="negative_prompt_not_supported"
        )
    if request.aspect_ratio not in spec.sizes:
        raise InvalidRequest(
            f"{spec.title} draws {', '.join(spec.sizes)}.", code="unknown_aspect_ratio"
        )
    if request.seed is not None and request.seed > spec.seed_max:
        raise InvalidRequest(
            f"{spec.title} takes seeds up to {spec.seed_max}.", code="seed_too_large"
        )
    return ImageRequest(
        prompt=request.prompt,
        model=spec.model_id,
        aspect_ratio=request.aspect_ratio,
        negative_prompt=request.negative_prompt,
        seed=request.seed or seed,
    )


def _fingerprint(request: SubmitRequest) -> str:
    """What was asked, before any default of ours that may change between two tries.

    Fields that say what their absence says are left out, so that a body of today reads the same
    when the API has grown more of them.
    """
    asked = request.model_dump(exclude_defaults=True)
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
