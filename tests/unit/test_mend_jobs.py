"""The sweep's care for jobs: what nobody looks at any more is sent again, or given up at last."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from common.acts import What
from common.credits import EntryKind
from common.errors import ModelTimedOut, ServiceFailed
from common.jobs import LAPSED_SECONDS, LOOK_SECONDS, Job, JobStatus, image_key
from common.routes import Route
from functions.sweep import mend_jobs as mending
from functions.sweep.mend_jobs import JOBS_MAX, SECONDS_LEFT_MIN, Mended, mend_jobs
from tests.fakes import MemoryActs, MemoryJobStore, MemoryQueue
from tests.fakes_model import FakeModel
from tests.fate import ProcessDied
from tests.unit.test_generate_image import others_succeed
from tests.world import CREDITS, World

NOTHING = Mended(0, 0, 0)
RELEASED = [EntryKind.HOLD, EntryKind.RELEASE]
SETTLED = [EntryKind.HOLD, EntryKind.SETTLE]
MINUTE, HOUR = 60, 3600
PATIENCE = 48 * HOUR


@pytest.fixture
def world() -> World:
    world = World(active_jobs_max=100)
    world.person()
    return world


def dies(world: World, place: int, do: Callable[[], object]) -> None:
    """Do it in a process that dies before its call of that number."""
    world.fate.calls.clear()
    world.fate.at = place
    with pytest.raises(ProcessDied):
        do()
    world.fate.at = None


def unsent(world: World, key: str = "key-1") -> Job:
    """A job whose submit died between its two calls."""
    dies(world, 2, lambda: world.submit(key=key))
    job = next(reversed(world.tables.jobs.values()))
    assert job.job_id not in world.queue.sent
    return job


def leased(world: World) -> Job:
    """A job whose worker died at the model, and its message with it."""
    job = world.submit()
    dies(world, 4, world.work_once)
    world.queue._messages.clear()
    return world.job(job.job_id)


def stalled(world: World, key: str = "key-1") -> Job:
    """A job whose attempts are used up, its message long gone to the dead letters."""
    job = world.submit(key=key)
    stall_again(world)
    assert world.job(job.job_id).status is JobStatus.STALLED
    return world.job(job.job_id)


def stall_again(world: World) -> None:
    """Use up the attempts of the job in the queue, while its route works for others."""
    world.model = FakeModel(*[ModelTimedOut("No answer.")] * 3)
    for _attempt in range(3):
        others_succeed(world)
        world.work_once()
    world.queue._messages.clear()


def sends_in(world: World, *, hours: float) -> list[int]:
    """When a sweep each minute sends something, in seconds from now."""
    began = world.clock()
    sends: list[int] = []
    for _minute in range(round(hours * 60)):
        world.clock.advance(MINUTE)
        after = round((world.clock() - began).total_seconds())
        sends += [after] * world.mend().sent_again
    return sends


def test_a_job_whose_submit_died_between_its_calls_is_sent(world: World) -> None:
    job = unsent(world)
    world.clock.advance(LOOK_SECONDS - 1)
    assert world.mend() == NOTHING, "its owner may still submit it again"
    world.clock.advance(1)
    assert world.mend() == Mended(sent_again=1, lapsed=0, given_up=0)
    done = world.work_until_terminal(job.job_id)
    assert (done.status, done.attempts) == (JobStatus.SUCCEEDED, 1)
    assert world.kinds() == SETTLED
    world.audit()


class FullQueue(MemoryQueue):
    """A queue that takes nothing for a while."""

    full = True

    def send(
        self, job_id: str, user_id: str, *, sending: int | None, delay_seconds: int = 0
    ) -> None:
        if self.full:
            raise ServiceFailed("Sending a job did not work.")
        super().send(job_id, user_id, sending=sending, delay_seconds=delay_seconds)


def test_a_job_that_the_queue_did_not_take_is_sent_when_it_does(
    world: World, written: Callable[[], str]
) -> None:
    queue = world.queue = FullQueue(world.clock)
    job = world.submit()
    world.clock.advance(LOOK_SECONDS)
    assert world.mend() == NOTHING
    logged = written()
    assert '"message":"not mended"' in logged
    assert "service_failed" in logged
    queue.full = False
    assert world.mend() == NOTHING, "the other sweep of this minute may have sent it"
    world.clock.advance(LOOK_SECONDS)
    assert world.mend().sent_again == 1
    assert world.work_until_terminal(job.job_id).status is JobStatus.SUCCEEDED
    world.audit()


def test_a_job_whose_worker_died_with_its_message_is_sent_after_its_lease(world: World) -> None:
    job = leased(world)
    world.clock.advance(world.worker_settings.lease_seconds + LAPSED_SECONDS - 1)
    assert world.mend() == NOTHING, "its message may still come back"
    world.clock.advance(1)
    assert world.mend() == Mended(sent_again=0, lapsed=1, given_up=0)
    done = world.work_until_terminal(job.job_id)
    assert (done.status, done.attempts) == (JobStatus.SUCCEEDED, 2)
    world.audit()


def test_a_message_too_many_does_no_harm(world: World) -> None:
    job = world.submit()
    world.clock.advance(LOOK_SECONDS)
    assert world.mend().sent_again == 1
    assert world.queue.sent == [job.job_id] * 2
    world.work_once()
    world.work_once()
    assert len(world.model.calls) == 1
    assert world.kinds() == SETTLED
    assert world.queue._messages == {}
    world.audit()


def test_a_job_is_not_sent_again_before_it_has_waited_as_long_again(world: World) -> None:
    """So that a long line does not fill the queue with the same jobs."""
    world.submit()
    offsets = [300, 600, 1200, 2400, 4800, 8400, 12_000]
    assert sends_in(world, hours=4) == offsets
    assert len(world.queue.sent) == 1 + len(offsets)


def test_a_job_that_came_back_to_the_queue_has_its_time_again(world: World) -> None:
    world.model = FakeModel(ModelTimedOut("No answer."))
    world.submit()
    world.clock.advance(LOOK_SECONDS - 1)
    world.work_once()
    world.clock.advance(LOOK_SECONDS - 1)
    assert world.mend() == NOTHING
    world.clock.advance(1)
    assert world.mend().sent_again == 1


def test_a_job_that_works_is_left_alone(world: World) -> None:
    job = world.submit()
    done = world.work_until_terminal(job.job_id)
    world.clock.advance(30 * 24 * HOUR)
    assert world.mend() == NOTHING
    assert world.job(job.job_id) == done


def test_a_stalled_job_that_nobody_decides_about_is_given_up_and_costs_nothing(
    world: World,
) -> None:
    job = stalled(world)
    assert job.stalled_at is not None
    world.clock.advance(PATIENCE - (world.clock() - job.stalled_at).total_seconds() - 1)
    assert world.mend() == NOTHING
    assert world.job(job.job_id) == job, "until then an operator decides"
    world.clock.advance(1)
    assert world.mend() == Mended(sent_again=0, lapsed=0, given_up=1)
    failed = world.job(job.job_id)
    assert failed.status is JobStatus.FAILED
    assert failed.error is not None
    assert failed.error.code == "given_up"
    assert "48 hours" in failed.error.message
    assert world.kinds() == RELEASED
    assert world.tables.users["usr_ann"].balance.available == CREDITS
    (act,) = MemoryActs(world.tables).of(job.job_id)
    assert (act.what, act.by, act.at) == (What.DISCARDED, "sweep", failed.finished_at)
    assert act.why == failed.error.message
    assert world.mend() == NOTHING
    world.audit()


def test_an_operators_redrive_begins_the_wait_anew(world: World) -> None:
    job = stalled(world)
    world.clock.advance(PATIENCE - HOUR)
    world.queue.send(job.job_id, job.user_id, sending=1)
    stall_again(world)
    world.clock.advance(PATIENCE - HOUR)
    assert world.mend() == NOTHING
    assert world.job(job.job_id).status is JobStatus.STALLED
    world.clock.advance(HOUR)
    assert world.mend().given_up == 1


def test_a_stalled_job_whose_image_is_stored_is_settled_instead(world: World) -> None:
    """Its last worker died after it had stored the image, and its owner sees it in the end."""
    job = stalled(world)
    world.images.put(image_key(job), b"an image", width=4, height=2)
    calls = len(world.model.calls)
    world.clock.advance(PATIENCE)
    assert world.mend() == Mended(sent_again=0, lapsed=0, given_up=1)
    (act,) = MemoryActs(world.tables).of(job.job_id)
    assert (act.what, act.by) == (What.REDRIVEN, "sweep")
    assert world.work_until_terminal(job.job_id).status is JobStatus.SUCCEEDED
    assert len(world.model.calls) == calls, "it is not paid for again"
    assert world.kinds() == SETTLED
    world.audit()


class Overtaken(MemoryJobStore):
    """A store where another sweep goes all the way while one has only read."""

    def __init__(self, world: World) -> None:
        super().__init__(world.tables)
        self._world = world

    def get(self, job_id: str) -> Job | None:
        read = super().get(job_id)
        self._world.jobs = MemoryJobStore(self._world.tables)
        self._world.mend()
        self._world.clock.advance(0.001)
        return read


@pytest.mark.parametrize("prepare", [unsent, leased])
def test_of_two_sweeps_at_once_one_sends(world: World, prepare: Callable[[World], Job]) -> None:
    job = prepare(world)
    world.clock.advance(LOOK_SECONDS)
    sent = len(world.queue.sent)
    world.jobs = Overtaken(world)
    assert world.mend() == NOTHING
    assert world.queue.sent[sent:] == [job.job_id]


@pytest.mark.parametrize("stored", [False, True])
def test_of_two_sweeps_at_once_one_decides(world: World, *, stored: bool) -> None:
    job = stalled(world)
    if stored:
        world.images.put(image_key(job), b"an image", width=4, height=2)
    world.clock.advance(PATIENCE)
    sent = len(world.queue.sent)
    world.jobs = Overtaken(world)
    assert world.mend() == NOTHING
    assert len(MemoryActs(world.tables).of(job.job_id)) == 1
    assert len(world.queue.sent) - sent == int(stored)
    world.audit()


class LateIndex(MemoryJobStore):
    """An index that is behind, as DynamoDB's may be."""

    def __init__(self, world: World, *due: str) -> None:
        super().__init__(world.tables)
        self._due = due

    def due(self, *_args: object, **_named: object) -> tuple[str, ...]:
        return self._due


def test_a_job_that_changed_since_the_index_was_read_is_left_alone(world: World) -> None:
    done, looked_at = world.submit(), unsent(world, "key-2")
    world.work_until_terminal(done.job_id)
    world.clock.advance(LOOK_SECONDS)
    world.mend()
    world.clock.advance(LOOK_SECONDS - 1)
    before, sent = dict(world.tables.jobs), list(world.queue.sent)
    world.jobs = LateIndex(world, done.job_id, looked_at.job_id, "job_gone")
    assert world.mend() == NOTHING
    assert (world.tables.jobs, world.queue.sent) == (before, sent)
    world.clock.advance(2)
    assert world.mend() == Mended(sent_again=1, lapsed=0, given_up=0)


def test_a_sweep_looks_at_so_many_jobs_and_the_next_one_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert JOBS_MAX == 100
    monkeypatch.setattr(mending, "JOBS_MAX", 3)
    jobs = []
    for number in range(7):
        jobs.append(unsent(world, f"key-{number}").job_id)
        world.clock.advance(1)
    world.clock.advance(LOOK_SECONDS)
    assert [world.mend().sent_again for _sweep in range(4)] == [3, 3, 1, 0]
    assert world.queue.sent == jobs, "the longest due first"


def test_a_sweep_stops_when_there_is_no_time_for_another_job(world: World) -> None:
    for number in range(4):
        unsent(world, f"key-{number}")
    world.clock.advance(LOOK_SECONDS)
    left = iter([SECONDS_LEFT_MIN + 1, SECONDS_LEFT_MIN, SECONDS_LEFT_MIN - 0.1, 0])
    mended = mend_jobs(world.sweep_services(), seconds_left=lambda: next(left))
    assert mended.sent_again == len(world.queue.sent) == 2
    assert world.mend().sent_again == 2


class Unreadable(MemoryJobStore):
    """A store where some jobs cannot be read, each for a reason of its own."""

    def __init__(self, world: World, reasons: Mapping[str, Exception]) -> None:
        super().__init__(world.tables)
        self._reasons = reasons

    def get(self, job_id: str) -> Job | None:
        if job_id in self._reasons:
            raise self._reasons[job_id]
        return super().get(job_id)


def test_a_bad_job_does_not_keep_the_others_from_being_looked_at(
    world: World, written: Callable[[], str]
) -> None:
    jobs = [unsent(world, f"key-{number}") for number in range(4)]
    world.clock.advance(LOOK_SECONDS)
    reasons = {
        jobs[0].job_id: KeyError("a detail"),
        jobs[2].job_id: ServiceFailed("Reading a job did not work."),
    }
    world.jobs = Unreadable(world, reasons)
    assert world.mend().sent_again == 2
    assert sorted(world.queue.sent) == sorted([jobs[1].job_id, jobs[3].job_id])
    logged = written()
    assert logged.count('"message":"not mended"') == 2
    assert all(f'"job_id":"{jobs[place].job_id}"' in logged for place in (0, 2))
    assert "a detail" in logged, "it is a bug, to be found"


class Slow(FakeModel):
    """A model during whose call the lease lapses, and a sweep comes by."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def invoke(
        self, route: Route, body: Mapping[str, Any], *, wait: Callable[[], None]
    ) -> Mapping[str, Any]:
        answer = super().invoke(route, body, wait=wait)
        self._world.clock.advance(self._world.worker_settings.lease_seconds + LAPSED_SECONDS)
        assert self._world.mend().lapsed == 1
        return answer


def test_a_sweep_under_a_slow_worker_costs_no_second_image(world: World) -> None:
    job = world.submit()
    model = world.model = Slow(world)
    assert world.work_until_terminal(job.job_id).status is JobStatus.SUCCEEDED
    assert len(model.calls) == 1
    assert world.kinds() == SETTLED
    world.audit()


def test_a_job_that_could_not_be_sent_is_looked_at_by_the_next_sweep(world: World) -> None:
    job = unsent(world)
    queue, world.queue = world.queue, FullQueue(world.clock)
    world.clock.advance(LOOK_SECONDS)
    assert world.mend() == NOTHING
    world.queue = queue
    world.clock.advance(MINUTE)
    assert world.mend().sent_again == 1
    assert world.work_until_terminal(job.job_id).status is JobStatus.SUCCEEDED
