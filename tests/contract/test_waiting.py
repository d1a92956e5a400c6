"""Who waits for a model, and what a user waits for: both are told of every job that is queued."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from common import jobs as lifecycle
from common.aws import dynamo_jobs
from common.aws.dynamo_jobs import DynamoJobStore
from common.aws.records import from_item, job_item
from common.credits import release, settle
from common.jobs import Job, JobStatus, Place, Waiting
from tests.contract.backends import JOBS_TABLE, LEDGER_TABLE, USERS_TABLE, Aws, Stores
from tests.contract.test_job_store import (
    ERROR,
    IMAGE,
    LATER,
    Fresh,
    a_job,
    claimed,
    open_job,
    user_with,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture
def ann(stores: Stores, fresh: Fresh) -> str:
    return user_with(stores, fresh("ann"), available=1000)


@pytest.fixture
def model(fresh: Fresh) -> str:
    """A model that no other test has asked for."""
    return fresh("model")


@pytest.fixture
def opened(stores: Stores, ann: str, model: str) -> Callable[..., Job]:
    """Opens jobs of one user for one model, each submitted in the given second."""

    def make(name: str, *, second: float = 0, **changes: str) -> Job:
        job = a_job(changes.get("user_id", ann), f"{name}-{ann}", second=second)
        job = replace(job, request=replace(job.request, model=changes.get("model", model)))
        return open_job(stores, job, active_jobs_max=1000)

    return make


Open = Callable[..., Job]


def place(job: Job) -> Place:
    return job.created_at, job.job_id


def test_nobody_waits_for_a_model_that_nobody_asked_for(stores: Stores, model: str) -> None:
    assert stores.jobs.waiting(model) == Waiting(())


def test_who_waits_is_told_in_the_order_of_the_submits(
    stores: Stores, opened: Open, model: str
) -> None:
    third, first, second = (
        opened("a", second=2),
        opened("b", second=0.000001),
        opened("c", second=0.000002),
    )
    assert stores.jobs.waiting(model) == Waiting((place(first), place(second), place(third)))


def test_of_jobs_submitted_at_the_same_moment_the_id_tells_the_order(
    stores: Stores, opened: Open, model: str
) -> None:
    same = [opened(name, second=1) for name in "dbeac"]
    assert stores.jobs.waiting(model).places == tuple(sorted(map(place, same)))


def test_each_model_has_a_line_of_its_own(stores: Stores, opened: Open, model: str) -> None:
    mine = opened("mine")
    other = opened("other", model=f"{model}-xl")
    assert stores.jobs.waiting(model).places == (place(mine),)
    assert stores.jobs.waiting(f"{model}-xl").places == (place(other),)


def test_everybodys_jobs_wait_in_the_same_line(
    stores: Stores, opened: Open, model: str, fresh: Fresh
) -> None:
    mine = opened("mine", second=1)
    ben = user_with(stores, fresh("ben"), available=10)
    theirs = opened("theirs", user_id=ben)
    assert stores.jobs.waiting(model).places == (place(theirs), place(mine))


def test_a_job_leaves_when_a_worker_has_it_and_comes_back_to_its_own_place(
    stores: Stores, opened: Open, model: str
) -> None:
    first, second = opened("first"), opened("second", second=1)
    taken = claimed(first)
    stores.jobs.save(taken)
    assert stores.jobs.waiting(model).places == (place(second),)
    stores.jobs.save(
        lifecycle.requeue(taken, attempt_spent=True, now=LATER, rest_seconds=5, error=ERROR)
    )
    assert stores.jobs.waiting(model).places == (place(first), place(second))


def ended(stores: Stores, job: Job, how: str) -> None:
    """Bring the job where it no longer waits."""
    if how == "canceled":
        canceled = lifecycle.cancel(job, now=LATER)
        stores.jobs.save(canceled, entry=release(canceled, now=LATER))
        return
    taken = claimed(job)
    stores.jobs.save(taken)
    if how == "stalled":
        stores.jobs.save(lifecycle.stall(taken, error=ERROR, message_id="m", now=LATER))
    elif how == "succeeded":
        done = lifecycle.succeed(taken, image=IMAGE, now=LATER)
        stores.jobs.save(done, entry=settle(done, now=LATER))
    else:
        failed = lifecycle.fail(taken, error=ERROR, now=LATER)
        stores.jobs.save(failed, entry=release(failed, now=LATER))


@pytest.mark.parametrize("how", ["canceled", "stalled", "succeeded", "failed"])
def test_whoever_does_not_wait_any_more_has_left(
    stores: Stores, opened: Open, model: str, how: str
) -> None:
    job = opened("job")
    ended(stores, job, how)
    assert stores.jobs.waiting(model) == Waiting(())


@pytest.mark.parametrize(
    ("how", "active"),
    [("canceled", False), ("stalled", True), ("succeeded", False), ("failed", False)],
)
def test_a_user_waits_for_what_is_not_over(
    stores: Stores, opened: Open, ann: str, how: str, *, active: bool
) -> None:
    job = opened("job")
    ended(stores, job, how)
    found = stores.jobs.active(ann, limit=10)
    assert [each.job_id for each in found] == ([job.job_id] if active else [])


def test_active_jobs_are_whole_and_come_newest_first(
    stores: Stores, opened: Open, ann: str
) -> None:
    queued, generating, over = (opened(name, second=at) for at, name in enumerate("abc"))
    taken = replace(claimed(generating), starts_at=LATER)
    stores.jobs.save(taken)
    ended(stores, over, "canceled")
    assert stores.jobs.active(ann, limit=10) == (taken, queued)


def test_only_so_many_active_jobs_are_told_the_newest_ones(
    stores: Stores, opened: Open, ann: str
) -> None:
    jobs = [opened(name, second=at) for at, name in enumerate("abcd")]
    assert stores.jobs.active(ann, limit=2) == (jobs[3], jobs[2])


def test_nobody_waits_for_anothers_jobs(
    stores: Stores, opened: Open, ann: str, fresh: Fresh
) -> None:
    job = opened("mine")
    ben = user_with(stores, fresh("ben"), available=10)
    assert stores.jobs.active(ben, limit=10) == ()
    assert stores.jobs.active(ann, limit=10) == (job,)


def test_active_jobs_are_found_behind_many_that_are_over(
    stores: Stores, opened: Open, ann: str
) -> None:
    oldest = opened("oldest")
    for number in range(1, 8):
        ended(stores, opened(f"over-{number}", second=number), "canceled")
    assert stores.jobs.active(ann, limit=1) == (oldest,)


class SmallPages:
    """A DynamoDB client whose queries give a few items a page."""

    def __init__(self, client: DynamoDBClient, *, items: int) -> None:
        self._client = client
        self._items = items
        self.queries = 0

    def query(self, **asked: Any) -> Any:
        self.queries += 1
        return self._client.query(**{**asked, "Limit": min(self._items, asked["Limit"])})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def paged(
    aws: Aws, *, items: int, kind: type[SmallPages] = SmallPages
) -> tuple[DynamoJobStore, SmallPages]:
    client = kind(aws.dynamodb, items=items)
    store = DynamoJobStore(
        cast("DynamoDBClient", client),
        jobs_table=JOBS_TABLE,
        users_table=USERS_TABLE,
        ledger_table=LEDGER_TABLE,
    )
    return store, client


@pytest.mark.parametrize("backend", ["moto"], indirect=True)
def test_a_long_line_is_read_to_its_end(
    stores: Stores, moto_aws: Aws, opened: Open, model: str
) -> None:
    jobs = [opened(f"job-{number}", second=number) for number in range(5)]
    store, client = paged(moto_aws, items=2)
    assert store.waiting(model) == Waiting(tuple(map(place, jobs)), complete=True)
    assert client.queries == 3
    assert stores.jobs.waiting(model) == store.waiting(model)


class Backwards(SmallPages):
    """A client whose index gives those of the same moment in any order, as DynamoDB's may."""

    def query(self, **asked: Any) -> Any:
        answer = super().query(**asked)
        return {**answer, "Items": answer["Items"][::-1]}


@pytest.mark.parametrize("backend", ["moto"], indirect=True)
def test_the_order_of_the_same_moment_is_not_left_to_the_index(
    moto_aws: Aws, opened: Open, model: str
) -> None:
    same = [opened(name) for name in "abc"]
    store, _client = paged(moto_aws, items=9, kind=Backwards)
    assert store.waiting(model).places == tuple(map(place, same))


@pytest.mark.parametrize("backend", ["moto"], indirect=True)
def test_a_line_that_is_too_long_is_read_so_far_and_says_so(
    moto_aws: Aws, opened: Open, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dynamo_jobs, "WAITING_MAX", 4)
    jobs = [opened(f"job-{number}", second=number) for number in range(6)]
    store, client = paged(moto_aws, items=2)
    assert store.waiting(model) == Waiting(tuple(map(place, jobs[:4])), complete=False)
    assert client.queries == 2


def test_only_a_queued_job_lies_in_the_sparse_index() -> None:
    queued = a_job("usr_ann")
    assert from_item(job_item(queued))["waiting"] == queued.request.model
    for status in set(JobStatus) - {JobStatus.QUEUED}:
        assert "waiting" not in job_item(replace(queued, status=status))
