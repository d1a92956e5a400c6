"""Cancel a job: its owner may, until a worker has it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from common import credits as ledger
from common import jobs as lifecycle
from common.errors import NotFound, StaleWrite
from common.jobs import Job

if TYPE_CHECKING:
    from common.ports import JobSaver

TRIES = 2


def cancel_job(job_id: str, *, user_id: str, jobs: JobSaver, now: datetime) -> Job:
    """The canceled job, its hold released; canceling it again changes nothing.

    Raises NotFound for no job of the user's, Conflict once a worker has or had it. Of a cancel and
    a claim at once one wins: the loser meets the other's version and looks again.
    """
    for _try in range(TRIES):
        job = jobs.get(job_id)
        if job is None or job.user_id != user_id:
            raise NotFound("You have no job of that id.")
        canceled = lifecycle.cancel(job, now=now)
        if canceled == job:
            return job
        try:
            jobs.save(canceled, entry=ledger.release(canceled, now=now))
        except StaleWrite:
            continue
        return canceled
    raise StaleWrite(f"{job_id} kept changing.")
