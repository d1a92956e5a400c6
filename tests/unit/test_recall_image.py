"""An earlier image of one's own, while the model is away: only where it was allowed, and free."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from common.credits import EntryKind, LedgerEntry
from common.errors import ModelFailed
from common.jobs import Job, JobStatus, image_key
from common.lines import FAILURES_MAX, US, Line
from common.routes import Route
from functions.status.cancel_job import cancel_job
from functions.worker.generate_image import PUT_OFF_SECONDS, Done
from functions.worker.recall_image import EARLIER_MAX
from tests.fakes import MemoryJobStore
from tests.fakes_model import FakeModel
from tests.fate import ProcessDied
from tests.unit.test_mend_jobs import stall_again
from tests.world import CORE, CORE_COST, CREDITS, PROMPT, TITAN, ULTRA, World

SEED = 7
ASKED: dict[str, Any] = {
    "prompt": PROMPT,
    "negative_prompt": "people",
    "aspect_ratio": "16:9",
    "model": CORE.model,
}


@pytest.fixture
def world() -> World:
    world = World(routes=(CORE, ULTRA), active_jobs_max=100)
    world.person()
    world.person("usr_bob")
    return world


def earlier(world: World, user_id: str = "usr_ann", key: str = "key-0", **asked: Any) -> Job:
    """A job that was done while the model worked."""
    job = world.submit(user_id, key=key, **asked)
    done = world.work_until_terminal(job.job_id)
    assert done.status is JobStatus.SUCCEEDED
    world.clock.advance(1)
    return done


def break_(world: World, *routes: Route) -> None:
    """Put the routes out of order, for an hour."""
    retry_us = world.clock.now_us() + 3600 * US
    for route in routes or (CORE, ULTRA):
        world.lines._lines[route.name] = Line(failures=FAILURES_MAX, retry_us=retry_us)


def delivered(world: World, key: str = "key-1", **asked: Any) -> Job:
    """A job that allows an earlier image, after its first delivery."""
    job = world.submit(key=key, **{"allow_cached": True, **asked})
    assert world.work_once() == Done()
    return world.job(job.job_id)


def waits(world: World, job: Job) -> bool:
    """Whether the job is as it was submitted, and will come again."""
    again = world.queue.sent.count(job.job_id) == 2
    return again and (job.status, job.version, job.image) == (JobStatus.QUEUED, 1, None)


def test_an_earlier_image_of_the_same_request_ends_the_job_free_of_charge(world: World) -> None:
    before = earlier(world)
    calls = len(world.model.calls)
    break_(world)
    world.clock.advance(5)
    job = delivered(world)
    assert (job.status, job.cached, job.error) == (JobStatus.SUCCEEDED, True, None)
    assert job.image == before.image
    assert job.request == before.request, "with the seed that made it"
    assert job.finished_at == world.clock()
    assert len(world.model.calls) == calls
    assert world.queue._messages == {}
    kinds = [entry.kind for entry in world.entries() if entry.job_id == job.job_id]
    assert kinds == [EntryKind.HOLD, EntryKind.RELEASE]
    balance = world.tables.users["usr_ann"].balance
    assert (balance.available, balance.held) == (CREDITS - CORE_COST, 0), "the earlier one's"
    assert image_key(job) not in world.images.contents
    world.audit()


def test_a_job_that_does_not_allow_it_waits(world: World) -> None:
    earlier(world)
    break_(world)
    assert waits(world, delivered(world, allow_cached=False))


def test_a_job_without_an_earlier_image_waits_and_is_made_when_the_model_works(
    world: World,
) -> None:
    break_(world)
    job = delivered(world)
    assert waits(world, job)
    world.lines._lines.clear()
    done = world.work_until_terminal(job.job_id)
    assert (done.status, done.cached) == (JobStatus.SUCCEEDED, False)
    assert world.kinds() == [EntryKind.HOLD, EntryKind.SETTLE]
    world.audit()


def test_nobody_is_shown_anothers_image(world: World) -> None:
    earlier(world, "usr_bob")
    break_(world)
    assert waits(world, delivered(world))
    world.audit()


@pytest.mark.parametrize(
    "other",
    [
        {"prompt": f"{PROMPT}."},
        {"negative_prompt": "dogs"},
        {"negative_prompt": None},
        {"aspect_ratio": "1:1"},
        {"model": ULTRA.model},
    ],
    ids=lambda other: "-".join(map(str, other.values())).replace(" ", "_"),
)
def test_an_image_of_another_request_will_not_do(world: World, other: dict[str, Any]) -> None:
    earlier(world, **{**ASKED, **other})
    break_(world)
    assert waits(world, delivered(world, **ASKED))
    assert delivered(world, "key-2", **{**ASKED, **other}).cached, "but for that one it does"


@pytest.mark.parametrize("route", [CORE, TITAN])
def test_a_seed_that_was_chosen_is_wanted_again(route: Route) -> None:
    world = World(routes=(route,))
    world.person()
    asked: dict[str, Any] = {"model": route.model, "seed": SEED}
    earlier(world, "usr_ann", "key-a", model=route.model)
    first = earlier(world, "usr_ann", "key-b", **asked)
    earlier(world, "usr_ann", "key-c", model=route.model, seed=SEED + 1)
    break_(world, route)
    job = delivered(world, **asked)
    assert (job.cached, job.image, job.request.seed) == (True, first.image, SEED)


@pytest.mark.parametrize("route", [CORE, TITAN])
def test_any_seed_will_do_where_none_was_chosen(route: Route) -> None:
    world = World(routes=(route,))
    world.person()
    before = earlier(world, model=route.model)
    break_(world, route)
    asked = world.submit(key="key-1", model=route.model, allow_cached=True)
    assert asked.request.seed != before.request.seed
    world.work_once()
    job = world.job(asked.job_id)
    assert (job.cached, job.image) == (True, before.image)


def test_an_image_whose_seed_was_chosen_will_do_where_none_is(world: World) -> None:
    before = earlier(world, seed=SEED)
    break_(world)
    assert delivered(world).image == before.image


def test_the_latest_of_several_images_is_taken(world: World) -> None:
    earlier(world, key="key-a")
    latest = earlier(world, key="key-b")
    earlier(world, key="key-c", prompt="another")
    break_(world)
    assert delivered(world).image == latest.image


def test_an_image_is_found_again_after_others_were_shown_it(world: World) -> None:
    first = earlier(world)
    break_(world)
    for number in range(3):
        job = delivered(world, f"key-{number + 1}")
        assert (job.cached, job.image) == (True, first.image)
        world.clock.advance(1)
    world.audit()


@pytest.mark.parametrize(("others", "found"), [(EARLIER_MAX - 1, True), (EARLIER_MAX, False)])
def test_only_so_many_of_the_latest_images_are_looked_through(
    world: World, others: int, *, found: bool
) -> None:
    image = earlier(world)
    for number in range(others):
        done = replace(
            image,
            job_id=f"job_{number}",
            request=replace(image.request, prompt="another"),
            created_at=world.clock(),
        )
        world.tables.jobs[done.job_id] = done
    break_(world)
    assert delivered(world).cached is found


def test_while_a_route_is_in_order_the_job_gets_an_image_of_its_own(world: World) -> None:
    earlier(world)
    break_(world, ULTRA)
    job = delivered(world)
    assert (job.status, job.cached) == (JobStatus.SUCCEEDED, False)
    assert job.image is not None
    assert job.image.key == image_key(job)


def test_a_long_line_is_no_reason_for_an_earlier_image(world: World) -> None:
    earlier(world)
    ahead = Line(next_us=world.clock.now_us() + 100 * US)
    world.lines._lines[CORE.name] = ahead
    assert waits(world, delivered(world))


def test_a_job_that_probes_in_vain_is_shown_the_earlier_image_next(world: World) -> None:
    before = earlier(world)
    world.model = FakeModel(ModelFailed("It broke."))
    probed = Line(failures=FAILURES_MAX, retry_us=world.clock.now_us())
    world.lines._lines[CORE.name] = probed
    job = delivered(world)
    assert (job.status, job.attempts, len(world.model.calls)) == (JobStatus.QUEUED, 0, 1)
    assert job.error is not None
    world.work_once()
    shown = world.job(job.job_id)
    assert (shown.cached, shown.image, shown.error) == (True, before.image, None)
    world.audit()


def test_a_job_whose_worker_died_is_queued_first_and_then_shown_it(world: World) -> None:
    before = earlier(world)
    job = world.submit(key="key-1", allow_cached=True)
    world.fate.calls.clear()
    world.fate.at = 4
    with pytest.raises(ProcessDied):
        world.work_once()
    world.fate.at = None
    break_(world)
    assert world.work_once() == Done()
    assert world.job(job.job_id).status is JobStatus.QUEUED
    assert world.work_until_terminal(job.job_id).image == before.image
    world.audit()


def test_a_stalled_job_that_is_redriven_during_an_outage_waits(world: World) -> None:
    earlier(world)
    job = world.submit(key="key-1", allow_cached=True)
    stall_again(world)
    break_(world)
    world.clock.advance(1)
    world.queue.send(job.job_id, job.user_id, sending=None)
    assert world.work_once() == Done()
    assert world.job(job.job_id).status is JobStatus.STALLED
    assert len(world.queue._messages) == 1, "it comes again"
    world.lines._lines.clear()
    assert world.work_until_terminal(job.job_id).status is JobStatus.SUCCEEDED
    world.audit()


@pytest.mark.parametrize("allowed", [True, False])
def test_a_job_that_was_canceled_stays_canceled(world: World, *, allowed: bool) -> None:
    earlier(world)
    break_(world)
    job = world.submit(key="key-1", allow_cached=allowed)
    message = world.next_message()
    cancel_job(job.job_id, user_id="usr_ann", jobs=world.jobs, now=world.clock())
    assert world.work(message) == Done()
    canceled = world.job(job.job_id)
    assert (canceled.status, canceled.image) == (JobStatus.CANCELED, None)
    world.audit()


class CanceledMeanwhile(MemoryJobStore):
    """A store where the owner cancels while a worker looks for an earlier image."""

    def __init__(self, world: World, job: Job) -> None:
        super().__init__(world.tables)
        self._world = world
        self._job = job

    def save(self, job: Job, *, entry: LedgerEntry | None = None, **more: Any) -> None:
        self._world.jobs = MemoryJobStore(self._world.tables)
        user_id, now = self._job.user_id, self._world.clock()
        cancel_job(self._job.job_id, user_id=user_id, jobs=self._world.jobs, now=now)
        super().save(job, entry=entry, **more)


def test_a_job_canceled_while_an_image_was_looked_for_stays_canceled(world: World) -> None:
    earlier(world)
    break_(world)
    job = world.submit(key="key-1", allow_cached=True)
    world.jobs = CanceledMeanwhile(world, job)
    assert world.work_once() == Done(), "put off"
    world.clock.advance(PUT_OFF_SECONDS)
    assert world.work_once() == Done()
    assert world.job(job.job_id).status is JobStatus.CANCELED
    assert world.queue._messages == {}
    world.audit()


@pytest.mark.parametrize("place", range(1, 5))
@pytest.mark.parametrize("after", [False, True])
def test_a_worker_that_dies_while_it_recalls_is_followed_by_another(
    world: World, place: int, *, after: bool
) -> None:
    before = earlier(world)
    break_(world)
    job = world.submit(key="key-1", allow_cached=True)
    world.fate.calls.clear()
    world.fate.at, world.fate.after = place, after
    with pytest.raises(ProcessDied):
        world.work_once()
    assert world.fate.calls == ["jobs.get", "lines.take", "jobs.page", "jobs.save"][:place]
    world.fate.at = None
    done = world.work_until_terminal(job.job_id)
    assert (done.cached, done.image) == (True, before.image)
    world.audit()


@pytest.mark.parametrize("end", ["failed", "canceled"])
def test_a_job_without_an_image_is_nothing_to_recall(world: World, end: str) -> None:
    job = earlier(world)
    over = replace(job, status=JobStatus(end), image=None)
    world.tables.jobs[job.job_id] = over
    break_(world)
    assert waits(world, delivered(world))


def test_no_prompt_is_logged(world: World, written: Callable[[], str]) -> None:
    earlier(world, prompt="Gudrun")
    break_(world)
    job = delivered(world, prompt="Gudrun")
    assert job.cached
    logged = written()
    assert '"message":"recalled"' in logged
    assert "Gudrun" not in logged


def test_an_image_is_found_behind_many_that_were_answered_with_it() -> None:
    world = World(active_jobs_max=1000)
    world.person(available=1000)
    earlier(world)
    break_(world)
    for number in range(EARLIER_MAX + 1):
        assert delivered(world, f"key-{number + 1}").cached
        world.clock.advance(1)
