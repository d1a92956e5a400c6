"""What the checks make of AWS's answers when nothing is broken, or only looks so."""

from __future__ import annotations

import json
from datetime import date
from functools import partial
from typing import Any

import boto3
import pytest
from botocore.exceptions import NoCredentialsError

from common.config import Config
from common.routes import ROUTES, Route
from ops.checkup import account, alarms, bucket, money, queues, settings, sweep, tables
from ops.checkup.canary import canary
from ops.checkup.finding import Verdict
from sandbox.bedrock.behaviour import Behaviour
from sandbox.bedrock.server import simulator_in_thread
from sandbox.state import Outputs
from tests.unit.checkup import (
    ACCESS,
    ACCOUNT,
    ALARM,
    CONFIG,
    DEAD,
    EVENTS,
    FAIL,
    HOME,
    JOBS,
    MAIL,
    MERCHANT,
    MODEL,
    NOW,
    OF_ACCOUNTS,
    OF_WORKER,
    OK,
    PENDING,
    QUOTA,
    ROUTE,
    TLS,
    TOPIC,
    WARN,
    WORKER,
    Answer,
    Case,
    Refusal,
    accounts_indexes,
    at_once,
    blocks,
    both_queues,
    client,
    found,
    function,
    identity,
    limits,
    look_at_queues,
    look_at_recovery,
    look_at_topic,
    mapping,
    model,
    of_access,
    of_jobs,
    of_merchant,
    of_model,
    of_quota,
    parameter,
    policy,
    public,
    quotas,
    simulated,
    subscribed,
    table,
    tls,
    who,
    without_access,
    worker_models,
)

HEALTHY = [
    Case("credentials", "sts", identity(0), who, "credentials", OK, ACCOUNT),
    Case("the clock", "sts", identity(-59), who, "clock", OK, "-59 s"),
    Case("a limit of 1000", "lambda", limits(1000, 1000), at_once, "concurrency", OK, "= 428"),
    Case("an active model", "bedrock", model(status="ACTIVE"), of_model, MODEL, OK, "Active"),
    Case("access", "bedrock", without_access(), of_access, ACCESS, OK, "authorized"),
    Case("a quota", "service-quotas", quotas(120), of_quota, QUOTA, OK, "120 starts a minute"),
    Case("indexes", "iam", simulated("allowed", "allowed"), accounts_indexes, OF_ACCOUNTS, OK,
         "Users/EmailIndex"),
    Case("models", "iam", simulated("allowed", "allowed"), worker_models, OF_WORKER, OK, "us-ea"),
    Case("a private bucket", "s3", blocks(), public, bucket.PUBLIC, OK, "All four"),
    Case("TLS", "s3", policy(TLS), tls, bucket.TLS, OK, "denied"),
    Case("the queue", "sqs", both_queues(JOBS), look_at_queues, queues.REDRIVE, OK, "5"),
    Case("nobody dead", "sqs", both_queues(JOBS), look_at_queues, queues.DEAD_LETTERS, OK, "empty"),
    Case("events", "lambda", mapping(), of_jobs, EVENTS, OK, "28 messages"),
    Case("a subscriber", "sns", subscribed(f"{TOPIC}:1"), look_at_topic, alarms.TOLD, OK, MAIL),
    Case("a merchant", "ssm", parameter(json.dumps(MERCHANT)), of_merchant, money.MERCHANT, OK,
         "SecureString"),
    Case("recovery", "dynamodb", table(), look_at_recovery, tables.RECOVERY, OK, "all 1"),
    Case("protection", "dynamodb", table(), look_at_recovery, tables.PROTECTION, OK, "all 1"),
]  # fmt: skip


@pytest.mark.parametrize("case", HEALTHY, ids=lambda case: case.name)
def test_doctor_finds_nothing_where_nothing_is_broken(case: Case) -> None:
    (only,) = [
        each
        for each in found("asked", case.look, client(case.service, case.answers))
        if each.check == case.check
    ]
    assert (only.verdict, only.mend) == (OK, None)
    assert case.words in only.reason


def test_a_merchants_secret_is_never_shown() -> None:
    whole = json.dumps({**MERCHANT, "pay_url": "ftp://nowhere", "a-secret": "x"})
    for text in (json.dumps(MERCHANT), whole, whole[:-3]):
        for each in found("m", of_merchant, client("ssm", parameter(text))):
            assert MERCHANT["hash_secret"] not in f"{each.reason}{each.mend}"
            assert "ftp" not in each.reason


def test_what_may_not_be_simulated_is_read_from_the_roles_own_policies() -> None:
    index = f"arn:aws:dynamodb:{HOME}:{ACCOUNT}:table"
    statement = {
        "Effect": "Allow",
        "Action": ["dynamodb:Query"],
        "Resource": [f"{index}/u/index/EmailIndex"],
    }
    names: Answer = ("list_role_policies", {"PolicyNames": ["own"]})
    document = json.dumps({"Statement": [statement]})
    own = {"RoleName": "accounts-role", "PolicyName": "own", "PolicyDocument": document}
    answers: list[Answer] = [
        ("simulate_principal_policy", Refusal("AccessDenied")), names, ("get_role_policy", own),
    ]  # fmt: skip

    (only,) = found("asked", accounts_indexes, client("iam", answers))

    assert only.verdict is FAIL
    assert "may not dynamodb:Query on Ledger/TimeIndex (read from its own" in only.reason


def test_a_schedule_that_is_off_or_runs_something_else_is_found() -> None:
    ours = function("sweep")
    on = {"Name": "each", "State": "ENABLED", "ScheduleExpression": "rate(1 minute)"}
    target = {"Target": {"Arn": ours.arn}}
    assert sweep.schedule([{**on, **target}], ours).verdict is OK
    off = sweep.schedule([{**on, **target, "State": "DISABLED"}], ours)
    assert (off.verdict, "is DISABLED" in off.reason) == (FAIL, True)
    assert sweep.schedule([{**on, "Target": {"Arn": "other"}}], ours).verdict is FAIL
    assert sweep.schedule([], ours).verdict is FAIL


def test_an_account_that_runs_few_functions_has_a_way_without_shares() -> None:
    shareless = Config(stage="prod", reserve_concurrency=False)
    told = account.concurrency(shareless, limit=10, unreserved=10, own=0, deployed=False)
    assert (told.verdict, "28 workers" in told.reason) == (WARN, True)
    small = Config(stage="prod", reserve_concurrency=False, workers_max=5)
    assert account.concurrency(small, limit=10, unreserved=10, own=0, deployed=False).verdict is OK


def test_what_the_stack_has_reserved_itself_is_not_anothers() -> None:
    told = account.concurrency(CONFIG, limit=1000, unreserved=572, own=428, deployed=True)
    assert told.verdict is OK
    told = account.concurrency(CONFIG, limit=1000, unreserved=600, own=400, deployed=True)
    assert (told.verdict, "400 are reserved" in told.reason) == (WARN, True)


def test_a_configuration_that_cannot_work_is_found() -> None:
    retired = Config(routes=(Route(model="amazon.nova-canvas-v1:0", region="us-east-1"),))
    told = settings.configuration(retired, today=date(2026, 11, 26))
    assert (told.verdict, "left Bedrock on 2026-09-30" in told.reason) == (FAIL, True)
    assert settings.configuration(CONFIG, today=date(2026, 11, 26)).verdict is OK


@pytest.mark.parametrize(
    ("page_url", "origins", "verdict"),
    [
        ("", ("https://a.example.com",), OK),
        ("https://a.example.com/paid", ("*",), OK),
        ("https://a.example.com/paid", ("https://a.example.com",), OK),
        ("https://a.example.com/paid", ("https://b.example.com",), FAIL),
        ("http://a.example.com/paid", ("*",), WARN),
    ],
)
def test_a_page_that_may_not_call_the_api_is_found(
    page_url: str, origins: tuple[str, ...], verdict: Verdict
) -> None:
    config = Config(page_url=page_url, allowed_origins=origins)
    assert settings.page(config, local=False).verdict is verdict


OUTPUTS = Outputs.model_validate(
    {**dict.fromkeys(Outputs.model_fields, ""), "Routes": ROUTES.dump_json(CONFIG.routes)}
)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ("CREATE_COMPLETE", OK),
        ("UPDATE_COMPLETE", OK),
        ("UPDATE_IN_PROGRESS", WARN),
        ("UPDATE_ROLLBACK_COMPLETE", WARN),
        ("ROLLBACK_COMPLETE", FAIL),
        ("UPDATE_ROLLBACK_FAILED", FAIL),
    ],
)
def test_a_deployment_that_did_not_work_is_found(status: str, verdict: Verdict) -> None:
    told = settings.stack_status(settings.STACK, "Imagify-prod", status)
    assert told.verdict is verdict


def test_routes_that_were_changed_and_not_deployed_are_found() -> None:
    assert settings.drift(CONFIG, OUTPUTS).verdict is OK
    quicker = CONFIG.model_copy(
        update={"routes": (ROUTE.model_copy(update={"rate_per_second": 5.0}),)}
    )
    assert settings.drift(quicker, OUTPUTS).verdict is WARN


def test_nobody_is_no_one_to_ask_as() -> None:
    class Nobody:
        def get_caller_identity(self) -> None:
            raise NoCredentialsError

    (told,) = found("credentials", who, Nobody())
    assert (told.verdict, "Unable to locate credentials" in told.reason) == (FAIL, True)
    assert account.clock(None, NOW).verdict is Verdict.UNKNOWN


def test_an_agreement_under_way_and_a_model_that_nobody_has_are_told_apart() -> None:
    pending = without_access(agreementAvailability={"status": "PENDING"})
    (told,) = found("access", of_access, client("bedrock", pending))
    assert told.verdict is WARN
    unheard: list[Answer] = [
        ("get_foundation_model_availability", Refusal("ResourceNotFoundException", "Not found."))
    ]
    (told,) = found("access", of_access, client("bedrock", unheard))
    assert (told.verdict, "Not found." in told.reason) == (FAIL, True)


def test_who_is_told_of_alarms_is_who_should_be() -> None:
    confirmed, pending = {"SubscriptionArn": f"{TOPIC}:1"}, {"SubscriptionArn": PENDING}
    other, ours = {"Endpoint": "other@example.com"}, {"Endpoint": MAIL}
    told = partial(alarms.told, [ALARM], email=MAIL)
    assert told([{**confirmed, **other}, {**confirmed, **ours}]).verdict is OK
    for listed in ([{**confirmed, **other}, {**pending, **ours}], [{**confirmed, **other}]):
        assert told(listed).verdict is WARN
    cloudwatch = client("cloudwatch", [("describe_alarms", {"MetricAlarms": [ALARM]})])
    mute = partial(alarms.look_at_alarms, config=Config(), local=False)
    *_, last = found("alarms", mute, cloudwatch, client("sns", []), ["DeadLetters"])
    assert (last.check, last.verdict) == (alarms.TOLD, WARN)


def test_a_merchants_account_that_does_not_answer_is_a_failure() -> None:
    answers: list[Answer] = [parameter("x")[0], ("get_parameter", Refusal("InvalidKeyId"))]
    (told,) = found("merchant", of_merchant, client("ssm", answers))
    assert (told.verdict, "cannot be read" in told.reason) == (FAIL, True)


def test_another_number_of_deliveries_and_a_worker_without_events_are_found() -> None:
    policy = json.dumps({"deadLetterTargetArn": DEAD, "maxReceiveCount": 3})
    told = queues.redrive({"RedrivePolicy": policy}, dead_letter_queue_arn=DEAD, config=CONFIG)
    assert (told.verdict, "After 3 deliveries" in told.reason) == (WARN, True)
    assert queues.sources(WORKER, [], of_jobs=CONFIG).verdict is FAIL


class Model:
    """A model that takes a second, and then answers or refuses."""

    def __init__(self, url: str) -> None:
        self.client: Any = boto3.client(
            "bedrock-runtime",
            region_name=ROUTE.region,
            endpoint_url=url,
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )
        self.seconds = iter((10.0, 25.0)).__next__


def test_a_canary_tells_how_long_an_image_took_or_why_there_is_none() -> None:
    with simulator_in_thread(Behaviour(latency_seconds=0, picture="plain")) as url:
        slow = Model(url)
        told = canary(slow.client, ROUTE, seconds=slow.seconds)
        assert (told.verdict, "in 15.0 s; p95_seconds says 14" in told.reason) == (WARN, True)
        quick = Model(url)
        told = canary(quick.client, ROUTE, seconds=iter((10.0, 11.0)).__next__)
        assert (told.verdict, "in 1.0 s" in told.reason) == (OK, True)
        absent = ROUTE.model_copy(update={"model": "amazon.nova-canvas-v1:0"})
        told = canary(quick.client, absent, seconds=lambda: 0.0)
        assert (told.verdict, "reached the end of its life" in told.reason) == (FAIL, True)
    unknown = ROUTE.model_copy(update={"model": "nobody.nothing-v1:0"})
    assert canary(quick.client, unknown, seconds=lambda: 0.0).verdict is FAIL
