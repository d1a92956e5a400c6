"""What no backend here answers of itself: transactions that meet, and answers that get lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.stub import Stubber

from common.aws.dynamo_jobs import DynamoJobStore
from common.credits import hold
from common.errors import ServiceFailed
from common.jobs import ImageRequest, Job
from tests.contract.backends import Aws, Endpoint
from tests.fakes import START, ManualClock

TRIES_MAX = 10
JOB = Job(
    job_id="job",
    user_id="ann",
    request=ImageRequest(prompt="a fox", model="m", aspect_ratio="1:1"),
    fingerprint="f",
    cost=1,
    created_at=START,
)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def aws() -> Iterator[Aws]:
    aws = Aws.at(Endpoint(url="http://127.0.0.1:9"))
    yield aws
    aws.close()


@pytest.fixture
def store(aws: Aws, clock: ManualClock) -> DynamoJobStore:
    return DynamoJobStore(
        aws.dynamodb, jobs_table="J", users_table="U", ledger_table="L", sleep=clock.sleep
    )


def open_job(store: DynamoJobStore) -> Job:
    return store.open(JOB, hold(JOB), active_jobs_max=1)


def conflict(answers: Stubber) -> None:
    answers.add_client_error(
        "transact_write_items",
        "TransactionCanceledException",
        modeled_fields={
            "CancellationReasons": [
                {"Code": "None"},
                {"Code": "TransactionConflict"},
                {"Code": "None"},
            ]
        },
    )


def test_a_transaction_that_met_another_is_tried_again(
    aws: Aws, store: DynamoJobStore, clock: ManualClock
) -> None:
    with Stubber(aws.dynamodb) as answers:
        conflict(answers)
        answers.add_client_error("transact_write_items", "TransactionInProgressException")
        answers.add_response("transact_write_items", {})
        assert open_job(store) == JOB
        answers.assert_no_pending_responses()
    assert len(clock.slept) == 2
    assert all(0 <= seconds < 1 for seconds in clock.slept)


def test_a_transaction_that_keeps_meeting_others_gives_up(
    aws: Aws, store: DynamoJobStore, clock: ManualClock
) -> None:
    with Stubber(aws.dynamodb) as answers:
        for _ in range(TRIES_MAX):
            conflict(answers)
        with pytest.raises(ServiceFailed):
            open_job(store)
        answers.assert_no_pending_responses()
    assert len(clock.slept) == TRIES_MAX - 1


@pytest.mark.parametrize("code", ["ValidationException", "AccessDeniedException"])
def test_what_no_retry_mends_is_tried_once(
    aws: Aws, store: DynamoJobStore, clock: ManualClock, code: str
) -> None:
    with Stubber(aws.dynamodb) as answers:
        answers.add_client_error("transact_write_items", code)
        with pytest.raises(ServiceFailed):
            open_job(store)
    assert clock.slept == []


def test_a_lost_answer_to_an_open_is_found_again(aws: Aws, store: DynamoJobStore) -> None:
    """The first write went through and its answer did not: the second meets the job itself."""
    written: list[dict[str, Any]] = []

    def keep(params: dict[str, Any], **_: object) -> None:
        written.append(params)

    with Stubber(aws.dynamodb) as answers:
        aws.dynamodb.meta.events.register("provide-client-params.dynamodb.*", keep)
        answers.add_response("transact_write_items", {})
        open_job(store)
        item = written[0]["TransactItems"][0]["Put"]["Item"]
        answers.add_client_error(
            "transact_write_items",
            "TransactionCanceledException",
            modeled_fields={
                "CancellationReasons": [
                    {"Code": "ConditionalCheckFailed", "Item": item},
                    {"Code": "ConditionalCheckFailed", "Item": {}},
                    {"Code": "ConditionalCheckFailed"},
                ]
            },
        )
        assert open_job(store) == JOB
