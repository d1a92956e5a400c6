from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest

from common import jobs
from common.credits import Balance, grant, hold, release, settle
from common.errors import InsufficientCredits, NotFound, StaleWrite, TooManyActiveJobs
from common.jobs import Image, ImageRequest, Job, JobError, JobStatus
from common.users import User
from tests.contract.backends import Stores, at_once, on_threads, raised
from tests.fakes import START

COST = 2
LATER = START + timedelta(seconds=20)
IMAGE = Image(key="images/a.png", width=4, height=2, content_type="image/png", size_bytes=9)
ERROR = JobError(code="model_failed", message="It broke.")
Fresh = Callable[[str], str]


def user_with(stores: Stores, user_id: str, *, available: int) -> str:
    welcome = grant(user_id, amount=available, cause="test", reason="a test", now=START)
    user = User(
        user_id=user_id,
        email=f"{user_id}@example.com",
        created_at=START,
        balance=Balance(available=available),
    )
    stores.users.create(user, welcome)
    return user_id


def a_job(user_id: str, job_id: str = "", *, second: float = 0) -> Job:
    return Job(
        job_id=job_id or f"job-{user_id}",
        user_id=user_id,
        request=ImageRequest(prompt="a fox", model="core", aspect_ratio="1:1"),
        fingerprint="f" * 64,
        cost=COST,
        created_at=START + timedelta(seconds=second),
    )


def open_job(stores: Stores, job: Job, *, active_jobs_max: int = 10) -> Job:
    return stores.jobs.open(job, hold(job), active_jobs_max=active_jobs_max)


def claimed(job: Job, lease_id: str = "lease", sent_at: datetime = START) -> Job:
    return jobs.claim(job, lease_id=lease_id, sent_at=sent_at, now=START, lease_seconds=130)


def balance(stores: Stores, user_id: str) -> tuple[int, int, int]:
    """What the user has: (available, held, active jobs), which the ledger must add up to."""
    user = stores.users.get(user_id)
    assert user is not None
    has = user.balance
    entries = stores.ledger(user_id)
    assert len({entry.entry_id for entry in entries}) == len(entries)
    assert has.available == sum(entry.available for entry in entries) >= 0
    assert has.held == sum(entry.held for entry in entries) >= 0
    assert has.active_jobs == sum(entry.active_jobs for entry in entries) >= 0
    return has.available, has.held, has.active_jobs


def test_open_writes_the_job_its_hold_and_its_entry(stores: Stores, fresh: Fresh) -> None:
    job = a_job(user_with(stores, fresh("ann"), available=10))
    assert open_job(stores, job) == job
    assert stores.jobs.get(job.job_id) == job
    assert balance(stores, job.user_id) == (8, 2, 1)
    assert hold(job) in stores.ledger(job.user_id)


def test_open_without_enough_credit_writes_nothing(stores: Stores, fresh: Fresh) -> None:
    job = a_job(user_with(stores, fresh("ann"), available=COST - 1))
    with pytest.raises(InsufficientCredits):
        open_job(stores, job)
    assert stores.jobs.get(job.job_id) is None
    assert balance(stores, job.user_id) == (COST - 1, 0, 0)


def test_open_takes_the_last_credit(stores: Stores, fresh: Fresh) -> None:
    job = a_job(user_with(stores, fresh("ann"), available=COST))
    open_job(stores, job)
    assert balance(stores, job.user_id) == (0, 2, 1)


def test_open_with_too_many_active_jobs_writes_nothing(stores: Stores, fresh: Fresh) -> None:
    ann = user_with(stores, fresh("ann"), available=10)
    for number in range(2):
        open_job(stores, a_job(ann, fresh(f"job{number}")), active_jobs_max=2)
    third = a_job(ann, fresh("job3"))
    with pytest.raises(TooManyActiveJobs) as caught:
        open_job(stores, third, active_jobs_max=2)
    assert caught.value.retry_after_seconds
    assert stores.jobs.get(third.job_id) is None
    assert balance(stores, ann) == (6, 4, 2)


def test_open_for_nobody_writes_nothing(stores: Stores, fresh: Fresh) -> None:
    job = a_job(fresh("nobody"))
    with pytest.raises(NotFound):
        open_job(stores, job)
    assert stores.jobs.get(job.job_id) is None
    assert stores.ledger(job.user_id) == []


def test_open_again_gives_the_job_that_is_there(stores: Stores, fresh: Fresh) -> None:
    first = a_job(user_with(stores, fresh("ann"), available=COST))
    open_job(stores, first, active_jobs_max=1)
    running = claimed(first)
    stores.jobs.save(running)
    again = replace(first, created_at=LATER, fingerprint="0" * 64)
    assert open_job(stores, again, active_jobs_max=1) == running
    assert balance(stores, first.user_id) == (0, 2, 1)


@pytest.mark.parametrize(
    "request_",
    [
        ImageRequest(prompt="con cáo 🦊", model="m", aspect_ratio="9:21", seed=0),
        ImageRequest(
            prompt="x" * 10_000,
            model="m",
            aspect_ratio="1:1",
            negative_prompt="sương mù",
            seed=4_294_967_294,
        ),
    ],
    ids=["small", "large"],
)
def test_a_job_reads_back_as_it_was_written(
    stores: Stores, fresh: Fresh, request_: ImageRequest
) -> None:
    ann = user_with(stores, fresh("ann"), available=10)
    job = replace(a_job(ann), request=request_, created_at=START + timedelta(microseconds=7))
    open_job(stores, job)
    assert stores.jobs.get(job.job_id) == job


def test_every_state_reads_back_as_it_was_written(stores: Stores, fresh: Fresh) -> None:
    ann = user_with(stores, fresh("ann"), available=10)
    job = a_job(ann)
    open_job(stores, job)
    running = claimed(job)
    stalled = jobs.stall(running, error=ERROR, message_id="message", now=START)
    redriven = claimed(stalled, sent_at=LATER)
    waiting = jobs.requeue(redriven, attempt_spent=True, now=LATER, rest_seconds=5, error=ERROR)
    again = claimed(waiting)
    done = jobs.succeed(again, image=IMAGE, now=LATER)
    for version in (running, stalled, redriven, waiting, again, done):
        stores.jobs.save(version)
        assert stores.jobs.get(job.job_id) == version


def test_save_goes_over_the_version_before_and_no_other(stores: Stores, fresh: Fresh) -> None:
    job = a_job(user_with(stores, fresh("ann"), available=10))
    open_job(stores, job)
    running = claimed(job)
    skipping = claimed(jobs.requeue(running, attempt_spent=True, now=LATER, rest_seconds=5))
    with pytest.raises(StaleWrite):
        stores.jobs.save(skipping)
    stores.jobs.save(running)
    with pytest.raises(StaleWrite):
        stores.jobs.save(claimed(job, lease_id="rival"))
    with pytest.raises(StaleWrite):
        stores.jobs.save(jobs.cancel(job, now=LATER), entry=release(job, now=LATER))
    assert stores.jobs.get(job.job_id) == running
    assert balance(stores, job.user_id) == (8, 2, 1)


def test_save_makes_no_job_that_was_never_opened(stores: Stores, fresh: Fresh) -> None:
    job = a_job(user_with(stores, fresh("ann"), available=10))
    with pytest.raises(StaleWrite):
        stores.jobs.save(claimed(job))
    assert stores.jobs.get(job.job_id) is None


def test_saving_the_same_again_does_nothing(stores: Stores, fresh: Fresh) -> None:
    job = a_job(user_with(stores, fresh("ann"), available=10))
    open_job(stores, job)
    running = claimed(job)
    stores.jobs.save(running)
    stores.jobs.save(running)
    assert stores.jobs.get(job.job_id) == running


def test_settling_the_same_again_does_nothing(stores: Stores, fresh: Fresh) -> None:
    job = a_job(user_with(stores, fresh("ann"), available=10))
    open_job(stores, job)
    running = claimed(job)
    stores.jobs.save(running)
    done = jobs.succeed(running, image=IMAGE, now=LATER)
    for _ in range(3):
        stores.jobs.save(done, entry=settle(done, now=LATER))
    assert stores.jobs.get(job.job_id) == done
    assert balance(stores, job.user_id) == (8, 0, 0)


def test_a_release_gives_back_and_makes_room(stores: Stores, fresh: Fresh) -> None:
    job = a_job(user_with(stores, fresh("ann"), available=COST))
    open_job(stores, job, active_jobs_max=1)
    stores.jobs.save(jobs.cancel(job, now=LATER), entry=release(job, now=LATER))
    assert balance(stores, job.user_id) == (COST, 0, 0)
    open_job(stores, a_job(job.user_id, fresh("next")), active_jobs_max=1)
    assert balance(stores, job.user_id) == (0, COST, 1)


def test_a_hold_is_resolved_once_even_by_a_later_version(stores: Stores, fresh: Fresh) -> None:
    ann = user_with(stores, fresh("ann"), available=10)
    job = a_job(ann)
    open_job(stores, job)
    open_job(stores, a_job(ann, fresh("other")))  # so that there is something to take too much of
    running = claimed(job)
    stores.jobs.save(running)
    done = jobs.succeed(running, image=IMAGE, now=LATER)
    stores.jobs.save(done, entry=settle(done, now=LATER))
    undone = replace(done, status=JobStatus.FAILED, version=done.version + 1)
    with pytest.raises(StaleWrite):
        stores.jobs.save(undone, entry=release(undone, now=LATER))
    assert stores.jobs.get(job.job_id) == done
    assert balance(stores, ann) == (6, 2, 1)


def test_no_more_is_released_than_was_held(stores: Stores, fresh: Fresh) -> None:
    job = a_job(user_with(stores, fresh("ann"), available=10))
    open_job(stores, job)
    canceled = jobs.cancel(job, now=LATER)
    greedy = release(replace(job, cost=COST + 1), now=LATER)
    with pytest.raises((StaleWrite, ValueError)):
        stores.jobs.save(canceled, entry=greedy)
    assert stores.jobs.get(job.job_id) == job
    assert balance(stores, job.user_id) == (8, 2, 1)


def read_pages(
    stores: Stores, user_id: str, *, limit: int, status: JobStatus | None = None
) -> list[Job]:
    """All pages, each within its limit."""
    found: list[Job] = []
    after = None
    for _ in range(20):
        page = stores.jobs.page(user_id, limit=limit, status=status, after=after)
        assert len(page.items) <= limit
        found += page.items
        after = page.next_key
        if after is None:
            return found
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7])
def test_pages_list_the_newest_first_and_each_once(
    stores: Stores, fresh: Fresh, limit: int
) -> None:
    ann = user_with(stores, fresh("ann"), available=100)
    opened = [a_job(ann, fresh(f"job{second}"), second=second) for second in (3, 1, 5, 2, 4, 0)]
    for job in opened:
        open_job(stores, job)
    other = a_job(user_with(stores, fresh("bob"), available=100))
    open_job(stores, other)
    expected = sorted(opened, key=lambda job: job.created_at, reverse=True)
    assert read_pages(stores, ann, limit=limit) == expected


def test_pages_lose_no_job_of_the_same_moment(stores: Stores, fresh: Fresh) -> None:
    ann = user_with(stores, fresh("ann"), available=100)
    opened = [a_job(ann, fresh(f"job{number}"), second=number // 4) for number in range(8)]
    for job in opened:
        open_job(stores, job)
    found = read_pages(stores, ann, limit=3)
    assert sorted(job.job_id for job in found) == sorted(job.job_id for job in opened)
    times = [job.created_at for job in found]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_pages_of_one_status_hold_only_that(stores: Stores, fresh: Fresh, limit: int) -> None:
    ann = user_with(stores, fresh("ann"), available=100)
    opened = [a_job(ann, fresh(f"job{number}"), second=number) for number in range(7)]
    for job in opened:
        open_job(stores, job)
    for job in opened[::3]:
        stores.jobs.save(jobs.cancel(job, now=LATER), entry=release(job, now=LATER))
    found = read_pages(stores, ann, limit=limit, status=JobStatus.CANCELED)
    assert [job.job_id for job in found] == [job.job_id for job in opened[::-3]]
    assert {job.status for job in found} == {JobStatus.CANCELED}
    assert read_pages(stores, ann, limit=limit, status=JobStatus.STALLED) == []


def test_a_page_of_a_stranger_is_empty(stores: Stores, fresh: Fresh) -> None:
    assert read_pages(stores, fresh("nobody"), limit=5) == []


@on_threads
def test_a_race_for_one_balance_opens_what_it_covers(stores: Stores, fresh: Fresh) -> None:
    ann = user_with(stores, fresh("ann"), available=5 * COST + 1)
    answers = at_once(
        [
            partial(open_job, stores, a_job(ann, fresh(f"job{number}")), active_jobs_max=100)
            for number in range(16)
        ]
    )
    assert raised(answers) == [InsufficientCredits] * 11
    assert balance(stores, ann) == (1, 10, 5)
    assert len(read_pages(stores, ann, limit=20)) == 5


@on_threads
def test_a_race_for_places_opens_as_many_as_there_are(stores: Stores, fresh: Fresh) -> None:
    ann = user_with(stores, fresh("ann"), available=100)
    answers = at_once(
        [
            partial(open_job, stores, a_job(ann, fresh(f"job{number}")), active_jobs_max=3)
            for number in range(12)
        ]
    )
    assert raised(answers) == [TooManyActiveJobs] * 9
    assert balance(stores, ann) == (94, 6, 3)


@on_threads
def test_the_same_job_opened_at_once_is_one_job_and_one_hold(stores: Stores, fresh: Fresh) -> None:
    job = a_job(user_with(stores, fresh("ann"), available=100))
    answers = at_once([lambda: open_job(stores, job)] * 12)
    assert answers == [job] * 12
    assert balance(stores, job.user_id) == (98, 2, 1)


@on_threads
def test_of_many_claims_at_once_one_wins(stores: Stores, fresh: Fresh) -> None:
    job = a_job(user_with(stores, fresh("ann"), available=10))
    open_job(stores, job)
    rivals = [claimed(job, lease_id=f"lease{number}") for number in range(8)]
    answers = at_once([partial(stores.jobs.save, rival) for rival in rivals])
    assert raised(answers) == [StaleWrite] * 7
    assert stores.jobs.get(job.job_id) == rivals[answers.index(None)]


@on_threads
def test_settle_and_release_at_once_resolve_the_hold_once(stores: Stores, fresh: Fresh) -> None:
    job = a_job(user_with(stores, fresh("ann"), available=10))
    open_job(stores, job)
    running = claimed(job)
    stores.jobs.save(running)
    done = jobs.succeed(running, image=IMAGE, now=LATER)
    failed = jobs.fail(running, error=ERROR, now=LATER)
    spent, given_back = settle(done, now=LATER), release(failed, now=LATER)
    at_once(
        [
            lambda: stores.jobs.save(done, entry=spent),
            lambda: stores.jobs.save(failed, entry=given_back),
        ]
        * 4
    )
    won = stores.jobs.get(job.job_id)
    assert won in {done, failed}
    assert balance(stores, job.user_id) == ((8, 0, 0) if won == done else (10, 0, 0))


@on_threads
def test_the_same_settle_at_once_is_one(stores: Stores, fresh: Fresh) -> None:
    job = a_job(user_with(stores, fresh("ann"), available=10))
    open_job(stores, job)
    running = claimed(job)
    stores.jobs.save(running)
    done = jobs.succeed(running, image=IMAGE, now=LATER)
    spent = settle(done, now=LATER)
    answers = at_once([lambda: stores.jobs.save(done, entry=spent)] * 8)
    assert answers == [None] * 8
    assert balance(stores, job.user_id) == (8, 0, 0)


@on_threads
def test_opens_and_releases_at_once_keep_the_books(stores: Stores, fresh: Fresh) -> None:
    ann = user_with(stores, fresh("ann"), available=3 * COST)

    def open_and_cancel(number: int) -> None:
        job = a_job(ann, fresh(f"job{number}"))
        open_job(stores, job, active_jobs_max=100)
        stores.jobs.save(jobs.cancel(job, now=LATER), entry=release(job, now=LATER))

    answers = at_once([partial(open_and_cancel, number) for number in range(10)])
    assert set(raised(answers)) <= {InsufficientCredits}
    assert balance(stores, ann) == (3 * COST, 0, 0)
