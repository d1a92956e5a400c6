"""Submits jobs and follows them all until each has ended, as often as the API wants to be asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from common.jobs import JobStatus
from ops.customer.client import POLL_SECONDS, ApiError, Job, Look
from ops.customer.prospects import Prospects, prospects

BUSY = "too_many_active_jobs"
_FRAME_SECONDS = 0.1


class Api(Protocol):
    """The part of the client that following needs."""

    def submit(self, body: Mapping[str, Any], *, idempotency_key: str) -> Look:
        """Submit a job."""

    def job(self, job_id: str) -> Look:
        """Look at a job."""


class Watcher(Protocol):
    """Shows how the tasks are doing."""

    def show(self, tasks: Sequence[Task]) -> None:
        """Called several times a second."""


@dataclass(slots=True)
class Task:
    """One image to be had. `due` is in seconds of the clock that `follow` is given."""

    body: Mapping[str, Any]
    key: str
    number: int
    job: Job | None = None
    refused: ApiError | None = None
    due: float = 0.0
    prospects: Prospects | None = None
    """What is left, on the same clock."""

    @property
    def over(self) -> bool:
        """Whether there is nothing more to wait for."""
        return self.refused is not None or (self.job is not None and self.job.settled_down)

    @property
    def failure(self) -> str | None:
        """One sentence when it ended without an image."""
        if self.refused is not None:
            return str(self.refused)
        if self.job is None or self.job.status == JobStatus.SUCCEEDED:
            return None
        why = f": {self.job.error.message} ({self.job.error.code})" if self.job.error else "."
        if self.job.status == JobStatus.STALLED:
            return f"The job {self.job.job_id} is stalled, and its credits are still held{why}"
        return f"The job {self.job.job_id} {_ended(self.job.status)}{why}"


def follow(
    api: Api,
    tasks: Sequence[Task],
    *,
    board: Watcher,
    on_end: Callable[[Task], None],
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return when every task is over; `on_end` is called for each job that has ended.

    A person may have so many jobs at a time: what is refused for that is submitted later, as soon
    as one of this person's jobs that we know of has ended, or when the API said. Any
    other refusal would meet the rest as well, so they are not tried. Raises ApiError when a job
    that was accepted cannot be looked at.
    """
    while waiting := [task for task in tasks if not task.over]:
        task = min(waiting, key=lambda each: each.due)
        while (pause := task.due - now()) > 0:
            sleep(min(pause, _FRAME_SECONDS))
            board.show(tasks)
        if task.job is None:
            _submit(api, task, tasks, now())
        else:
            _see(task, api.job(task.job.job_id), now())
        board.show(tasks)
        if task.job is not None and task.over:
            on_end(task)
            _take_the_place(tasks, now())


def _submit(api: Api, task: Task, tasks: Sequence[Task], now: float) -> None:
    try:
        look = api.submit(task.body, idempotency_key=task.key)
    except ApiError as error:
        for each in tasks:
            if each.job is None and error.code == BUSY:
                each.due = now + (error.retry_after_seconds or POLL_SECONDS)
            elif each.job is None:
                each.refused = error
        return
    _see(task, look, now)


def _take_the_place(tasks: Sequence[Task], now: float) -> None:
    """A job has ended, so that another may be submitted."""
    for task in tasks:
        if task.job is None and not task.over:
            task.due = min(task.due, now)
            return


def _see(task: Task, look: Look, now: float) -> None:
    """Note what the API says."""
    task.job = look.job
    task.due = now + look.retry_after_seconds
    task.prospects = prospects(task.prospects, look.job, now=now)


def _ended(status: str) -> str:
    return {"failed": "failed", "canceled": "was canceled"}.get(status, f"ended as {status}")
