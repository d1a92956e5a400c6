"""What a worker does with the line of its route, and with a job whose attempts are used up."""

from __future__ import annotations

import pytest

from common.credits import EntryKind
from common.errors import (
    ModelFailed,
    ModelThrottled,
    ModelTimedOut,
    ServiceFailed,
)
from common.jobs import JobStatus
from common.lines import THROTTLE_FACTOR_PERMILLE, US, Line
from common.routes import Route
from functions.worker.generate_image import (
    Again,
    Done,
)
from tests.fakes import MemoryLines
from tests.fakes_model import FakeModel
from tests.unit.test_generate_image import others_succeed
from tests.world import CORE, World

HOLD, SETTLE = EntryKind.HOLD, EntryKind.SETTLE


def stalled_world() -> tuple[World, str]:
    world = World(model=FakeModel(*[ModelTimedOut("No answer.")] * 3))
    job = world.submitted()
    for _attempt in range(3):
        world.work_once()
    assert world.job(job.job_id).status is JobStatus.STALLED
    world.clock.advance(0.001)
    return world, job.job_id


def test_a_stalled_jobs_message_fails_until_it_is_a_dead_letter() -> None:
    world, job_id = stalled_world()
    before = world.job(job_id)
    while not world.dead_letters:
        message = world.queue.receive()
        assert message is not None, "it is to come back at once"
        if message.receive_count > 5:
            break
        assert world.work(message) == Again(0)
    assert world.job(job_id) == before
    assert len(world.queue.sent) == 1


def work_for_ever(world: World) -> None:
    while True:
        world.work_once()


@pytest.mark.parametrize("repeats", [1, 3, 20])
def test_messages_that_a_repeated_submit_has_sent_redrive_nothing(repeats: int) -> None:
    world = World(model=FakeModel(*[ModelTimedOut("No answer.")] * 99))
    job = world.submitted()
    for _repeat in range(repeats):
        world.submit()
    with pytest.raises(AssertionError, match="no message is left"):
        work_for_ever(world)
    assert len(world.model.calls) == world.worker_settings.attempts_max
    assert world.job(job.job_id).status is JobStatus.STALLED
    assert len(world.dead_letters) == 1
    world.audit()


def test_a_redrive_starts_counting_anew_and_may_succeed() -> None:
    world, job_id = stalled_world()
    world.queue.send(job_id, "usr_ann", sending=1)  # a redrive is a new message
    assert world.work_until_terminal(job_id).status is JobStatus.SUCCEEDED
    assert world.job(job_id).attempts == 1
    assert world.kinds() == [HOLD, SETTLE]
    world.audit()


def test_a_redrive_has_all_its_attempts() -> None:
    world, job_id = stalled_world()
    world.model._answers += [ModelTimedOut("No answer.")] * 3
    (old,) = [message.message_id for message in world.queue._messages.values()]
    world.queue.send(job_id, "usr_ann", sending=1)
    while len(world.model.calls) < 6:
        others_succeed(world)
        world.work_once()
    stalled = world.job(job_id)
    assert (stalled.status, stalled.attempts) == (JobStatus.STALLED, 3)
    assert stalled.stalled_message_id != old


def test_a_slot_that_is_too_far_away_sends_the_job_back_unspent() -> None:
    world = World()
    job = world.submitted()
    message = world.next_message()
    ahead_us = world.clock.now_us() + 100 * US
    world.lines._lines[CORE.name] = Line(next_us=ahead_us)
    slept = len(world.clock.slept)
    assert world.work(message) == Done()
    assert len(world.clock.slept) == slept, "it did not wait for nothing"
    assert (world.job(job.job_id).status, world.job(job.job_id).attempts) == (JobStatus.QUEUED, 0)
    assert world.work_until_terminal(job.job_id).status is JobStatus.SUCCEEDED
    assert world.clock.now_us() >= ahead_us


def test_each_retry_of_a_model_takes_a_slot_of_its_own() -> None:
    world = World(model=FakeModel(ModelFailed("It broke."), ModelFailed("It broke.")))
    job = world.submitted()
    world.work_until_terminal(job.job_id)
    taken = [call for call in world.fate.calls if call == "lines.take"]
    assert len(taken) == len(world.model.calls) == 3


def test_a_throttle_slows_the_line_that_all_workers_share() -> None:
    world = World(model=FakeModel(ModelThrottled("Too many.", retry_after_seconds=5)))
    job = world.submitted()
    world.work_until_terminal(job.job_id)
    assert world.lines.read([CORE])[CORE.name].slowdown_permille == THROTTLE_FACTOR_PERMILLE


def test_a_failure_before_an_unavailable_start_spends_the_attempt() -> None:
    """Else a job that breaks the model comes back for ever while the line is long."""
    world = World(
        model=FakeModel(
            *[ModelFailed("It broke."), ModelThrottled("Too many.", retry_after_seconds=5)] * 20
        )
    )
    job = world.submitted()
    for _delivery in range(3):
        world.work_once()
        others_succeed(world)
    assert world.job(job.job_id).status is JobStatus.STALLED
    world.audit()


class DeafLines(MemoryLines):
    """Lines that cannot be changed after a start."""

    def adapt(self, route: Route, *, seen: Line, wanted: Line) -> bool:  # noqa: ARG002 - the port's
        raise ServiceFailed("Updating a line did not work.")


def test_an_image_is_not_thrown_away_because_the_line_could_not_be_eased() -> None:
    world = World()
    world.lines = DeafLines()
    job = world.submitted()
    world.lines._lines[CORE.name] = Line(slowdown_permille=1500)
    assert world.work_once() == Done()
    assert world.job(job.job_id).status is JobStatus.SUCCEEDED
    assert len(world.model.calls) == 1


def test_a_throttle_spends_no_attempt_even_if_the_line_could_not_be_slowed() -> None:
    world = World(
        model=FakeModel(*[ModelThrottled("Too many.", retry_after_seconds=5) for _ in range(3)])
    )
    world.lines = DeafLines()
    job = world.submitted()
    assert world.work_once() == Done()
    assert (world.job(job.job_id).status, world.job(job.job_id).attempts) == (JobStatus.QUEUED, 0)
