"""Acts: what an operator, or the sweep in their place, has decided about a job or a message."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from common.jobs import Job


class What(StrEnum):
    """What was done."""

    REDRIVEN = "redriven"
    """A stalled job was given its attempts again."""
    DISCARDED = "discarded"
    """A stalled job was ended, its hold released."""
    REMOVED = "removed"
    """A message was taken out of the dead-letter queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act, never changed once written."""

    subject: str
    """The job's id, or the message's as `message#…`."""
    act_id: str
    """Unique for the subject, and in the order of what was done with it."""
    what: What
    at: datetime
    by: str
    """Who did it, as AWS knows them; `sweep` for the service itself."""
    why: str
    body: str | None = None
    """What a removed message said."""


def act_on(job: Job, what: What, *, at: datetime, by: str, why: str) -> Act:
    """The act that made this version of the job."""
    return Act(subject=job.job_id, act_id=f"v{job.version:09d}", what=what, at=at, by=by, why=why)


def removal(message_id: str, body: str, *, at: datetime, by: str, why: str) -> Act:
    """The act that removes a message."""
    return Act(
        subject=f"message#{message_id}",
        act_id="removed",
        what=What.REMOVED,
        at=at,
        by=by,
        why=why,
        body=body,
    )
