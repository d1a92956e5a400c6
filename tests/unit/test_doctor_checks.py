"""What the checks make of AWS's answers when nothing is broken, or only looks so."""

from __future__ import annotations

import json
from datetime import date

import pytest

from common.config import Config
from common.routes import Route
from ops.checkup import account, alarms, bucket, money, queues, settings, sweep, tables
from ops.checkup.finding import Verdict
from tests.unit.checkup import (
    ACCESS,
    ACCOUNT,
    CONFIG,
    EVENTS,
    FAIL,
    HOME,
    JOBS,
    MAIL,
    MERCHANT,
    MODEL,
    OF_ACCOUNTS,
    OF_WORKER,
    OK,
    QUOTA,
    TLS,
    TOPIC,
    WARN,
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
