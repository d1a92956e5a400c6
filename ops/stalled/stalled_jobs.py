"""What there is to decide about: stalled jobs, and messages that are no stalled job's.

Jobs are found by the Jobs table, not by their messages, so that a purge of the dead-letter queue
hides none. Whether a message is in it says nothing of what may be done with its job.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from common.acts import Act
from common.errors import NotFound
from common.jobs import Job, JobStatus, image_key
from common.ports import ActLog, Clock, ImageFinder, JobKeeper, JobQueue, JobReader, Sleep
from ops.stalled.dead_letters import Letter, LetterBox

JOBS_MAX = 10_000
"""Stalled jobs that are looked at at once."""
READERS = 8
"""Jobs that are read beside each other, for a service that is far away."""
CLOCKS_DIFFER = timedelta(minutes=15)
"""By how much the operator's clock may be behind the service's; AWS takes no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What an operator decides about stalled jobs with."""

    jobs: JobKeeper
    queue: JobQueue
    images: ImageFinder
    acts: ActLog
    letters: LetterBox
    now: Clock
    sleep: Sleep


class Stray(StrEnum):
    """What a message is that no stalled job has; the values are the command line's."""

    LEFT_OVER = "left_over"
    """Its job is over."""
    UNEXPECTED = "unexpected"
    """Its job is queued or generating: a bug brought it here, or the job was redriven."""
    NO_JOB = "no_job"
    """There is no such job."""
    UNREADABLE = "unreadable"
    """It is no message of ours."""


@dataclass(frozen=True, slots=True)
class StrayLetter:
    """A message that no stalled job has."""

    letter: Letter
    what: Stray
    job: Job | None = None

    @property
    def words(self) -> str:
        """What it is, for people."""
        status = self.job.status if self.job else ""
        return {
            Stray.LEFT_OVER: f"left over: {self.letter.job_id} is {status}",
            Stray.UNEXPECTED: f"a bug, or redriven: {self.letter.job_id} is {status}",
            Stray.NO_JOB: f"there is no job {self.letter.job_id}",
            Stray.UNREADABLE: "no message of ours",
        }[self.what]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """All that waits for a decision."""

    jobs: tuple[Job, ...]
    """The stalled jobs, the longest stalled first."""
    strays: tuple[StrayLetter, ...]
    complete: bool
    """Whether that is all of it."""
    others: int = 0
    """Stalled jobs that were not asked for."""

    @property
    def left_over(self) -> tuple[StrayLetter, ...]:
        """The messages of jobs that are over."""
        return tuple(each for each in self.strays if each.what is Stray.LEFT_OVER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """All that is known of one job."""

    job: Job
    image_stored: bool
    letters: tuple[Letter, ...]
    acts: tuple[Act, ...]


def look(desk: Desk, letters: Sequence[Letter], *, complete: bool, error: str | None) -> Found:
    """All stalled jobs and what else is in the queue, or the jobs alone that stalled by `error`.

    `letters` is what was read of the dead-letter queue, `complete` whether that was all.
    """
    job_ids = desk.jobs.due(
        JobStatus.STALLED, before=desk.now() + CLOCKS_DIFFER, limit=JOBS_MAX + 1
    )
    complete = complete and len(job_ids) <= JOBS_MAX
    # The index may not have the very latest: their messages do.
    named = [letter.job_id for letter in letters if letter.job_id is not None]
    known = _read(desk.jobs, dict.fromkeys([*job_ids[:JOBS_MAX], *named]))
    stalled = [job for job in known.values() if job.status is JobStatus.STALLED]
    wanted = [job for job in stalled if error is None or (job.error and job.error.code == error)]
    strays = [_stray(letter, known.get(letter.job_id or "")) for letter in letters]
    return Found(
        jobs=tuple(sorted(wanted, key=lambda job: (job.stalled_at or job.created_at, job.job_id))),
        strays=tuple(each for each in strays if each) if error is None else (),
        complete=complete,
        others=len(stalled) - len(wanted),
    )


def stray(letter: Letter, jobs: JobReader) -> StrayLetter | None:
    """What the message is; None: a stalled job's."""
    return _stray(letter, jobs.get(letter.job_id) if letter.job_id else None)


def dossier(job_id: str, letters: Iterable[Letter], *, desk: Desk) -> Dossier:
    """All that is known of a job. Raises NotFound."""
    job = desk.jobs.get(job_id)
    if job is None:
        raise NotFound(f"There is no job {job_id}.")
    return Dossier(
        job=job,
        image_stored=desk.images.find(image_key(job)) is not None,
        letters=letters_of(job_id, letters),
        acts=desk.acts.of(job_id),
    )


def letters_of(job_id: str, letters: Iterable[Letter]) -> tuple[Letter, ...]:
    """The job's messages."""
    return tuple(letter for letter in letters if letter.job_id == job_id)


def _stray(letter: Letter, job: Job | None) -> StrayLetter | None:
    if letter.job_id is None:
        return StrayLetter(letter, Stray.UNREADABLE)
    if job is None:
        return StrayLetter(letter, Stray.NO_JOB)
    if job.status is JobStatus.STALLED:
        return None
    return StrayLetter(letter, Stray.LEFT_OVER if job.terminal else Stray.UNEXPECTED, job)


def _read(jobs: JobReader, job_ids: Iterable[str]) -> dict[str, Job]:
    """Those jobs that there are, as last written."""
    with ThreadPoolExecutor(READERS) as pool:
        found = list(pool.map(jobs.get, job_ids))
    return {job.job_id: job for job in found if job is not None}
