"""Answer a job with an earlier image of its owner: better than none while its model is away."""

from __future__ import annotations

from dataclasses import replace

from common import credits as ledger
from common import jobs as lifecycle
from common.jobs import ImageRequest, Job, JobStatus, seed_for
from common.models.catalogue import find
from common.observability import count, logger
from common.services import WorkerServices

EARLIER_MAX = 50
"""How many of the owner's latest images are looked through."""


def recall_image(job: Job, worker: WorkerServices) -> bool:
    """End the job with the latest image of the same user from the same request, free of charge.

    Answers False, and does nothing, for a job that does not allow it, or where there is none.
    """
    if not job.allow_cached or job.status is not JobStatus.QUEUED:
        return False
    page = worker.jobs.page(job.user_id, limit=EARLIER_MAX, status=JobStatus.SUCCEEDED)
    wanted = _drawn(job)
    earlier = next((each for each in page.jobs if _drawn(each) == wanted), None)
    if earlier is None:
        return False
    now = worker.now()
    recalled = lifecycle.recall(job, earlier=earlier, now=now)
    worker.jobs.save(recalled, entry=ledger.release(recalled, now=now))
    logger.info("recalled", job_id=job.job_id, user_id=job.user_id, image_of=earlier.job_id)
    count("JobsRecalled")
    return True


def _drawn(job: Job) -> ImageRequest:
    """What the job asked for, without a seed that it did not choose itself."""
    spec = find(job.request.model)
    chosen = spec is None or job.request.seed != seed_for(job.job_id, spec.seed_max)
    return job.request if chosen else replace(job.request, seed=None)
