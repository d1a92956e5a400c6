"""What an operator decides about a stalled job: once, by whoever is first, and with their name."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from common.acts import Act, What
from common.credits import LedgerEntry
from common.errors import Conflict, NotFound, ServiceFailed, StaleWrite
from common.jobs import LOOK_SECONDS, Job, JobError, JobStatus, image_key
from common.stalled import discard_job, redrive_job, require_stalled
from functions.worker.generate_image import Done
from tests.fakes import MemoryActs, MemoryJobStore
from tests.unit.test_mend_jobs import RELEASED, SETTLED, FullQueue, leased, stall_again, stalled
from tests.world import CREDITS, World

BY = "arn:aws:iam::111111111111:user/eve"
WHY = "The model works again."
ERROR = JobError(code="discarded", message="This prompt breaks the model.")
MISSING = "job_" + "0" * 32


@pytest.fixture
def world() -> World:
    world = World()
    world.person()
    return world


def redrive(world: World, job_id: str) -> Job:
    return redrive_job(job_id, by=BY, why=WHY, jobs=world.jobs, queue=world.queue, now=world.clock)


def discard(world: World, job_id: str) -> Job:
    return discard_job(
        job_id,
        error=ERROR,
        by=BY,
        why=WHY,
        jobs=world.jobs,
        images=world.images,
        now=world.clock,
    )


Decide = Callable[[World, str], Job]
DECISIONS = [redrive, discard]


def acts(world: World, job_id: str) -> tuple[Act, ...]:
    return MemoryActs(world.tables).of(job_id)


def everything(world: World) -> tuple[object, ...]:
    """All that a decision could change."""
    tables = world.tables
    return dict(tables.jobs), dict(tables.users), dict(tables.ledger), dict(tables.acts)


def test_a_redriven_job_has_all_its_attempts_again_and_is_sent(world: World) -> None:
    job = stalled(world)
    world.clock.advance(60)
    sent = len(world.queue.sent)
    redriven = redrive(world, job.job_id)
    assert redriven == world.job(job.job_id)
    assert (redriven.status, redriven.attempts) == (JobStatus.QUEUED, 0)
    assert world.queue.sent[sent:] == [job.job_id]
    assert acts(world, job.job_id) == (
        Act(
            subject=job.job_id,
            act_id=f"v{redriven.version:09d}",
            what=What.REDRIVEN,
            at=world.clock(),
            by=BY,
            why=WHY,
        ),
    )
    done = world.work_until_terminal(job.job_id)
    assert (done.status, done.attempts) == (JobStatus.SUCCEEDED, 1)
    assert world.kinds() == SETTLED
    world.audit()


def test_a_discarded_job_has_failed_and_its_owner_knows_why(world: World) -> None:
    job = stalled(world)
    world.clock.advance(60)
    discarded = discard(world, job.job_id)
    assert discarded == world.job(job.job_id)
    assert (discarded.status, discarded.error) == (JobStatus.FAILED, ERROR)
    assert discarded.finished_at == world.clock()
    assert world.kinds() == RELEASED
    assert world.tables.users["usr_ann"].balance.available == CREDITS
    (act,) = acts(world, job.job_id)
    assert (act.what, act.by, act.why, act.at) == (What.DISCARDED, BY, WHY, world.clock())
    world.audit()


@pytest.mark.parametrize("decide", DECISIONS)
def test_a_job_that_is_not_there_cannot_be_decided_about(world: World, decide: Decide) -> None:
    with pytest.raises(NotFound, match=MISSING):
        decide(world, MISSING)
    with pytest.raises(NotFound, match=MISSING):
        require_stalled(MISSING, world.jobs)


def queued(world: World) -> Job:
    return world.submit()


def over(world: World) -> Job:
    return world.work_until_terminal(world.submit().job_id)


@pytest.mark.parametrize("decide", DECISIONS)
@pytest.mark.parametrize("prepare", [queued, leased, over])
def test_a_job_that_is_not_stalled_is_left_alone(
    world: World, decide: Decide, prepare: Callable[[World], Job]
) -> None:
    job = prepare(world)
    before, sent = everything(world), list(world.queue.sent)
    with pytest.raises(Conflict, match=str(job.status)) as refused:
        decide(world, job.job_id)
    assert refused.value.code == "not_stalled"
    assert everything(world) == before
    assert world.queue.sent == sent


@pytest.mark.parametrize("again", DECISIONS)
@pytest.mark.parametrize("first", DECISIONS)
def test_what_was_decided_stays(world: World, first: Decide, again: Decide) -> None:
    job = stalled(world)
    first(world, job.job_id)
    before, sent = everything(world), list(world.queue.sent)
    with pytest.raises(Conflict) as refused:
        again(world, job.job_id)
    assert refused.value.code == "not_stalled"
    assert everything(world) == before
    assert world.queue.sent == sent
    world.audit()


class Overtaken(MemoryJobStore):
    """A store where somebody else is a moment faster with each job that is to be written."""

    def __init__(self, world: World, meanwhile: Callable[[Job], object]) -> None:
        super().__init__(world.tables)
        self._meanwhile = meanwhile

    def save(self, job: Job, *, entry: LedgerEntry | None = None, act: Act | None = None) -> None:
        self._meanwhile(job)
        super().save(job, entry=entry, act=act)


@pytest.mark.parametrize("decide", DECISIONS)
def test_of_two_who_decide_at_once_one_does_and_the_other_is_told(
    world: World, decide: Decide
) -> None:
    job = stalled(world)

    def another_decides(_job: Job) -> None:
        world.jobs = MemoryJobStore(world.tables)
        discard(world, job.job_id)
        world.clock.advance(1)

    world.jobs = Overtaken(world, another_decides)
    world.clock.advance(1)
    sent = list(world.queue.sent)
    if decide is discard:
        discard(world, job.job_id)  # at the same moment, so that both wrote the same
    else:
        with pytest.raises(StaleWrite):
            redrive(world, job.job_id)
    assert world.queue.sent == sent, "nothing is sent for what was not written"
    assert world.job(job.job_id).status is JobStatus.FAILED
    assert len(acts(world, job.job_id)) == 1
    world.audit()


def test_a_redrive_from_the_queue_wins_over_a_discard(world: World) -> None:
    """A message that came back after the stall: a worker has the job, and may yet finish it."""
    job = stalled(world)
    world.clock.advance(1)
    world.queue.send(job.job_id, job.user_id, sending=1)

    def a_worker_has_it(_job: Job) -> None:
        world.jobs = MemoryJobStore(world.tables)
        assert world.work_once() == Done()

    world.jobs = Overtaken(world, a_worker_has_it)
    with pytest.raises(StaleWrite):
        discard(world, job.job_id)
    assert world.job(job.job_id).status is JobStatus.SUCCEEDED
    assert acts(world, job.job_id) == ()
    assert world.kinds() == SETTLED
    world.audit()


def test_a_job_whose_image_is_stored_is_not_discarded_but_redriven(world: World) -> None:
    """Its last worker died after it had stored the image."""
    job = stalled(world)
    world.images.put(image_key(job), b"an image", width=4, height=2)
    before, calls = everything(world), len(world.model.calls)
    with pytest.raises(Conflict, match="redrive") as refused:
        discard(world, job.job_id)
    assert refused.value.code == "image_stored"
    assert everything(world) == before
    redrive(world, job.job_id)
    assert world.work_until_terminal(job.job_id).status is JobStatus.SUCCEEDED
    assert len(world.model.calls) == calls, "it is not paid for again"
    world.audit()


def test_a_redriven_job_that_the_queue_did_not_take_is_sent_by_the_sweep(world: World) -> None:
    job = stalled(world)
    queue = world.queue = FullQueue(world.clock)
    with pytest.raises(ServiceFailed):
        redrive(world, job.job_id)
    assert world.job(job.job_id).status is JobStatus.QUEUED, "it was decided all the same"
    assert len(acts(world, job.job_id)) == 1
    queue.full = False
    world.clock.advance(LOOK_SECONDS)
    assert world.mend().sent_again == 1
    assert world.work_until_terminal(job.job_id).status is JobStatus.SUCCEEDED
    world.audit()


def test_a_job_may_stall_again_and_each_act_is_kept(world: World) -> None:
    job = stalled(world)
    for _time in range(2):
        world.clock.advance(1)
        redrive(world, job.job_id)
        stall_again(world)
    assert world.job(job.job_id).status is JobStatus.STALLED
    told = acts(world, job.job_id)
    assert [act.what for act in told] == [What.REDRIVEN] * 2
    assert told[0].at < told[1].at
    discard(world, job.job_id)
    assert [act.what for act in acts(world, job.job_id)][2:] == [What.DISCARDED]
    world.audit()
