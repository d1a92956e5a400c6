"""Long polling: wait for a job's end on behalf of a caller who prefers that to asking again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from common.errors import ServiceFailed
from common.jobs import Job

if TYPE_CHECKING:
    from common.ports import Clock, JobReader, Sleep

WAIT_SECONDS_MAX = 20
"""The longest wait that a caller may prefer; API Gateway gives up after 30 s."""
LOOK_SECONDS = 0.5
"""How often the job is read meanwhile; a wait of 20 s costs 40 reads."""


def wait_for_end(
    job: Job, *, asked_at: datetime, seconds: int, jobs: JobReader, now: Clock, sleep: Sleep
) -> Job:
    """The job when it is terminal, or as it was seen last: so many seconds after it was asked for.

    A stalled one is not waited for: an operator ends it, which takes longer.
    """
    deadline = asked_at + timedelta(seconds=seconds)
    while not job.at_rest and (left := (deadline - now()).total_seconds()) > 0:
        sleep(min(LOOK_SECONDS, left))
        try:
            job = jobs.get(job.job_id) or job
        except ServiceFailed:
            # A submit that was accepted must not look like one that failed.
            break
    return job
