"""Operators: they decide about stalled jobs, at the console and with the command line."""

from __future__ import annotations

from typing import Any

from common.jobs import JobError
from common.stalled import discard_job, redrive_job
from tests.fate import mortal
from tests.simulation.run_parts import Parts
from tests.simulation.schedule import US

BY = {"by": "eve@example.com", "why": "asked for"}


class Decider:
    """Somebody who decides about one stalled job after the other."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        world = parts.world
        self._jobs = mortal("jobs", world.jobs, world.fate)
        self._queue = mortal("queue", world.queue, world.fate)
        self._images = mortal("images", world.images, world.fate)

    def decide_all(self) -> None:
        """Decide about every stalled job, one way or another, and leave none."""
        queue, tape = self._parts.world.sqs, self._parts.tape
        if tape.choose(2):
            self._parts.note(f"redrives {len(queue.dead)} dead letters")
            queue.redrive()
        else:
            for job_id in self._stalled():
                self.decide(job_id)
        self._parts.schedule.sleep_us(600 * US)
        for job_id in self._stalled():
            # Its dead letter was gone, or its image is stored, so that it cannot be discarded.
            self._redrive(job_id)

    def decide(self, job_id: str) -> None:
        """Redrive or discard a job with the command line."""
        if self._parts.tape.choose(2):
            self._discard(job_id)
        else:
            self._redrive(job_id)

    def _stalled(self) -> list[str]:
        jobs: dict[str, Any] = self._parts.auditor.books.jobs
        return [job_id for job_id, job in jobs.items() if str(job.status) == "stalled"]

    def _redrive(self, job_id: str) -> None:
        world = self._parts.world
        self._parts.note(f"redrives {job_id[:8]}")
        world.at_the_terminal(
            lambda: redrive_job(job_id, jobs=self._jobs, queue=self._queue, now=world.clock, **BY)
        )

    def _discard(self, job_id: str) -> None:
        world = self._parts.world
        self._parts.note(f"discards {job_id[:8]}")
        error = JobError(code="discarded", message="It was given up.")
        world.at_the_terminal(
            lambda: discard_job(
                job_id, error=error, jobs=self._jobs, images=self._images, now=world.clock, **BY
            )
        )


class Operator(Decider):
    """Somebody who comes now and then and does as they like."""

    def live(self) -> None:
        """Redrive, purge and decide, until it becomes calm."""
        tape, queue = self._parts.tape, self._parts.world.sqs
        while True:
            self._parts.schedule.sleep_us(tape.between(60, 1200) * US)
            if self._parts.weather.calm:
                return
            match tape.choose(4):
                case 0 | 1:
                    self._parts.note(f"redrives {len(queue.dead)} dead letters")
                    queue.redrive()
                case 2:
                    self._parts.note(f"purges {len(queue.dead)} dead letters")
                    queue.purge_dead()
                case _:
                    stalled = self._stalled()
                    if stalled:
                        self.decide(tape.pick(stalled))
