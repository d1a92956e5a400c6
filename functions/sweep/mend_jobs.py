"""Look at the jobs that nobody has looked at for too long.

A job that waits longer than it should may have no message any more: its submit died between its two
calls, or the queue did not take it. One whose lease has run out has lost its worker, and maybe its
message too. Both are sent again; a message too many does no harm, and the next look at the same job
comes later each time. A stalled job that no operator has decided about is discarded in the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from common import jobs as lifecycle
from common import metrics
from common.errors import Conflict, ImagifyError, ServiceFailed, StaleWrite
from common.jobs import Job, JobError, JobStatus
from common.observability import count, logger
from common.services.sweep import SweepServices
from common.stalled import discard_job, redrive_job

JOBS_MAX = 100
"""Jobs of each kind that one sweep looks at; the next one goes on."""
SECONDS_LEFT_MIN = 40
"""Where less is left the sweep's other duties are next: a call that hangs takes 21 s, and they must
have their time all the same."""
SWEEP = "sweep"
"""Who the acts of a sweep are by."""

Mend = Callable[[Job, SweepServices], None]


@dataclass(frozen=True, slots=True)
class Mended:
    """How many jobs one sweep has seen to."""

    sent_again: int
    lapsed: int
    given_up: int


def mend_jobs(sweep: SweepServices, *, seconds_left: Callable[[], float]) -> Mended:
    """Do what is due, while there is time.

    A job that something goes wrong with does not keep the others from being looked at.
    """

    def each(status: JobStatus, before: datetime, metric: metrics.Metric, mend: Mend) -> int:
        job_ids = sweep.jobs.due(status, before=before, limit=JOBS_MAX)
        timely = takewhile(lambda _job_id: seconds_left() >= SECONDS_LEFT_MIN, job_ids)
        number = sum(_seen_to(job_id, status, before, mend, sweep) for job_id in timely)
        if number:
            count(metric, number)
        return number

    now = sweep.now()
    patience = timedelta(hours=sweep.settings.stalled_hold_hours)
    mended = Mended(
        sent_again=each(JobStatus.QUEUED, now, metrics.JOBS_SENT_AGAIN, _send_again),
        lapsed=each(JobStatus.GENERATING, now, metrics.LEASES_LAPSED, _send_again),
        given_up=each(JobStatus.STALLED, now - patience, metrics.JOBS_GIVEN_UP, _give_up),
    )
    count(metrics.STALLED_JOBS, sweep.jobs.count(JobStatus.STALLED))
    return mended


def _seen_to(
    job_id: str, status: JobStatus, before: datetime, mend: Mend, sweep: SweepServices
) -> bool:
    try:
        job = sweep.jobs.get(job_id)
        if job is None or job.status is not status or not job.look_at or job.look_at > before:
            return False
        mend(job, sweep)
    except (StaleWrite, Conflict):
        return False  # somebody else has just seen to it
    except ImagifyError as error:
        logger.warning("not mended", job_id=job_id, code=error.code, reason=error.message)
        count(metrics.JOBS_NOT_MENDED)
        return False
    except Exception:  # noqa: BLE001 - one that cannot even be read must not stop the rest
        logger.exception("not mended", job_id=job_id)
        count(metrics.UNEXPECTED_ERRORS)
        return False
    logger.info("mended", job_id=job_id, user_id=job.user_id, status=status)
    return True


def _send_again(job: Job, sweep: SweepServices) -> None:
    """Say first when to look next, so that of two sweeps one sends."""
    again = lifecycle.send_again(job, now=sweep.now())
    sweep.jobs.save(again)
    try:
        sweep.queue.send(again.job_id, again.user_id, sending=again.sendings)
    except ServiceFailed:
        sweep.jobs.save(lifecycle.look_soon(again, now=sweep.now()))
        raise


def _give_up(job: Job, sweep: SweepServices) -> None:
    hours = sweep.settings.stalled_hold_hours
    why = f"No image could be made, and nobody decided otherwise in {hours} hours."
    try:
        discard_job(
            job.job_id,
            error=JobError(code="given_up", message=why),
            by=SWEEP,
            why=why,
            jobs=sweep.jobs,
            images=sweep.images,
            now=sweep.now,
        )
    except Conflict as error:
        if error.code != "image_stored":
            raise
        redrive_job(
            job.job_id,
            by=SWEEP,
            why=error.message,
            jobs=sweep.jobs,
            queue=sweep.queue,
            now=sweep.now,
        )
