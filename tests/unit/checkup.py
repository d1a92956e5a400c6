"""What AWS says, for checks to judge: clients that answer from a list, and a healthy account."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from typing import Any

import boto3
from botocore.stub import Stubber

from common.config import Config
from common.routes import Route
from ops.checkup import account, alarms, bucket, models, money, queues, settings, tables
from ops.checkup.asking import asked
from ops.checkup.finding import Finding, Verdict
from ops.checkup.permissions import Function, look_at_indexes, look_at_models

NOW = datetime(2026, 11, 26, 12, 0, 0, tzinfo=UTC)
ACCOUNT = "111122223333"
HOME = "ap-southeast-1"
CONFIG = Config(stage="prod", alarm_email="ops@example.com")
HOSTED = CONFIG.model_copy(update={"domain": "imagify.example.com", "image_key_version": 2})
(ROUTE,) = CONFIG.routes
MAIL = "ops@example.com"


def function(name: str, *, timeout_seconds: int = 120) -> Function:
    return Function(
        name=name,
        arn=f"arn:aws:lambda:{HOME}:{ACCOUNT}:function:{name}",
        role_arn=f"arn:aws:iam::{ACCOUNT}:role/{name}-role",
        timeout_seconds=timeout_seconds,
    )


@dataclass(frozen=True)
class Refusal:
    """An error that AWS answers with."""

    code: str
    message: str = "no"
    headers: tuple[tuple[str, str], ...] = ()


Answer = tuple[str, dict[str, Any] | Refusal]
"""An operation, by the name of its method, and what it is answered with."""


def client(service: str, answers: Sequence[Answer], region: str = HOME) -> Any:
    """A client that gives these answers, in this order, and speaks to nobody."""
    made: Any = boto3.client(
        service,  # type: ignore[call-overload] # any service
        region_name=region,
        aws_access_key_id="local",
        aws_secret_access_key="x",
    )
    stubber = Stubber(made)
    for operation, answer in answers:
        if isinstance(answer, Refusal):
            stubber.add_client_error(
                operation,
                service_error_code=answer.code,
                service_message=answer.message,
                response_meta={"HTTPHeaders": dict(answer.headers)},
            )
        else:
            stubber.add_response(operation, answer)
    stubber.activate()
    return made


def found(check: str, look: Callable[..., Iterable[Finding]], *given: Any) -> list[Finding]:
    """What a check finds, as the command runs it."""
    return asked(check, look, *given)


Look = Callable[[Any], Iterator[Finding]]
FAIL, WARN, OK, SKIP = Verdict.FAIL, Verdict.WARN, Verdict.OK, Verdict.SKIP
DATE = {"date": format_datetime(NOW, usegmt=True)}
ME = {"UserId": "u", "Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/ops"}
BUCKET = "imagify-images"
TOPIC = f"arn:aws:sns:{HOME}:{ACCOUNT}:alarms"
ALARM = {
    "AlarmName": "DeadLetters",
    "AlarmDescription": "imagify dlq list",
    "ActionsEnabled": True,
    "AlarmActions": [TOPIC],
    "StateValue": "OK",
}
AVAILABLE = {
    "modelId": ROUTE.model,
    "agreementAvailability": {"status": "AVAILABLE"},
    "authorizationStatus": "AUTHORIZED",
    "entitlementAvailability": "AVAILABLE",
    "regionAvailability": "AVAILABLE",
}
TLS = {
    "Effect": "Deny",
    "Principal": {"AWS": "*"},
    "Action": "s3:*",
    "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
WORKER = function("worker")
MAPPING = {
    "UUID": "3f8c1f2a-0000-4000-8000-000000000000",
    "EventSourceArn": f"arn:aws:sqs:{HOME}:{ACCOUNT}:jobs",
    "State": "Enabled",
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
    "ScalingConfig": {"MaximumConcurrency": CONFIG.workers},
}
DEAD = f"arn:aws:sqs:{HOME}:{ACCOUNT}:dead"
EMPTY = dict.fromkeys(queues.DEPTH, "0")
JOBS = {
    **EMPTY,
    "RedrivePolicy": json.dumps({"deadLetterTargetArn": DEAD, "maxReceiveCount": 5}),
    "VisibilityTimeout": "140",
}
MERCHANT = {
    "tmn_code": "IMAGIFY1",
    "hash_secret": "a-secret-that-nobody-may-see",
    "pay_url": "https://vnpay.example.com/pay",
    "api_url": "https://vnpay.example.com/api",
    "return_url": "https://api.example.com/payments/vnpay/return",
}


TEST_MERCHANT = {
    **MERCHANT,
    "api_url": "https://sandbox.vnpayment.vn/merchant_webapi/api/transaction",
}


@dataclass(frozen=True)
class Case:
    """A service's answers, who looks at them, and what is to be found."""

    name: str
    service: str
    answers: list[Answer]
    look: Look
    check: str
    verdict: Verdict
    words: str
    """What the reason must say."""


def identity(seconds_behind: float) -> list[Answer]:
    now = NOW - timedelta(seconds=seconds_behind)
    headers = {"date": format_datetime(now, usegmt=True)}
    return [("get_caller_identity", {**ME, "ResponseMetadata": {"HTTPHeaders": headers}})]


def limits(concurrent: int, unreserved: int) -> list[Answer]:
    told = {
        "ConcurrentExecutions": concurrent,
        "UnreservedConcurrentExecutions": unreserved,
    }
    return [("get_account_settings", {"AccountLimit": told})]


def model(**lifecycle: object) -> list[Answer]:
    details = {"modelArn": "arn:aws:bedrock:…", "modelId": ROUTE.model, "modelLifecycle": lifecycle}
    return [("get_foundation_model", {"modelDetails": details})]


def quotas(value: float) -> list[Answer]:
    every = [
        ("On-demand model inference requests per minute for Stability.ai Stable Image Ultra", 1.0),
        ("On-demand model inference requests per minute for Stability.ai Stable Image Core", value),
        ("On-demand model inference tokens per minute for Nova Lite", 9.0),
    ]
    named = [{"QuotaName": name, "Value": each, "QuotaCode": "L-1"} for name, each in every]
    return [("list_service_quotas", {"Quotas": named})]


def blocks(**changed: bool) -> list[Answer]:
    on = dict.fromkeys(bucket.BLOCKS, True)
    status = {"PolicyStatus": {"IsPublic": False}}
    return [
        ("get_public_access_block", {"PublicAccessBlockConfiguration": {**on, **changed}}),
        ("get_bucket_policy_status", status),
    ]


def policy(*statements: Mapping[str, Any]) -> list[Answer]:
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    return [("get_bucket_policy", {"Policy": document})]


def both_queues(jobs: Mapping[str, str], **dead: str) -> list[Answer]:
    letters = {**EMPTY, "QueueArn": DEAD, **dead}
    return [
        ("get_queue_attributes", {"Attributes": letters}),
        ("get_queue_attributes", {"Attributes": dict(jobs)}),
    ]


def subscribed(*arns: str) -> list[Answer]:
    each = [{"SubscriptionArn": arn, "Endpoint": MAIL} for arn in arns]
    return [("list_subscriptions_by_topic", {"Subscriptions": each})]


def simulated(*decisions: str) -> list[Answer]:
    return [
        (
            "simulate_principal_policy",
            {"EvaluationResults": [{"EvalActionName": "a:Call", "EvalDecision": each}]},
        )
        for each in decisions
    ]


def described(status: str) -> list[Answer]:
    stack = {"StackName": "Imagify-prod", "CreationTime": NOW, "StackStatus": status}
    return [("describe_stacks", {"Stacks": [stack]})]


def parameter(value: str, kind: str = "SecureString") -> list[Answer]:
    told = {"Parameter": {"Name": CONFIG.vnpay_parameter, "Type": kind, "Value": value}}
    return [("get_parameter", told), ("get_parameter", told)]


def look_at_queues(sqs: Any) -> Iterator[Finding]:
    return queues.look_at_queues(
        sqs, queue_url="jobs", dead_letter_queue_url="dead", config=CONFIG, worker=WORKER
    )


def look_at_topic(sns: Any, *, alarm: Mapping[str, Any] = ALARM) -> Iterator[Finding]:
    cloudwatch = client("cloudwatch", [("describe_alarms", {"MetricAlarms": [alarm]})])
    return alarms.look_at_alarms(cloudwatch, sns, ["DeadLetters"], config=CONFIG, local=False)


def look_at_alarms(cloudwatch: Any) -> Iterator[Finding]:
    sns = client("sns", subscribed(f"{TOPIC}:1"))
    names = ["DeadLetters", "SweepFails"]
    return alarms.look_at_alarms(cloudwatch, sns, names, config=CONFIG, local=False)


def look_at_recovery(dynamodb: Any) -> Iterator[Finding]:
    return tables.look_at_tables(dynamodb, {"Users": "users"}, config=CONFIG, emulated=False)


def table(**changed: object) -> list[Answer]:
    told = {"TableName": "users", "TableStatus": "ACTIVE", "DeletionProtectionEnabled": True}
    return [("describe_table", {"Table": {**told, **changed}}), *recovering("ENABLED")]


def recovering(status: str) -> list[Answer]:
    told = {
        "ContinuousBackupsStatus": "ENABLED",
        "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": status},
    }
    return [("describe_continuous_backups", {"ContinuousBackupsDescription": told})]


who = partial(account.look_at_credentials, region=HOME, now=lambda: NOW)
at_once = partial(account.look_at_concurrency, config=CONFIG, functions=())
of_model = partial(models.look_at_model, route=ROUTE, today=NOW.date())
accounts_indexes = partial(
    look_at_indexes, function=function("accounts"), tables={"Users": "u", "Ledger": "l"}
)
worker_models = partial(
    look_at_models,
    function=WORKER,
    routes=(ROUTE, Route(model=ROUTE.model, region="us-east-1")),
)
MODEL, ACCESS, QUOTA = models.checks(ROUTE)
OF_ACCOUNTS, OF_WORKER, EVENTS = "indexes of accounts", "models of worker", "events of worker"

no_credentials: list[Answer] = [
    ("get_caller_identity", Refusal("InvalidClientTokenId", "The token is invalid."))
]
late: list[Answer] = [
    (
        "get_caller_identity",
        Refusal(
            "SignatureDoesNotMatch",
            "Signature expired",
            (("date", format_datetime(NOW + timedelta(minutes=10), usegmt=True)),),
        ),
    )
]
gone: list[Answer] = [
    ("get_foundation_model", Refusal("ResourceNotFoundException", "Could not resolve the model."))
]
no_stack: list[Answer] = [
    ("describe_stacks", Refusal("ValidationError", "Stack with id Imagify does not exist"))
]
no_policy: list[Answer] = [("get_bucket_policy", Refusal("NoSuchBucketPolicy"))]
no_encryption: list[Answer] = [
    ("get_bucket_encryption", Refusal("ServerSideEncryptionConfigurationNotFoundError"))
]
lists: list[Answer] = [
    (
        "get_bucket_ownership_controls",
        {"OwnershipControls": {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}},
    )
]
no_parameter: list[Answer] = [("get_parameter", Refusal("ParameterNotFound"))]
no_keys: list[Answer] = [
    ("get_parameters", {"InvalidParameters": ["/imagify/prod/image-key/1/public"]})
]
old_bootstrap: list[Answer] = [("get_parameter", {"Parameter": {"Value": "5"}})]
unread: list[Answer] = [
    ("simulate_principal_policy", Refusal("AccessDenied")),
    ("simulate_principal_policy", Refusal("AccessDenied")),
]
one_alarm: list[Answer] = [("describe_alarms", {"MetricAlarms": [ALARM]})]
rung: list[Answer] = [
    (
        "describe_alarms",
        {
            "MetricAlarms": [
                {**ALARM, "StateValue": "ALARM"},
                {**ALARM, "AlarmName": "SweepFails"},
            ]
        },
    )
]


def mapping(**changed: object) -> list[Answer]:
    return [("list_event_source_mappings", {"EventSourceMappings": [{**MAPPING, **changed}]})]


def of_jobs(lambda_: Any) -> Iterator[Finding]:
    return queues.look_at_sources(lambda_, WORKER, of_jobs=CONFIG)


of_access = partial(models.look_at_access, route=ROUTE)
of_quota = partial(models.look_at_quota, route=ROUTE)
of_merchant = partial(money.look_at_merchant, config=CONFIG)
of_devs_merchant = partial(
    money.look_at_merchant, config=CONFIG.model_copy(update={"removal": "destroy"})
)
tls = partial(bucket.look_at_tls, bucket=BUCKET, emulated=False)
public = partial(bucket.look_at_public_access, bucket=BUCKET)
image_keys = partial(settings.look_at_image_keys, config=HOSTED)
web_stack = partial(settings.look_at_web_stack, config=CONFIG, emulated=False)
bootstrap = partial(settings.look_at_bootstrap, config=CONFIG)
encryption = partial(bucket.look_at_encryption, bucket=BUCKET)
ownership = partial(bucket.look_at_ownership, bucket=BUCKET)
PENDING = "PendingConfirmation"


def without_access(**changed: object) -> list[Answer]:
    return [("get_foundation_model_availability", {**AVAILABLE, **changed})]


def index_gone(*names: str) -> list[Answer]:
    return table(GlobalSecondaryIndexes=[{"IndexName": each} for each in names])
