"""Which jobs are to be looked at, how many there are, and the acts that say who did what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import pytest

from common import jobs as lifecycle
from common.acts import Act, What, act_on, removal
from common.aws.dynamo_acts import DynamoActs
from common.aws.dynamo_jobs import DynamoJobStore
from common.aws.records import from_item, job_item
from common.credits import release, settle
from common.errors import StaleWrite
from common.jobs import LOOK_SECONDS, Job, JobStatus
from tests.contract.backends import (
    ACTS_TABLE,
    JOBS_TABLE,
    LEDGER_TABLE,
    USERS_TABLE,
    Aws,
    Stores,
    at_once,
    on_threads,
    raised,
)
from tests.contract.test_job_store import (
    COST,
    ERROR,
    IMAGE,
    LATER,
    Fresh,
    a_job,
    balance,
    claimed,
    open_job,
    user_with,
)
from tests.fakes import START

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MANY = 1_000
"""More than there are of one status: the emulator's tables hold other tests' jobs too."""
Opened = Callable[..., Job]


@pytest.fixture
def ann(stores: Stores, fresh: Fresh) -> str:
    return user_with(stores, fresh("ann"), available=1000)


@pytest.fixture
def opened(stores: Stores, ann: str) -> Opened:
    """Opens jobs of one user, each to be looked at so long after the start."""

    def make(name: str, *, look_seconds: float = LOOK_SECONDS) -> Job:
        job = a_job(ann, f"{name}-{ann}")
        job = replace(job, look_at=START + timedelta(seconds=look_seconds))
        return open_job(stores, job, active_jobs_max=1000)

    return make


def due(
    stores: Stores, user_id: str, status: JobStatus, *, before: datetime, limit: int = MANY
) -> list[str]:
    """The names of the user's jobs that are due, in order."""
    job_ids = stores.jobs.due(status, before=before, limit=limit)
    return [job_id.partition("-")[0] for job_id in job_ids if job_id.endswith(user_id)]


def stalled(stores: Stores, job: Job) -> Job:
    running = claimed(job)
    stores.jobs.save(running)
    aside = lifecycle.stall(running, error=ERROR, message_id="message", now=LATER)
    stores.jobs.save(aside)
    return aside


def test_jobs_are_due_when_their_time_has_come_the_longest_first(
    stores: Stores, ann: str, opened: Opened
) -> None:
    for name, seconds in (("c", 300), ("a", 100), ("b", 200.000001), ("d", 400)):
        opened(name, look_seconds=seconds)
    at = partial(due, stores, ann, JobStatus.QUEUED)
    assert at(before=START + timedelta(seconds=99)) == []
    assert at(before=START + timedelta(seconds=100)) == ["a"]
    assert at(before=START + timedelta(seconds=200)) == ["a"]
    assert at(before=START + timedelta(seconds=300)) == ["a", "b", "c"]
    assert at(before=START + timedelta(days=9)) == ["a", "b", "c", "d"]


def test_a_job_is_due_at_the_moment_of_its_own_latest_version(
    stores: Stores, ann: str, opened: Opened
) -> None:
    job = opened("a", look_seconds=100)
    reminded = lifecycle.send_again(job, now=START + timedelta(seconds=100))
    stores.jobs.save(reminded)
    assert reminded.look_at is not None
    at = partial(due, stores, ann, JobStatus.QUEUED)
    assert at(before=reminded.look_at - timedelta(microseconds=1)) == []
    assert at(before=reminded.look_at) == ["a"]


def test_no_more_jobs_are_told_than_were_asked_for(
    stores: Stores, ann: str, opened: Opened
) -> None:
    long_ago = -1_000_000_000  # so that no other test's jobs come before these
    for number in range(5):
        opened(f"{number}", look_seconds=long_ago + number)
    found = stores.jobs.due(JobStatus.QUEUED, before=START, limit=3)
    assert len(found) == 3
    assert due(stores, ann, JobStatus.QUEUED, before=START, limit=3) == ["0", "1", "2"]


def test_only_jobs_of_the_status_that_was_asked_for_are_due(
    stores: Stores, ann: str, opened: Opened
) -> None:
    opened("queued")
    stores.jobs.save(claimed(opened("generating")))
    stalled(stores, opened("stalled"))
    far = START + timedelta(days=9)
    for status in JobStatus:
        found = due(stores, ann, status, before=far)
        assert found == ([] if status in lifecycle.TERMINAL else [str(status)])


def _canceled(stores: Stores, job: Job) -> None:
    stores.jobs.save(lifecycle.cancel(job, now=LATER), entry=release(job, now=LATER))


def _recalled(stores: Stores, job: Job) -> None:
    earlier = replace(job, image=IMAGE)
    recalled = lifecycle.recall(job, earlier=earlier, now=LATER)
    stores.jobs.save(recalled, entry=release(recalled, now=LATER))


def _succeeded(stores: Stores, job: Job) -> None:
    stores.jobs.save(claimed(job))
    done = lifecycle.succeed(claimed(job), image=IMAGE, now=LATER)
    stores.jobs.save(done, entry=settle(done, now=LATER))


def _failed(stores: Stores, job: Job) -> None:
    stores.jobs.save(claimed(job))
    failed = lifecycle.fail(claimed(job), error=ERROR, now=LATER)
    stores.jobs.save(failed, entry=release(failed, now=LATER))


def _discarded(stores: Stores, job: Job) -> None:
    discarded = lifecycle.discard(stalled(stores, job), error=ERROR, now=LATER)
    stores.jobs.save(discarded, entry=release(discarded, now=LATER))


ENDS: dict[str, Callable[[Stores, Job], None]] = {
    "canceled": _canceled,
    "recalled": _recalled,
    "succeeded": _succeeded,
    "failed": _failed,
    "discarded": _discarded,
}


@pytest.mark.parametrize("how", ENDS)
def test_a_job_that_is_over_is_never_due_again_and_reads_back_as_it_was_written(
    stores: Stores, ann: str, opened: Opened, how: str
) -> None:
    job = opened("job")
    ENDS[how](stores, job)
    far = START + timedelta(days=9)
    assert [due(stores, ann, status, before=far) for status in JobStatus] == [[]] * len(JobStatus)
    over = stores.jobs.get(job.job_id)
    assert over is not None
    assert over.terminal
    assert over.look_at is None
    assert over.cached is (how == "recalled")
    assert balance(stores, ann) == (1000 - (COST if how == "succeeded" else 0), 0, 0)


def test_what_was_allowed_reads_back_as_it_was_written(
    stores: Stores, ann: str, fresh: Fresh
) -> None:
    job = replace(a_job(ann, fresh("job")), allow_cached=True, look_at=LATER)
    open_job(stores, job)
    assert stores.jobs.get(job.job_id) == job


def test_jobs_of_each_status_are_counted(stores: Stores, opened: Opened) -> None:
    before = {status: stores.jobs.count(status) for status in JobStatus}
    for number in range(3):
        stalled(stores, opened(f"stalled{number}", look_seconds=number))
    opened("queued")
    _succeeded(stores, opened("succeeded"))
    assert stores.jobs.count(JobStatus.STALLED) == before[JobStatus.STALLED] + 3
    assert stores.jobs.count(JobStatus.QUEUED) == before[JobStatus.QUEUED] + 1
    assert stores.jobs.count(JobStatus.GENERATING) == before[JobStatus.GENERATING]


def test_only_a_job_with_a_time_to_look_lies_in_the_sparse_index() -> None:
    over = a_job("usr_ann")
    assert not {"due", "look_at", "cached", "allow_cached"} & job_item(over).keys()
    for status in JobStatus:
        item = from_item(job_item(replace(over, status=status, look_at=LATER)))
        assert item["due"] == str(status)
        assert item["look_at"] == "2026-11-01T12:00:20.000000Z"


def decided(job: Job, *, by: str = "eve") -> Act:
    return act_on(job, What.REDRIVEN, at=LATER, by=by, why="The model works again.")


def test_an_act_is_written_with_the_job_that_it_made(stores: Stores, opened: Opened) -> None:
    redriven = lifecycle.redrive(stalled(stores, opened("job")), now=LATER)
    act = decided(redriven)
    stores.jobs.save(redriven, act=act)
    assert stores.jobs.get(redriven.job_id) == redriven
    assert stores.acts.of(redriven.job_id) == (act,)


def test_an_act_a_job_and_its_credits_are_one_write(
    stores: Stores, ann: str, opened: Opened
) -> None:
    discarded = lifecycle.discard(stalled(stores, opened("job")), error=ERROR, now=LATER)
    act = act_on(discarded, What.DISCARDED, at=LATER, by="sweep", why="Nobody decided otherwise.")
    given_back = release(discarded, now=LATER)
    for _time in range(2):
        stores.jobs.save(discarded, entry=given_back, act=act)
        assert stores.acts.of(discarded.job_id) == (act,)
        assert balance(stores, ann) == (1000, 0, 0)


def test_writing_the_same_act_with_the_same_job_again_does_nothing(
    stores: Stores, opened: Opened
) -> None:
    redriven = lifecycle.redrive(stalled(stores, opened("job")), now=LATER)
    for _time in range(3):
        stores.jobs.save(redriven, act=decided(redriven))
    assert stores.jobs.get(redriven.job_id) == redriven
    assert stores.acts.of(redriven.job_id) == (decided(redriven),)


def test_a_job_that_changed_meanwhile_leaves_no_act(
    stores: Stores, ann: str, opened: Opened
) -> None:
    aside = stalled(stores, opened("job"))
    redriven = lifecycle.redrive(aside, now=LATER)
    stores.jobs.save(redriven, act=decided(redriven))
    discarded = lifecycle.discard(aside, error=ERROR, now=LATER)
    rival = act_on(discarded, What.DISCARDED, at=LATER, by="bob", why="Enough.")
    with pytest.raises(StaleWrite):
        stores.jobs.save(discarded, entry=release(discarded, now=LATER), act=rival)
    with pytest.raises(StaleWrite):
        stores.jobs.save(discarded, act=rival)
    assert stores.jobs.get(redriven.job_id) == redriven
    assert stores.acts.of(redriven.job_id) == (decided(redriven),)
    assert balance(stores, ann) == (998, 2, 1)


def test_an_act_whose_credits_cannot_move_is_not_written(
    stores: Stores, ann: str, opened: Opened
) -> None:
    discarded = lifecycle.discard(stalled(stores, opened("job")), error=ERROR, now=LATER)
    greedy = release(replace(discarded, cost=COST + 1), now=LATER)
    with pytest.raises((StaleWrite, ValueError)):
        stores.jobs.save(discarded, entry=greedy, act=decided(discarded))
    assert stores.acts.of(discarded.job_id) == ()
    assert balance(stores, ann) == (998, 2, 1)


def test_acts_of_a_subject_are_told_in_order_and_read_back_as_they_were_written(
    stores: Stores, fresh: Fresh
) -> None:
    job = a_job("ann", fresh("job"))
    versions = [replace(job, version=version) for version in (12, 9, 100)]
    acts = [act_on(each, What.DISCARDED, at=LATER, by="eve", why="sương mù") for each in versions]
    for act in acts:
        stores.acts.write(act)
        stores.acts.write(act)
    assert stores.acts.of(job.job_id) == (acts[1], acts[0], acts[2])
    assert stores.acts.of(fresh("nothing")) == ()


def test_a_removed_message_is_kept_with_what_it_said(stores: Stores, fresh: Fresh) -> None:
    message_id = fresh("message")
    body = '{"job_id": "job_none"}'
    act = removal(message_id, body, at=LATER, by="eve", why="There is no such job.")
    stores.acts.write(act)
    assert stores.acts.of(f"message#{message_id}") == (act,)
    assert act.body == body


@on_threads
def test_of_many_who_decide_at_once_one_does(stores: Stores, ann: str, opened: Opened) -> None:
    aside = stalled(stores, opened("job"))
    redriven = lifecycle.redrive(aside, now=LATER)
    discarded = lifecycle.discard(aside, error=ERROR, now=LATER)
    given_back = release(discarded, now=LATER)
    enough = act_on(discarded, What.DISCARDED, at=LATER, by="bob", why="Enough.")

    def redrive(number: int) -> None:
        stores.jobs.save(redriven, act=decided(redriven, by=f"eve{number}"))

    def discard() -> None:
        stores.jobs.save(discarded, entry=given_back, act=enough)

    rivals: list[Callable[[], None]] = [partial(redrive, number) for number in range(6)]
    at_once([*rivals, discard, discard])
    won = stores.jobs.get(aside.job_id)
    (act,) = stores.acts.of(aside.job_id)
    if won == redriven:
        assert act.what is What.REDRIVEN
        assert balance(stores, ann) == (998, 2, 1)
    else:
        assert (won, act) == (discarded, enough)
        assert balance(stores, ann) == (1000, 0, 0)


@on_threads
def test_of_two_sweeps_at_once_one_may_send(stores: Stores, opened: Opened) -> None:
    job = opened("job")
    rivals = [
        lifecycle.send_again(job, now=LATER + timedelta(microseconds=number)) for number in range(6)
    ]
    answers = at_once([partial(stores.jobs.save, rival) for rival in rivals])
    assert raised(answers) == [StaleWrite] * 5
    assert stores.jobs.get(job.job_id) == rivals[answers.index(None)]


@pytest.mark.parametrize("backend", ["moto"], indirect=True)
def test_a_store_that_knows_of_no_acts_refuses_to_lose_one(
    stores: Stores, moto_aws: Aws, opened: Opened
) -> None:
    aside = stalled(stores, opened("job"))
    redriven = lifecycle.redrive(aside, now=LATER)
    store = DynamoJobStore(
        moto_aws.dynamodb,
        jobs_table=JOBS_TABLE,
        users_table=USERS_TABLE,
        ledger_table=LEDGER_TABLE,
    )
    with pytest.raises(ValueError, match="acts"):
        store.save(redriven, act=decided(redriven))
    assert stores.jobs.get(aside.job_id) == aside


class SmallPages:
    """A DynamoDB client whose queries read two items a page, as large ones read a megabyte."""

    def __init__(self, client: DynamoDBClient) -> None:
        self._client = client
        self.queries = 0

    def query(self, **asked: Any) -> Any:
        self.queries += 1
        return self._client.query(**{**asked, "Limit": min(2, asked.get("Limit", 2))})


@pytest.mark.parametrize("backend", ["moto"], indirect=True)
def test_answers_of_many_pages_are_read_to_their_end(
    stores: Stores, moto_aws: Aws, ann: str, opened: Opened
) -> None:
    for number in range(5):
        opened(f"{number}", look_seconds=number)
    client = SmallPages(moto_aws.dynamodb)
    store = DynamoJobStore(
        cast("DynamoDBClient", client),
        jobs_table=JOBS_TABLE,
        users_table=USERS_TABLE,
        ledger_table=LEDGER_TABLE,
    )
    assert store.count(JobStatus.QUEUED) == 5
    assert client.queries == 3
    everything = store.due(JobStatus.QUEUED, before=LATER, limit=MANY)
    assert [job_id.partition("-")[0] for job_id in everything] == list("01234")
    client.queries = 0
    assert store.due(JobStatus.QUEUED, before=LATER, limit=3) == everything[:3]
    assert client.queries == 2
    acts = [
        act_on(replace(a_job(ann), version=at), What.REDRIVEN, at=LATER, by="e", why="w")
        for at in range(1, 6)
    ]
    for act in acts:
        stores.acts.write(act)
    log = DynamoActs(cast("DynamoDBClient", client), acts_table=ACTS_TABLE)
    assert log.of(acts[0].subject) == tuple(acts)
