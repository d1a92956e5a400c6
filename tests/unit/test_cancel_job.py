from __future__ import annotations

import pytest

from common.acts import Act
from common.credits import EntryKind, LedgerEntry
from common.errors import Conflict, NotFound, StaleWrite
from common.jobs import Job, JobStatus, claim
from functions.status.cancel_job import cancel_job
from tests.fakes import MemoryJobStore
from tests.world import World


class Raced(MemoryJobStore):
    """A store where a worker claims the job just before it is canceled."""

    def __init__(self, world: World) -> None:
        super().__init__(world.tables)
        self._world = world

    def save(self, job: Job, *, entry: LedgerEntry | None = None, act: Act | None = None) -> None:
        met = self._world.job(job.job_id)
        if met.status is JobStatus.QUEUED:
            now = self._world.clock()
            claimed = claim(met, lease_id="l", sent_at=now, now=now, lease_seconds=130)
            super().save(claimed)
        super().save(job, entry=entry, act=act)


def test_of_a_cancel_and_a_claim_at_once_one_wins() -> None:
    world = World()
    job = world.submitted()
    with pytest.raises(Conflict) as refused:
        cancel_job(job.job_id, user_id="usr_ann", jobs=Raced(world), now=world.clock())
    assert refused.value.code == "not_cancelable"
    assert world.job(job.job_id).status is JobStatus.GENERATING
    assert world.kinds() == [EntryKind.HOLD]
    world.audit()


def test_a_cancel_wins_over_a_worker_that_has_only_read() -> None:
    world = World()
    job = world.submitted()
    message = world.next_message()
    read = world.job(job.job_id)
    cancel_job(job.job_id, user_id="usr_ann", jobs=world.jobs, now=world.clock())
    claimed = claim(
        read, lease_id="l", sent_at=message.sent_at, now=world.clock(), lease_seconds=130
    )
    with pytest.raises(StaleWrite):
        world.jobs.save(claimed)
    assert world.kinds() == [EntryKind.HOLD, EntryKind.RELEASE]
    world.audit()


@pytest.mark.parametrize("user_id", ["usr_ben", ""])
def test_only_its_owner_cancels_a_job(user_id: str) -> None:
    world = World()
    job = world.submitted()
    with pytest.raises(NotFound):
        cancel_job(job.job_id, user_id=user_id, jobs=world.jobs, now=world.clock())
    assert world.job(job.job_id) == job
