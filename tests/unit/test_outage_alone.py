"""One job in an outage, and nobody else: it cannot tell the outage from itself, and waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from common.acts import Act
from common.credits import LedgerEntry
from common.errors import (
    ContentRefused,
    ModelFailed,
    ModelRejected,
    ModelTimedOut,
    Permanent,
    ServiceFailed,
)
from common.jobs import Job, JobStatus
from common.lines import FAILURES_MAX, US, Line
from common.routes import Route
from functions.status.cancel_job import cancel_job
from functions.worker.generate_image import OUTAGE_SECONDS_MAX
from tests.fakes import MemoryJobStore
from tests.fakes_model import FakeModel, answer
from tests.unit.test_stalled import redrive
from tests.world import CORE, World

EAST = CORE.model_copy(update={"region": "us-east-1"})
NORTH = CORE.model_copy(update={"region": "ca-central-1"})
FAULTS = {
    "failed": ModelFailed("It broke."),
    "timed out": ModelTimedOut("No answer."),
    "rubbish": None,
    "no PNG": None,
}


class Away(FakeModel):
    """A model that does not work until it is told to."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self._kind = kind
        self.works = False

    def invoke(
        self, route: Route, body: Mapping[str, Any], *, wait: Callable[[], None]
    ) -> Mapping[str, Any]:
        drawn = super().invoke(route, body, wait=wait)
        if self.works:
            return drawn
        if fault := FAULTS[self._kind]:
            raise fault
        return answer(b"no image") if self._kind == "no PNG" else {"images": []}


def work_for(world: World, hours: float) -> None:
    """Deliver whatever comes, for so long, or until nothing does."""
    until = world.clock() + timedelta(hours=hours)
    while world.clock() < until and world.queue._messages:
        world.clock.advance(1)
        if message := world.queue.receive():
            world.work(message)


@pytest.mark.parametrize("attempts_max", [1, 3])
@pytest.mark.parametrize("routes", [(CORE,), (CORE, EAST), (CORE, EAST, NORTH)], ids=len)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_lone_job_waits_three_hours_of_outage_out_and_is_made(
    fault: str, routes: tuple[Route, ...], attempts_max: int
) -> None:
    model = Away(fault)
    world = World(model=model, routes=routes, attempts_max=attempts_max, alone=True)
    job = world.submitted()
    work_for(world, 3)
    assert world.job(job.job_id).status is JobStatus.QUEUED
    assert len(model.calls) < 250, "and it is not hammered"
    model.works = True
    assert world.work_until_terminal(job.job_id).status is JobStatus.SUCCEEDED
    assert world.dead_letters == []
    world.audit()


@pytest.mark.parametrize("routes", [(CORE,), (CORE, EAST)], ids=len)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_job_that_breaks_a_model_which_works_for_others_stalls(
    fault: str, routes: tuple[Route, ...]
) -> None:
    world = World(model=Away(fault), routes=routes)
    job = world.submitted()
    work_for(world, 0.3)
    assert world.job(job.job_id).status is JobStatus.STALLED


def test_after_a_day_a_lone_jobs_failures_are_its_own() -> None:
    world = World(model=Away("timed out"), alone=True)
    job = world.submitted()
    work_for(world, OUTAGE_SECONDS_MAX / 3600 - 1)
    assert world.job(job.job_id).status is JobStatus.QUEUED
    work_for(world, 3)
    assert world.job(job.job_id).status is JobStatus.STALLED


def test_a_redriven_job_is_judged_by_its_failures_since() -> None:
    world = World(model=Away("timed out"))
    job = world.submitted()
    work_for(world, 0.3)
    stalled = world.job(job.job_id)
    assert stalled.failed_starts == 3
    redrive(world, job.job_id)
    assert world.job(job.job_id).failed_starts == 0


def test_a_probe_whose_job_was_canceled_meanwhile_lets_the_next_one_try() -> None:
    world = World(model=FakeModel(), alone=True)
    job = world.submitted()
    message = world.next_message()
    now_us = world.clock.now_us()
    world.lines._lines[CORE.name] = Line(failures=FAILURES_MAX, retry_us=now_us - 1)

    class Canceling(MemoryJobStore):
        """A store in which the owner cancels before the claim is written."""

        def save(
            self, job: Job, *, entry: LedgerEntry | None = None, act: Act | None = None
        ) -> None:
            if job.status is JobStatus.GENERATING:
                world.jobs = stored
                cancel_job(job.job_id, user_id=job.user_id, jobs=stored, now=world.clock())
            super().save(job, entry=entry, act=act)

    stored, world.jobs = world.jobs, Canceling(world.tables)
    world.work(message)

    assert world.job(job.job_id).status is JobStatus.CANCELED
    line = world.lines.read([CORE])[CORE.name]
    assert not line.probing
    assert line.takes(world.clock.now_us())


def test_a_probe_that_loses_sight_of_its_line_lets_the_next_one_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(model=FakeModel(), alone=True)
    job = world.submitted()
    message = world.next_message()
    now_us = world.clock.now_us()
    world.lines._lines[CORE.name] = Line(
        failures=FAILURES_MAX, retry_us=now_us - 1, next_us=now_us + 5 * US
    )
    read = world.lines.read
    out_of_reach = iter([True])

    def unsteady(routes: Sequence[Route]) -> Mapping[str, Line]:
        if next(out_of_reach, False):
            raise ServiceFailed("DynamoDB did not answer.")
        return read(routes)

    monkeypatch.setattr(world.lines, "read", unsteady)
    world.work(message)

    assert next(out_of_reach, None) is None
    assert world.job(job.job_id).status is JobStatus.QUEUED
    line = read([CORE])[CORE.name]
    assert not line.probing
    assert line.takes(world.clock.now_us())


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ModelRejected("The model's service answered AccessDeniedException."), True),
        (ContentRefused("The model's content filter refused the prompt."), False),
    ],
)
def test_a_model_that_takes_no_job_is_told_to_operators_in_its_own_words(
    error: Permanent, written: Callable[[], str], *, told: bool
) -> None:
    world = World(model=FakeModel(error))
    world.submitted()
    world.work_once()
    assert ("AccessDeniedException" in written()) == told


def test_each_failure_is_logged_with_its_route_and_the_models_words(
    written: Callable[[], str],
) -> None:
    world = World(model=FakeModel(*[ModelFailed("It answered InternalServerException.")] * 3))
    world.submitted()
    world.work_once()
    said = written()
    assert said.count("It answered InternalServerException.") == 3
    assert CORE.name in said
