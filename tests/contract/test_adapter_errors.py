"""What AWS refuses comes out of every adapter as one error of ours, and nothing of boto3's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from common.aws.dynamo_jobs import DynamoJobStore
from common.aws.dynamo_ledger import DynamoLedger
from common.aws.dynamo_lines import DynamoLines
from common.aws.dynamo_payments import DynamoPaymentStore
from common.aws.dynamo_users import DynamoUserStore
from common.aws.s3_images import S3ImageStore
from common.aws.sqs_queue import SqsJobQueue
from common.credits import Balance, grant, hold, settle
from common.errors import ServiceFailed
from common.jobs import ImageRequest, Job
from common.lines import Line
from common.payments import top_up
from common.routes import Route
from common.users import User
from tests.contract.backends import Aws
from tests.contract.test_payment_store import a_payment
from tests.fakes import START

MISSING = "nothing-here"
ROUTE = Route(model="m", region="us-west-2")
JOB = Job(
    job_id="job",
    user_id="ann",
    request=ImageRequest(prompt="a fox", model="m", aspect_ratio="1:1"),
    fingerprint="f",
    cost=1,
    created_at=START,
)
PAYMENT = a_payment("ann")
GIFT = grant("ann", amount=1, cause="gift", reason="", now=START)
ANN = User(user_id="ann", email="ann@example.com", created_at=START, balance=Balance())


def jobs(aws: Aws) -> DynamoJobStore:
    return DynamoJobStore(
        aws.dynamodb, jobs_table=MISSING, users_table=MISSING, ledger_table=MISSING
    )


def users(aws: Aws) -> DynamoUserStore:
    return DynamoUserStore(aws.dynamodb, users_table=MISSING, ledger_table=MISSING)


def payments(aws: Aws) -> DynamoPaymentStore:
    return DynamoPaymentStore(
        aws.dynamodb, payments_table=MISSING, users_table=MISSING, ledger_table=MISSING
    )


def ledger(aws: Aws) -> DynamoLedger:
    return DynamoLedger(aws.dynamodb, users_table=MISSING, ledger_table=MISSING)


def lines(aws: Aws) -> DynamoLines:
    return DynamoLines(aws.dynamodb, routes_table=MISSING)


def queue(aws: Aws) -> SqsJobQueue:
    return SqsJobQueue(
        aws.sqs, queue_url=f"https://sqs.ap-southeast-1.amazonaws.com/123456789012/{MISSING}"
    )


def images(aws: Aws) -> S3ImageStore:
    return S3ImageStore(aws.s3, bucket=MISSING)


@pytest.mark.parametrize(
    "call",
    [
        lambda aws: jobs(aws).get("job"),
        lambda aws: jobs(aws).page("ann", limit=1),
        lambda aws: jobs(aws).open(JOB, hold(JOB), active_jobs_max=1),
        lambda aws: jobs(aws).save(JOB),
        lambda aws: jobs(aws).save(JOB, entry=settle(JOB, now=START)),
        lambda aws: users(aws).get("ann"),
        lambda aws: users(aws).find_by_email(ANN.email),
        lambda aws: users(aws).create(ANN, None),
        lambda aws: payments(aws).get("ref"),
        lambda aws: payments(aws).page("ann", limit=1),
        lambda aws: payments(aws).due(START, limit=1),
        lambda aws: payments(aws).open(PAYMENT),
        lambda aws: payments(aws).save(PAYMENT),
        lambda aws: payments(aws).save(PAYMENT, entry=top_up(PAYMENT, now=START)),
        lambda aws: ledger(aws).page("ann", limit=1),
        lambda aws: ledger(aws).add(GIFT),
        lambda aws: queue(aws).send("job", "ann", sending=1),
        lambda aws: queue(aws).hide("receipt", seconds=1),
        lambda aws: images(aws).put("images/a.png", b"", width=1, height=1),
        lambda aws: lines(aws).read([ROUTE]),
        lambda aws: lines(aws).take(ROUTE, earliest_us=0, latest_us=1),
        lambda aws: lines(aws).push(ROUTE, by_us=1),
        lambda aws: lines(aws).adapt(ROUTE, seen=Line(), wanted=Line(push_us=1)),
    ],
)
def test_a_refusal_by_aws_is_a_failed_service(moto_aws: Aws, call: Callable[[Aws], object]) -> None:
    with pytest.raises(ServiceFailed) as caught:
        call(moto_aws)
    assert caught.value.__cause__ is not None
