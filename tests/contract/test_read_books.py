"""The audit's reader on DynamoDB and S3: it reads everything, and is not fooled by what moves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from common.aws.records import to_item
from common.credits import settle
from common.jobs import Image, image_key, succeed
from common.payments import News, Payment, hear
from common.vnpay_codes import Outcome
from ops.money.books import Discrepancy
from ops.money.read_books import KEYS_MAX, BooksReader
from sandbox.state import Outputs
from tests.contract.backends import (
    BUCKET,
    JOBS_TABLE,
    LEDGER_TABLE,
    MOTO,
    PAYMENTS_TABLE,
    USERS_TABLE,
    Aws,
    Stores,
)
from tests.contract.test_job_store import a_job, claimed, open_job, user_with
from tests.fakes import START

OUTPUTS = Outputs(
    ApiUrl="",
    FeedUrl="",
    UserPoolId="",
    UserPoolClientId="",
    HomeRegion="",
    ImagesBucket=BUCKET,
    JobsQueueUrl="",
    DeadLetterQueueUrl="",
    UsersTable=USERS_TABLE,
    JobsTable=JOBS_TABLE,
    LedgerTable=LEDGER_TABLE,
    RoutesTable="",
    ActsTable="",
    Routes="[]",
    PaymentsTable=PAYMENTS_TABLE,
    VnpayParameter="",
)
on_moto = pytest.mark.parametrize("backend", [MOTO], indirect=True)
"""Alone in its tables, which the emulator's tests share."""


def read(
    aws: Aws, tell: Callable[[str], None] = lambda _step: None, **faults: Any
) -> tuple[dict[str, int], list[Discrepancy]]:
    """How much there is, and what is wrong."""
    reader = BooksReader(OUTPUTS, dynamodb=aws.dynamodb, s3=aws.s3, **faults)
    books, found = reader.discrepancies(tell)
    return {
        "users": len(books.users),
        "entries": len(books.entries),
        "jobs": len(books.jobs),
        "payments": len(books.payments),
        "images": len(books.images),
    }, found


def draw(aws: Aws, stores: Stores, job_id: str) -> None:
    """A job from its submit to its stored and settled image."""
    job = a_job("ann", job_id)
    open_job(stores, job, active_jobs_max=1000)
    working = claimed(job)
    stores.jobs.save(working)
    key = image_key(job)
    aws.s3.put_object(Bucket=BUCKET, Key=key, Body=b"png")
    image = Image(key=key, width=1, height=1, content_type="image/png", size_bytes=3)
    done = succeed(working, image=image, now=START)
    stores.jobs.save(done, entry=settle(done, now=START))


def pay(stores: Stores) -> None:
    """A payment from its start to its top-up."""
    payment = stores.payments.open(
        Payment(
            txn_ref="IMG1",
            user_id="ann",
            package="small",
            credits=20,
            amount_vnd=26_000,
            locale="vn",
            ip_address="203.0.113.7",
            fingerprint="f",
            created_at=START,
            expires_at=START + timedelta(minutes=15),
        )
    )
    news = News(txn_ref="IMG1", outcome=Outcome.PAID, amount_vnd=26_000)
    heard = hear(payment, news, now=START)
    stores.payments.save(heard.payment, entry=heard.entry)


@on_moto
def test_a_service_that_adds_up_is_read_whole(backend: Aws, stores: Stores) -> None:
    user_with(stores, "ann", available=100)
    draw(backend, stores, "job-1")
    pay(stores)
    open_job(stores, a_job("ann", "job-2"))

    counts, found = read(backend)

    assert counts == {"users": 1, "entries": 5, "jobs": 2, "payments": 1, "images": 1}
    assert found == []


@on_moto
def test_what_is_wrong_is_still_wrong_at_the_second_look(backend: Aws, stores: Stores) -> None:
    user_with(stores, "ann", available=100)
    user_with(stores, "ben", available=100)
    draw(backend, stores, "job-1")
    backend.s3.delete_object(Bucket=BUCKET, Key="images/ann/job-1.png")
    backend.s3.put_object(Bucket=BUCKET, Key="images/stray.png", Body=b"")
    backend.dynamodb.update_item(
        TableName=USERS_TABLE,
        Key=to_item({"user_id": "ben"}),
        UpdateExpression="SET available = :more",
        ExpressionAttributeValues=to_item({":more": 101}),
    )

    _counts, found = read(backend)

    assert [(each.kind, each.subject) for each in found] == [
        ("balance", "ben"),
        ("image", "images/stray.png"),
        ("image", "job-1"),
    ]


@on_moto
def test_more_than_one_batch_is_looked_at_closely(backend: Aws, stores: Stores) -> None:
    user_with(stores, "ann", available=1000)
    for number in range(KEYS_MAX + 5):
        open_job(stores, a_job("ann", f"job-{number:03}"), active_jobs_max=1000)
    backend.dynamodb.delete_item(TableName=JOBS_TABLE, Key=to_item({"job_id": "job-104"}))

    _counts, found = read(backend)

    assert [(each.kind, each.subject) for each in found] == [("balance", "ann"), ("job", "job-104")]


@on_moto
def test_a_submit_between_two_tables_is_no_discrepancy(backend: Aws, stores: Stores) -> None:
    user_with(stores, "ann", available=100)
    steps: list[str] = []

    def submits_meanwhile(step: str) -> None:
        steps.append(step)
        if step.startswith("Reading the ledger"):
            draw(backend, stores, "job-1")

    _counts, found = read(backend, submits_meanwhile)

    assert any(step.startswith("Looking closer") for step in steps), "the first look was fooled"
    assert found == []


@on_moto
def test_somebody_who_is_busy_is_looked_at_again(backend: Aws, stores: Stores) -> None:
    user_with(stores, "ann", available=100)
    backend.dynamodb.delete_item(
        TableName=LEDGER_TABLE, Key=to_item({"user_id": "ann", "entry_id": "grant#test"})
    )
    slept: list[float] = []
    busy = iter(range(3))

    def between(*_: object, **__: object) -> None:
        """Another submit after each look at the images, three times."""
        for number in busy:
            draw(backend, stores, f"job-{number}")
            return

    backend.s3.meta.events.register("before-call.s3.ListObjectsV2", between)
    _counts, found = read(backend, sleep=slept.append)

    assert len(slept) == 2, "the first submit fell into the first look"
    assert [each.message for each in found] == ["available is 94, and the ledger adds up to -6."]


@on_moto
def test_somebody_who_never_stands_still_is_not_judged(backend: Aws, stores: Stores) -> None:
    user_with(stores, "ann", available=100)
    numbers = iter(range(99))

    def between(*_: object, **__: object) -> None:
        draw(backend, stores, f"job-{next(numbers)}")

    backend.s3.meta.events.register("before-call.s3.ListObjectsV2", between)
    said: list[str] = []
    _counts, found = read(backend, said.append, sleep=lambda _seconds: None)

    assert found == []
    assert said[-1] == "ann moved at every look and is not judged"
