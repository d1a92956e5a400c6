"""What becomes of a stalled job, decided by an operator, or by the sweep when none has.

Both are safe while workers run, and done twice they are done once: each is a write over the version
that was read, with the act that says who did it and why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from common import credits as ledger
from common import jobs as lifecycle
from common.acts import What, act_on
from common.errors import Conflict, NotFound, ServiceFailed
from common.jobs import Job, JobError, image_key

if TYPE_CHECKING:
    from common.ports import Clock, ImageFinder, JobQueue, JobReader, JobSaver


def redrive_job(
    job_id: str, *, by: str, why: str, jobs: JobSaver, queue: JobQueue, now: Clock
) -> Job:
    """Give a stalled job its attempts again, and send it.

    Raises NotFound, Conflict (`not_stalled`) for a job that is not stalled any more, StaleWrite for
    one that changes just now; then nothing has happened. Should the sending fail, the sweep sends
    the job: it is queued.
    """
    job = require_stalled(job_id, jobs)
    moment = now()
    redriven = lifecycle.redrive(job, now=moment)
    jobs.save(redriven, act=act_on(redriven, What.REDRIVEN, at=moment, by=by, why=why))
    try:
        queue.send(redriven.job_id, redriven.user_id, sending=redriven.sendings)
    except ServiceFailed as error:
        raise ServiceFailed(
            f"{job_id} is queued again, and the sweep sends it in 5 minutes: {error.message}"
        ) from error
    return redriven


def discard_job(
    job_id: str,
    *,
    error: JobError,
    by: str,
    why: str,
    jobs: JobSaver,
    images: ImageFinder,
    now: Clock,
) -> Job:
    """End a stalled job without an image and release its hold; its owner is told `error`.

    Raises NotFound, Conflict (`not_stalled`, or `image_stored` where its image turns out to be
    there: redriven, it is settled and calls no model), StaleWrite; then nothing has happened.
    """
    job = require_stalled(job_id, jobs)
    if images.find(image_key(job)) is not None:
        raise Conflict(
            f"The image of {job_id} is stored: redrive it, which calls no model.",
            code="image_stored",
        )
    moment = now()
    discarded = lifecycle.discard(job, error=error, now=moment)
    jobs.save(
        discarded,
        entry=ledger.release(discarded, now=moment),
        act=act_on(discarded, What.DISCARDED, at=moment, by=by, why=why),
    )
    return discarded


def require_stalled(job_id: str, jobs: JobReader) -> Job:
    """The job, if it is stalled. Raises NotFound or Conflict (`not_stalled`)."""
    job = jobs.get(job_id)
    if job is None:
        raise NotFound(f"There is no job {job_id}.")
    lifecycle.require_stalled(job)
    return job
