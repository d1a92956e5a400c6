"""When the model starts for a job, as its owner is told, and how long it took, as others are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from common.errors import ModelFailed, ModelThrottled, ModelTimedOut, ServiceFailed
from common.jobs import JobStatus, image_key
from common.latency import LATENCIES_KEPT
from common.lines import US, interval_us
from common.pacing import READY_US
from common.routes import Route
from functions.worker.generate_image import Done
from tests.fakes import MemoryLines
from tests.fakes_model import REFUSAL, FakeModel
from tests.fate import ProcessDied
from tests.world import CORE, World

INTERVAL = interval_us(CORE, 1000) / US


class Watching(FakeModel):
    """A model that lasts a while, and sees the job as its owner does meanwhile."""

    def __init__(
        self, *answers: Mapping[str, Any] | Exception, lasts: float = 0, ready: float = 0
    ) -> None:
        super().__init__(*answers)
        self.world: World
        self.lasts = lasts
        self.ready = ready
        self.promised: list[datetime | None] = []
        self.started: list[datetime] = []

    def invoke(
        self, route: Route, body: Mapping[str, Any], *, wait: Callable[[], None]
    ) -> Mapping[str, Any]:
        def watch() -> None:
            (job,) = self.world.tables.jobs.values()
            self.promised.append(job.starts_at)
            wait()
            self.started.append(self.world.clock())
            self.world.clock.advance(self.lasts)

        self.world.clock.advance(self.ready)
        return super().invoke(route, body, wait=watch)


def watched(model: Watching) -> World:
    model.world = World(model=model)
    return model.world


def latencies(world: World) -> tuple[int, ...]:
    return world.lines.read([CORE])[CORE.name].latencies_ms


def test_while_a_job_generates_it_says_when_the_model_starts() -> None:
    model = Watching(lasts=5)
    world = watched(model)
    job = world.submitted()
    asked = world.clock()
    assert world.work_once() == Done()
    assert model.promised == model.started == [asked + timedelta(microseconds=READY_US)]
    assert world.job(job.job_id).starts_at is None


def test_a_job_behind_a_busy_line_says_when_its_slot_is() -> None:
    model = Watching()
    world = watched(model)
    for _slot in range(10):
        world.lines.take(CORE, earliest_us=world.clock.now_us(), latest_us=2**62)
    world.submitted()
    asked = world.clock()
    world.work_once()
    (promised,) = model.promised
    assert promised is not None
    assert (promised - asked).total_seconds() == pytest.approx(10 * INTERVAL)


def test_the_slot_is_taken_before_the_claim_so_that_one_write_says_both() -> None:
    world = World()
    job = world.submitted()
    world.fate.calls.clear()
    world.fate.at = 4
    with pytest.raises(ProcessDied, match=r"before models\.invoke"):
        world.work_once()
    assert world.fate.calls == ["jobs.get", "lines.take", "jobs.save", "models.invoke"]
    claimed = world.job(job.job_id)
    assert claimed.version == job.version + 1
    assert claimed.starts_at is not None


ANSWERS: dict[str, tuple[list[Mapping[str, Any] | Exception], JobStatus]] = {
    "image": ([], JobStatus.SUCCEEDED),
    "refusal": ([REFUSAL], JobStatus.FAILED),
    "timed out": ([ModelTimedOut("No answer.")], JobStatus.QUEUED),
    "throttled": (
        [ModelThrottled("Too many.", retry_after_seconds=5)] * 3,
        JobStatus.QUEUED,
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_job_that_does_not_generate_any_more_starts_nothing(name: str) -> None:
    answers, status = ANSWERS[name]
    world = World(model=FakeModel(*answers))
    job = world.submitted()
    world.work_once()
    assert world.job(job.job_id).status is status
    assert world.job(job.job_id).starts_at is None


def test_a_job_that_stalls_starts_nothing() -> None:
    world = World(model=FakeModel(*[ModelTimedOut("No answer.")] * 3))
    job = world.submitted()
    for _attempt in range(3):
        world.work_once()
    assert world.job(job.job_id).status is JobStatus.STALLED
    assert world.job(job.job_id).starts_at is None


def test_where_no_slot_is_free_the_job_goes_on_waiting_in_its_place() -> None:
    world = World()
    job = world.submitted()
    for _slot in range(200):
        world.lines.take(CORE, earliest_us=world.clock.now_us(), latest_us=2**62)
    assert world.work_once() == Done()
    assert world.job(job.job_id) == job, "nothing was written"
    assert world.jobs.waiting(CORE.model).places == ((job.created_at, job.job_id),)
    assert world.queue.sent == [job.job_id] * 2
    assert world.work_until_terminal(job.job_id).status is JobStatus.SUCCEEDED
    world.audit()


def test_a_job_whose_worker_died_waits_again_where_no_slot_is_free() -> None:
    world = World()
    job = world.submitted()
    world.fate.calls.clear()
    world.fate.at = 4
    with pytest.raises(ProcessDied):
        world.work_once()
    world.clock.advance(world.worker_settings.lease_seconds + 1)
    for _slot in range(200):
        world.lines.take(CORE, earliest_us=world.clock.now_us(), latest_us=2**62)
    assert world.work_once() == Done()
    left = world.job(job.job_id)
    assert (left.status, left.starts_at, left.attempts) == (JobStatus.QUEUED, None, 1)
    assert world.work_until_terminal(job.job_id).status is JobStatus.SUCCEEDED
    world.audit()


def test_a_worker_that_died_leaves_the_next_one_a_start_of_its_own() -> None:
    model = Watching()
    world = watched(model)
    job = world.submitted()
    world.fate.calls.clear()
    world.fate.at = 4
    with pytest.raises(ProcessDied):
        world.work_once()
    lost = world.job(job.job_id).starts_at
    assert lost is not None
    world.work_until_terminal(job.job_id)
    (promised,) = model.promised
    assert promised is not None
    assert promised > lost


def test_a_latency_is_kept_from_the_start_to_the_stored_image(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = watched(Watching(lasts=5.25, ready=0.03))
    put = world.images.put

    def slow_put(key: str, content: bytes, *, width: int, height: int) -> Any:
        world.clock.advance(0.5)
        return put(key, content, width=width, height=height)

    monkeypatch.setattr(world.images, "put", slow_put)
    world.work_until_terminal(world.submitted().job_id)
    assert latencies(world) == (5_750,)


def test_a_call_that_is_made_again_counts_from_its_last_start() -> None:
    model = Watching(ModelFailed("It broke."), lasts=3)
    world = watched(model)
    world.work_until_terminal(world.submitted().job_id)
    assert len(model.started) == 2
    assert latencies(world) == (3_000,)
    assert model.promised[0] == model.promised[1] == model.started[0]


def test_a_call_that_is_made_again_has_a_slot_of_its_own() -> None:
    """A second start in a slot would be one more than the quota has, however soon it comes."""
    slow = CORE.model_copy(update={"rate_per_second": 0.25})
    model = Watching(ModelFailed("It broke."), ModelFailed("It broke."))
    model.world = World(model=model, routes=(slow,))
    model.world.submitted()
    assert model.world.work_once() == Done()
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(model.started)]
    assert len(gaps) == 2
    assert min(gaps) >= interval_us(slow, 1000) / US


@pytest.mark.parametrize("name", [name for name in ANSWERS if name != "image"])
def test_what_makes_no_image_has_no_latency(name: str) -> None:
    answers, _status = ANSWERS[name]
    world = World(model=FakeModel(*answers))
    world.submitted()
    world.work_once()
    assert latencies(world) == ()


def test_an_image_that_was_found_has_no_latency() -> None:
    world = World()
    job = world.submitted()
    world.fate.calls.clear()
    world.fate.at, world.fate.after = 5, True
    with pytest.raises(ProcessDied, match=r"after images\.put"):
        world.work_once()
    assert image_key(job) in world.images.contents
    done = world.work_until_terminal(job.job_id)
    assert done.status is JobStatus.SUCCEEDED
    assert len(world.model.calls) == 1
    assert latencies(world) == ()


def test_an_image_that_was_found_takes_no_slot() -> None:
    world = World()
    job = world.submitted()
    world.fate.calls.clear()
    world.fate.at, world.fate.after = 5, True
    with pytest.raises(ProcessDied):
        world.work_once()
    world.fate.calls.clear()
    world.work_until_terminal(job.job_id)
    assert "lines.take" not in world.fate.calls


class Forgetful(MemoryLines):
    """Lines that keep no latency."""

    def observe(self, route: Route, *, place: int, latency_ms: int) -> None:
        raise ServiceFailed(f"Keeping {latency_ms} at {place} of {route.name} did not work.")


def test_a_latency_that_cannot_be_kept_harms_nothing() -> None:
    world = World()
    world.lines = Forgetful()
    job = world.submitted()
    assert world.work_once() == Done()
    assert world.job(job.job_id).status is JobStatus.SUCCEEDED
    assert len(world.queue.sent) == 1


def test_the_last_latencies_are_kept_and_older_ones_go() -> None:
    world = World(active_jobs_max=100)
    world.person(available=1000)
    for number in range(LATENCIES_KEPT + 8):
        world.submit(key=f"key-{number}")
        world.work_once()
    assert len(latencies(world)) == LATENCIES_KEPT
