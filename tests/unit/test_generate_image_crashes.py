"""A worker that dies before or after any call: the same message again finishes the job, once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from common.credits import EntryKind
from common.errors import ModelFailed, ModelThrottled
from common.jobs import JobStatus, image_key
from common.routes import Route
from functions.worker.generate_image import Done
from tests.fakes_model import REFUSAL, FakeModel
from tests.fate import ProcessDied
from tests.world import CORE_COST, CREDITS, World

HAPPY_CALLS = [
    "jobs.get",
    "lines.take",
    "jobs.save",
    "models.invoke",
    "images.put",
    "jobs.save",
    "lines.observe",
]
"""What a worker does for a job that meets nothing; each is a place to die at."""
SETTLED = [EntryKind.HOLD, EntryKind.SETTLE]
RELEASED = [EntryKind.HOLD, EntryKind.RELEASE]


def throttled() -> ModelThrottled:
    return ModelThrottled("Too many.", retry_after_seconds=5)


STORIES: dict[str, tuple[Callable[[], World], JobStatus]] = {
    "happy": (World, JobStatus.SUCCEEDED),
    "refused": (lambda: World(model=FakeModel(*[REFUSAL] * 20)), JobStatus.FAILED),
    "flaky": (
        lambda: World(model=FakeModel(*[ModelFailed("It broke.")] * 4)),
        JobStatus.SUCCEEDED,
    ),
    "throttled": (
        lambda: World(model=FakeModel(*[throttled() for _ in range(5)])),
        JobStatus.SUCCEEDED,
    ),
}


def calls_in(make: Callable[[], World]) -> int:
    world = make()
    job = world.submitted()
    world.fate.calls.clear()
    world.work_until_terminal(job.job_id)
    return len(world.fate.calls)


DEATHS = [
    pytest.param(make, status, place, after, id=f"{name}-{'after' if after else 'before'}-{place}")
    for name, (make, status) in STORIES.items()
    for place in range(1, calls_in(make) + 1)
    for after in (False, True)
]


def dying_world(make: Callable[[], World], place: int, *, after: bool) -> World:
    world = make()
    world.submitted()
    world.fate.calls.clear()
    world.fate.at, world.fate.after = place, after
    return world


def test_a_worker_makes_these_calls_on_the_happy_path() -> None:
    world = World()
    job = world.submitted()
    world.fate.calls.clear()
    world.work_until_terminal(job.job_id)
    assert world.fate.calls == HAPPY_CALLS


@pytest.mark.parametrize(("make", "status", "place", "after"), DEATHS)
def test_a_worker_that_dies_anywhere_loses_and_doubles_nothing(
    make: Callable[[], World], status: JobStatus, place: int, *, after: bool
) -> None:
    world = dying_world(make, place, after=after)
    (job,) = world.tables.jobs.values()
    done = world.work_until_terminal(job.job_id)
    assert done.status is status
    assert world.kinds() == (SETTLED if status is JobStatus.SUCCEEDED else RELEASED)
    spent = CORE_COST if status is JobStatus.SUCCEEDED else 0
    assert world.tables.users["usr_ann"].balance.available == CREDITS - spent
    assert (image_key(job) in world.images.contents) is (status is JobStatus.SUCCEEDED)
    world.audit()


@pytest.mark.parametrize("place", range(1, len(HAPPY_CALLS) + 1))
@pytest.mark.parametrize("after", [False, True])
def test_an_image_is_paid_for_again_only_if_it_was_not_stored(place: int, *, after: bool) -> None:
    world = dying_world(World, place, after=after)
    (job,) = world.tables.jobs.values()
    with pytest.raises(ProcessDied):
        world.work_once()
    called, stored = len(world.model.calls), image_key(job) in world.images.contents
    world.work_until_terminal(job.job_id)
    assert len(world.model.calls) == called + (0 if stored else 1)


@pytest.mark.parametrize("after", [False, True])
def test_a_worker_that_always_dies_at_the_model_stalls_its_job(*, after: bool) -> None:
    world = World()
    job = world.submitted()
    for _attempt in range(world.worker_settings.attempts_max):
        world.fate.calls.clear()
        world.fate.at, world.fate.after = HAPPY_CALLS.index("models.invoke") + 1, after
        if world.job(job.job_id).attempts:
            world.fate.at += 1  # images.find comes first from the second attempt on
        with pytest.raises(ProcessDied):
            world.work_once()
    world.work_once()
    stalled = world.job(job.job_id)
    assert stalled.status is JobStatus.STALLED
    assert stalled.error is not None
    assert stalled.error.code == "worker_died"
    assert len(world.model.calls) == (3 if after else 0)
    world.audit()


@pytest.mark.parametrize("place", range(1, len(HAPPY_CALLS) + 1))
@pytest.mark.parametrize("after", [False, True])
def test_a_death_in_the_only_attempt_leaves_the_image_or_a_stalled_job(
    place: int, *, after: bool
) -> None:
    world = dying_world(lambda: World(attempts_max=1), place, after=after)
    (job,) = world.tables.jobs.values()
    with pytest.raises(ProcessDied):
        world.work_once()
    claimed = world.job(job.job_id).attempts == 1
    stored = image_key(job) in world.images.contents
    world.work_once()
    expected = JobStatus.STALLED if claimed and not stored else JobStatus.SUCCEEDED
    assert world.job(job.job_id).status is expected
    world.audit()
    if expected is JobStatus.STALLED:
        world.clock.advance(1)
        world.queue.send(job.job_id, job.user_id, sending=1)
        assert world.work_until_terminal(job.job_id).status is JobStatus.SUCCEEDED
        assert world.kinds() == SETTLED
        world.audit()


class Interrupted(FakeModel):
    """A model during whose first call something else happens."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        super().__init__()
        self._meanwhile = meanwhile

    def invoke(
        self, route: Route, body: Mapping[str, Any], *, wait: Callable[[], None]
    ) -> Mapping[str, Any]:
        if not self.calls:
            answer = super().invoke(route, body, wait=wait)
            self._meanwhile()
            return answer
        return super().invoke(route, body, wait=wait)


def test_five_deliveries_at_once_make_one_image_and_one_settle() -> None:
    outcomes: list[object] = []

    def deliver_four_more() -> None:
        for _again in range(4):
            world.queue.send(job.job_id, job.user_id, sending=1)
            other = world.queue.receive()
            assert other is not None
            outcomes.append(world.work(other))

    model = Interrupted(deliver_four_more)
    world = World(model=model)
    job = world.submitted()
    world.work_once()
    assert outcomes == [Done()] * 4
    for _later in range(4):
        assert world.work_once() == Done()
    assert len(model.calls) == 1
    assert world.kinds() == SETTLED
    world.audit()


def test_a_worker_that_outlives_its_lease_cannot_settle_what_another_has_settled() -> None:
    def another_takes_over() -> None:
        world.clock.advance(world.worker_settings.lease_seconds + 1)
        world.queue.send(job.job_id, job.user_id, sending=1)
        other = world.queue.receive()
        assert other is not None
        assert world.work(other) == Done()

    world = World(model=Interrupted(another_takes_over))
    job = world.submitted()
    assert world.work_once() == Done(), "put off, as another version is there"
    assert world.work_once() == Done()
    assert world.kinds() == SETTLED
    world.audit()
