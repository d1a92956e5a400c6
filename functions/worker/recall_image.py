"""Answer a job with an earlier image of its owner: better than none while its model is away."""

from __future__ import annotations

from dataclasses import replace

from common import credits as ledger
from common import jobs as lifecycle
from common.jobs import Job, JobStatus, seed_for
from common.metrics import JOBS_RECALLED
from common.models.catalogue import find
from common.observability import count, logger
from common.services.worker import WorkerServices

EARLIER_MAX = 50
"""How many of the owner's latest images are looked through."""


def recall_image(job: Job, worker: WorkerServices) -> bool:
    """End the job with the latest image of the same user from the same request, free of charge.

    Answers False, and does nothing, for a job that does not allow it, or where there is none.
    """
    if not job.allow_cached or job.status is not JobStatus.QUEUED:
        return False
    page = worker.jobs.page(job.user_id, limit=EARLIER_MAX, status=JobStatus.SUCCEEDED)
    earlier = next((each for each in page.items if _will_do(each, job)), None)
    if earlier is None:
        return False
    now = worker.now()
    recalled = lifecycle.recall(job, earlier=earlier, now=now)
    worker.jobs.save(recalled, entry=ledger.release(recalled, now=now))
    logger.info("recalled", job_id=job.job_id, user_id=job.user_id, image_of=earlier.job_id)
    count(JOBS_RECALLED)
    return True


def _will_do(earlier: Job, job: Job) -> bool:
    """Whether it is the same request; the seed counts only if the job chose one itself."""
    wanted, spec = job.request, find(job.request.model)
    if spec is not None and wanted.seed == seed_for(job.job_id, spec.seed_max):
        wanted = replace(wanted, seed=earlier.request.seed)
    return earlier.request == wanted
