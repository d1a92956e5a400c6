"""A crowd of submits, through the real use case: what it may not do to the books."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from functools import partial

from common.api import SubmitRequest
from common.credits import EntryKind
from common.errors import InsufficientCredits, ServiceFailed
from common.jobs import Job
from common.ports import JobQueue
from functions.submit.submit_job import submit_job
from tests.contract.backends import Stores, at_once, on_threads, raised
from tests.contract.test_job_store import balance, user_with
from tests.fakes import START, ManualClock, MemoryQueue
from tests.world import CORE, CORE_COST

SUBMITS = 200
AFFORDABLE = 50
REPEATS = 100
RETRY_SECONDS_MAX = 20
Fresh = Callable[[str], str]


def submit(stores: Stores, queue: JobQueue, user_id: str, key: str) -> Job:
    """Submit as a client does: again, with the same key, when the answer was a 5xx."""
    deadline = time.monotonic() + RETRY_SECONDS_MAX
    while True:
        try:
            return submit_job(
                SubmitRequest(prompt="a fox"),
                user_id=user_id,
                key=key,
                jobs=stores.jobs,
                queue=queue,
                routes=(CORE,),
                active_jobs_max=10 * SUBMITS,
                now=START,
            )
        except ServiceFailed:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@on_threads
def test_of_200_submits_with_50_jobs_worth_of_credit_just_50_are_accepted(
    stores: Stores, fresh: Fresh
) -> None:
    queue = MemoryQueue(ManualClock())
    ann = user_with(stores, fresh("ann"), available=AFFORDABLE * CORE_COST)

    answers = at_once(
        [partial(submit, stores, queue, ann, f"key-{number}") for number in range(SUBMITS)]
    )

    assert Counter(raised(answers)) == {InsufficientCredits: SUBMITS - AFFORDABLE}
    accepted = {answer.job_id for answer in answers if isinstance(answer, Job)}
    assert len(accepted) == AFFORDABLE
    assert balance(stores, ann) == (0, AFFORDABLE * CORE_COST, AFFORDABLE)
    assert {job.job_id for job in stores.jobs.page(ann, limit=SUBMITS).items} == accepted
    held = [entry.job_id for entry in stores.ledger(ann) if entry.kind is EntryKind.HOLD]
    assert sorted(filter(None, held)) == sorted(accepted)
    assert set(queue.sent) == accepted


@on_threads
def test_100_submits_with_one_key_are_one_job_and_one_hold(stores: Stores, fresh: Fresh) -> None:
    available = REPEATS * CORE_COST
    queue = MemoryQueue(ManualClock())
    ann = user_with(stores, fresh("ann"), available=available)

    answers = at_once([partial(submit, stores, queue, ann, "key")] * REPEATS)

    assert raised(answers) == []
    (job_id,) = {answer.job_id for answer in answers if isinstance(answer, Job)}
    assert balance(stores, ann) == (available - CORE_COST, CORE_COST, 1)
    assert [job.job_id for job in stores.jobs.page(ann, limit=REPEATS).items] == [job_id]
    assert kinds(stores, ann) == [EntryKind.HOLD]
    assert set(queue.sent) == {job_id}


def kinds(stores: Stores, user_id: str) -> list[EntryKind]:
    """Why the user's credits moved, the grant left out."""
    entries = sorted(stores.ledger(user_id), key=lambda entry: entry.entry_id)
    return [entry.kind for entry in entries if entry.kind is not EntryKind.GRANT]
