"""What operators decide about stalled jobs, on fakes; the sweep and the workers go on meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from common.acts import Act, What
from common.credits import EntryKind
from common.errors import ModelFailed, ServiceFailed
from common.jobs import JobError, JobStatus, image_key
from common.stalled import redrive_job
from ops.stalled.dead_letters import HIDDEN_SECONDS
from ops.stalled.decisions import (
    Outcome,
    Result,
    discard_each,
    redrive_each,
    remove_each,
    remove_left_over,
)
from ops.stalled.stalled_jobs import Stray
from tests.fakes_dead_letters import ORDER, WHY, StallingWorld
from tests.fakes_model import FakeModel
from tests.fate import ProcessDied
from tests.world import CORE_COST, CREDITS

HOLD, SETTLE, RELEASE = EntryKind.HOLD, EntryKind.SETTLE, EntryKind.RELEASE
DRY = replace(ORDER, by="", dry_run=True)
Decide = Callable[[StallingWorld, str], list[Outcome]]


@pytest.fixture
def world() -> StallingWorld:
    return StallingWorld()


def redrive(world: StallingWorld, *job_ids: str, **other: Any) -> list[Outcome]:
    told = {"order": ORDER, "per_second": 10, **other}
    with world.box.reading() as reading:
        return list(redrive_each(job_ids, desk=world.desk, reading=reading, **told))


def discard(world: StallingWorld, *job_ids: str, **other: Any) -> list[Outcome]:
    told = {"order": ORDER, **other}
    with world.box.reading() as reading:
        return list(discard_each(job_ids, desk=world.desk, reading=reading, **told))


def remove(world: StallingWorld, *message_ids: str, **other: Any) -> list[Outcome]:
    told = {"order": ORDER, **other}
    with world.box.reading() as reading:
        return list(remove_each(message_ids, desk=world.desk, reading=reading, **told))


def redrive_all(world: StallingWorld) -> list[Outcome]:
    with world.box.reading() as reading:
        found = world.look_at(reading)
        given: dict[str, Any] = {"desk": world.desk, "reading": reading, "order": ORDER}
        job_ids = [job.job_id for job in found.jobs]
        return [
            *redrive_each(job_ids, per_second=10, **given),
            *remove_left_over(found.left_over, **given),
        ]


def results(outcomes: Iterable[Outcome]) -> list[Result]:
    return [each.result for each in outcomes]


def acts(world: StallingWorld, subject: str) -> list[tuple[What, str, str]]:
    return [(act.what, act.by, act.why) for act in world.acts.of(subject)]


def test_a_redriven_job_has_its_attempts_again_and_its_message_goes(world: StallingWorld) -> None:
    job_id = world.stalled().job_id
    (outcome,) = redrive(world, job_id)

    assert (outcome.result, outcome.deleted) == (Result.REDRIVEN, 1)
    assert (world.job(job_id).status, world.job(job_id).attempts) == (JobStatus.QUEUED, 0)
    assert world.box.ids == []
    assert acts(world, job_id) == [(What.REDRIVEN, ORDER.by, WHY)]
    assert world.work_until_terminal(job_id).status is JobStatus.SUCCEEDED
    assert world.kinds() == [HOLD, SETTLE]
    world.audit()


def test_a_second_redrive_does_nothing(world: StallingWorld) -> None:
    job_id = world.stalled().job_id
    redrive(world, job_id)
    sent = list(world.queue.sent)
    (again,) = redrive(world, job_id)
    assert (again.result, again.failed) == (Result.NOTHING, False)
    assert "queued, not stalled" in again.said
    assert world.queue.sent == sent
    assert len(acts(world, job_id)) == 1


def test_a_job_whose_message_was_purged_is_listed_and_redriven_all_the_same(
    world: StallingWorld,
) -> None:
    job = world.stalled()
    world.box.purge()
    assert world.look().jobs == (job,)
    (outcome,) = redrive(world, job.job_id)
    assert (outcome.result, outcome.deleted) == (Result.REDRIVEN, 0)
    assert world.work_until_terminal(job.job_id).status is JobStatus.SUCCEEDED


def test_a_redrive_by_the_console_needs_no_other(world: StallingWorld) -> None:
    job_id = world.stalled().job_id
    world.console_redrive()
    assert world.work_until_terminal(job_id).status is JobStatus.SUCCEEDED
    assert results(redrive(world, job_id)) == [Result.NOTHING]
    assert results(discard(world, job_id)) == [Result.NOTHING]
    assert world.kinds() == [HOLD, SETTLE]


def test_of_two_terminals_at_once_one_redrives_and_the_other_does_nothing(
    world: StallingWorld,
) -> None:
    job_id = world.stalled().job_id
    desk = world.desk

    def other_terminal() -> None:
        redrive_job(
            job_id, by="mallory", why="x", jobs=desk.jobs, queue=desk.queue, now=world.clock
        )
        world.clock.advance(0.001)

    world.after("jobs.get", job_id, other_terminal)
    (outcome,) = redrive(world, job_id)
    assert outcome.result is Result.NOTHING
    assert world.queue.sent == [job_id, job_id], "the submit's, and one redrive's"
    assert [by for _what, by, _why in acts(world, job_id)] == ["mallory"]
    assert world.box.ids, "what is not known to be of no use stays"


def test_one_that_fails_does_not_keep_the_others(world: StallingWorld) -> None:
    first, second, third = (world.stalled(key).job_id for key in "abc")
    world.instead("jobs.save", second, ServiceFailed("Writing a job did not work."))
    outcomes = redrive(world, first, second, "job_x", third)
    assert results(outcomes) == [
        Result.REDRIVEN,
        Result.FAILED,
        Result.NOT_FOUND,
        Result.REDRIVEN,
    ]
    assert [each.failed for each in outcomes] == [False, True, True, False]
    assert [job.job_id for job in world.look().jobs] == [second]
    assert len(world.box.ids) == 1
    assert results(redrive(world, second)) == [Result.REDRIVEN]


def test_a_job_that_could_not_be_sent_is_sent_by_the_sweep(world: StallingWorld) -> None:
    job_id = world.stalled().job_id
    world.instead("queue.send", job_id, ServiceFailed("Sending a job did not work."))
    assert results(redrive(world, job_id)) == [Result.FAILED]
    (stray,) = world.look().strays
    assert stray.what is Stray.UNEXPECTED
    world.clock.advance(600)
    world.mend()
    assert world.work_until_terminal(job_id).status is JobStatus.SUCCEEDED
    world.audit()


def test_a_message_that_could_not_be_deleted_makes_no_redrive_fail(world: StallingWorld) -> None:
    job_id = world.stalled().job_id
    world.box.broken = True
    (outcome,) = redrive(world, job_id)
    assert (outcome.result, outcome.failed, outcome.deleted) == (Result.REDRIVEN, False, 0)
    assert "left over" in outcome.said
    world.box.broken = False
    world.work_until_terminal(job_id)
    assert results(redrive_all(world)) == [Result.REMOVED]


def test_a_message_that_another_reader_has_is_not_said_to_be_removed(
    world: StallingWorld,
) -> None:
    foreign = world.box.put("hello")
    with world.box.reading() as slow:
        world.clock.advance(HIDDEN_SECONDS + 1)
        with world.box.reading():
            (outcome,) = remove_each([foreign], desk=world.desk, reading=slow, order=ORDER)
    assert (outcome.result, world.box.ids) == (Result.FAILED, [foreign])
    assert results(remove(world, foreign)) == [Result.REMOVED]


def test_an_operator_whose_clock_is_late_sees_what_stalled_just_now(world: StallingWorld) -> None:
    job = world.stalled()
    world.clock.advance(-600)
    assert world.look().jobs == (job,)


def test_redrives_are_paced(world: StallingWorld) -> None:
    job_ids = [world.stalled(key).job_id for key in "abcd"]
    began = world.clock()
    redrive(world, *job_ids, per_second=2)
    assert world.clock() - began == timedelta(seconds=1.5)


def test_all_takes_what_jobs_that_are_over_have_left_and_nothing_else(
    world: StallingWorld,
) -> None:
    over, stalled = world.stalled("over"), world.stalled("stalled")
    body = world.box.bodies[0]
    redrive(world, over.job_id)
    left_over, foreign = world.box.put(body), world.box.put("hello")
    world.work_until_terminal(over.job_id)
    queued = world.submit(key="queued")
    unexpected = world.box.put(body.replace(over.job_id, queued.job_id))
    unknown = world.box.put(body.replace(over.job_id, "job_" + "0" * 32))

    found = world.look()
    assert {each.letter.message_id: each.what for each in found.strays} == {
        left_over: Stray.LEFT_OVER,
        foreign: Stray.UNREADABLE,
        unexpected: Stray.UNEXPECTED,
        unknown: Stray.NO_JOB,
    }
    assert results(redrive_all(world)) == [Result.REDRIVEN, Result.REMOVED]
    assert world.box.ids == [foreign, unexpected, unknown]
    assert acts(world, f"message#{left_over}") == [
        (What.REMOVED, ORDER.by, f"left over: {over.job_id} is succeeded")
    ]
    assert acts(world, stalled.job_id) == [(What.REDRIVEN, ORDER.by, WHY)]


def test_jobs_are_found_by_the_error_that_they_stalled_by(world: StallingWorld) -> None:
    world.stalled("a")
    other = world.stalled("b", error=JobError(code="model_failed", message="No."))
    world.box.put("hello")
    found = world.look("model_failed")
    assert (found.jobs, found.strays) == ((other,), ())


def test_a_job_that_the_index_does_not_have_yet_is_found_by_its_message(
    world: StallingWorld,
) -> None:
    job = world.stalled()
    world.jobs.due = lambda *_, **__: ()  # type: ignore[method-assign]  # it lags
    assert (world.look().jobs, world.look().strays) == ((job,), ())


def test_a_discarded_job_is_told_why_and_gives_its_credits_back(world: StallingWorld) -> None:
    job_id = world.stalled().job_id
    (outcome,) = discard(world, job_id)
    job = world.job(job_id)
    assert (outcome.result, outcome.deleted, world.box.ids) == (Result.DISCARDED, 1, [])
    assert (job.status, job.error) == (JobStatus.FAILED, JobError(code="discarded", message=WHY))
    assert world.tables.users["usr_ann"].balance.available == CREDITS
    assert world.kinds() == [HOLD, RELEASE]
    assert acts(world, job_id) == [(What.DISCARDED, ORDER.by, WHY)]
    assert results(discard(world, job_id)) == [Result.NOTHING]
    world.audit()


@pytest.mark.parametrize("order", [ORDER, DRY])
def test_a_job_whose_image_is_stored_is_not_discarded_but_settled_by_a_redrive(
    world: StallingWorld, order: Any
) -> None:
    job = world.stalled()
    world.images.put(image_key(job), b"png", width=1, height=1)
    (outcome,) = discard(world, job.job_id, order=order)
    assert outcome.result is Result.REFUSED
    assert "redrive" in outcome.said
    assert (world.job(job.job_id), len(world.box.ids)) == (job, 1)
    redrive(world, job.job_id)
    assert world.work_until_terminal(job.job_id).status is JobStatus.SUCCEEDED
    assert world.model.calls == []


def test_what_is_tried_dry_is_said_and_changes_nothing(world: StallingWorld) -> None:
    job_id = world.stalled().job_id
    foreign = world.box.put("hello")
    before = (dict(world.tables.jobs), list(world.queue.sent), world.box.ids)
    assert results(redrive(world, job_id, order=DRY)) == [Result.REDRIVEN]
    assert results(discard(world, job_id, order=DRY)) == [Result.DISCARDED]
    assert results(remove(world, foreign, order=DRY)) == [Result.REMOVED]
    assert results(redrive(world, "job_x", order=DRY)) == [Result.NOT_FOUND]
    assert (dict(world.tables.jobs), list(world.queue.sent), world.box.ids) == before
    assert world.tables.acts == {}


def test_a_foreign_message_is_kept_in_the_act_that_removes_it(world: StallingWorld) -> None:
    foreign = world.box.put("hello")
    assert results(remove(world, foreign)) == [Result.REMOVED]
    (act,) = world.acts.of(f"message#{foreign}")
    assert (act.what, act.by, act.why, act.body) == (What.REMOVED, ORDER.by, WHY, "hello")
    assert world.box.ids == []
    (again,) = remove(world, foreign)
    assert (again.result, again.said) == (Result.NOTHING, f"It was removed by {ORDER.by}.")
    assert results(remove(world, "nothing")) == [Result.NOT_FOUND]


def test_more_than_an_act_can_hold_does_not_keep_a_message_in_the_queue(
    world: StallingWorld,
) -> None:
    foreign = world.box.put("ữ" * 300_000)
    assert results(remove(world, foreign)) == [Result.REMOVED]
    (act,) = world.acts.of(f"message#{foreign}")
    assert act.body == "ữ" * 100_000


def test_a_stalled_jobs_message_is_not_removed(world: StallingWorld) -> None:
    job = world.stalled()
    (message_id,) = world.box.ids
    (outcome,) = remove(world, message_id)
    assert (outcome.result, world.box.ids) == (Result.REFUSED, [message_id])
    assert job.job_id in outcome.said
    assert world.tables.acts == {}


def test_a_removal_that_died_between_its_act_and_its_end_is_ended_by_the_next(
    world: StallingWorld,
) -> None:
    foreign = world.box.put("hello")
    world.die(2, after=True)  # acts.of, then acts.write
    with pytest.raises(ProcessDied):
        remove(world, foreign)
    world.fate.at = None
    first: tuple[Act, ...] = world.acts.of(f"message#{foreign}")
    assert (len(first), world.box.ids) == (1, [foreign])
    world.clock.advance(60)
    assert results(remove(world, foreign, order=replace(ORDER, by="bob"))) == [Result.REMOVED]
    assert (world.acts.of(f"message#{foreign}"), world.box.ids) == (first, [])


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(1, 5))
@pytest.mark.parametrize("decide", [redrive, discard])
def test_whichever_call_a_terminal_dies_at_the_next_one_brings_the_job_to_its_end(
    decide: Decide, at: int, *, after: bool
) -> None:
    world = StallingWorld(model=FakeModel(*[ModelFailed("No.")] * 2))
    job_id = world.stalled().job_id
    world.die(at, after=after)
    try:
        decide(world, job_id)
    except ProcessDied:
        world.fate.at = None
        decide(world, job_id)
    world.fate.at = None
    world.audit()
    assert not world.look().jobs
    if decide is redrive:
        world.clock.advance(600)
        world.mend()
        world.work_until_terminal(job_id)
    assert world.kinds() == [HOLD, SETTLE if decide is redrive else RELEASE]
    world.audit()
    redrive_all(world)
    assert world.box.ids == []
    assert world.entries()[-1].held == -CORE_COST
