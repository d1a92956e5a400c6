"""The doctor on the local run: nothing is wrong with it, and what is broken by hand is found."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import boto3
import httpx
import pytest

from common.config import Config
from common.routes import Route
from common.wall_clock import utc_now
from ops.checkup.deployment import Clients, Deployment
from ops.checkup.everything import all_checks
from ops.checkup.find import local_run, read_stack
from ops.checkup.finding import Finding, Verdict
from sandbox.clients import client_settings
from sandbox.environment import ACCOUNT
from sandbox.places import REPOSITORY
from tests.e2e.breaking import (
    Break,
    Hands,
    alarm_muted,
    alarm_ringing,
    dead_letter,
    event_source,
    merchant,
    public_bucket,
    queue_attribute,
    recovery_on_but_for,
    schedule_off,
    simulator,
    without_permission,
)
from tests.e2e.terminal import imagify
from tests.e2e.test_iam import allow, document
from tests.product import Sandbox

CORE = "stability.stable-image-core-v1:1"
TITAN = "amazon.titan-image-generator-v2:0"
ON = {"Enabled": True}
FAIL, WARN = Verdict.FAIL, Verdict.WARN


@pytest.fixture
def here(sandbox: Sandbox) -> Deployment:
    """The local run, as the command finds it."""
    return local_run({"IMAGIFY_STATE_DIR": str(sandbox.places.home)})


@pytest.fixture
def as_on_aws(here: Deployment, sandbox: Sandbox) -> Deployment:
    """The same, with nothing forgiven to the emulator."""
    clients = Clients(boto3.session.Session(), local=sandbox.state)
    return replace(here, clients=clients, local=False, emulated=False)


@pytest.fixture
def hands(sandbox: Sandbox, here: Deployment, control: httpx.Client) -> Hands:
    stack = read_stack(here)
    assert stack is not None
    return Hands(sandbox, stack, control)


def findings(here: Deployment, *, later: timedelta = timedelta()) -> dict[str, Finding]:
    """All findings, by what was checked, as seen by a clock that is wrong by so much."""

    def now() -> datetime:
        return utc_now() + later

    return {each.check: each for each in all_checks(here, now=now)}


def wrong(found: dict[str, Finding]) -> list[Finding]:
    fine = (Verdict.OK, Verdict.SKIP)
    return [each for each in found.values() if each.verdict not in fine]


def test_nothing_is_wrong_with_the_local_run(sandbox: Sandbox) -> None:
    sqs = boto3.client("sqs", **client_settings(sandbox.state.emulator_url))
    sqs.purge_queue(QueueUrl=sandbox.outputs.DeadLetterQueueUrl)

    done = imagify(sandbox, "doctor", "--json", "--canary")

    told = json.loads(done.stdout)
    not_fine = [each for each in told["findings"] if each["verdict"] not in ("ok", "skip")]
    assert (done.returncode, not_fine) == (0, [])
    skipped = {
        each["check"]: each["reason"] for each in told["findings"] if each["verdict"] == "skip"
    }
    assert set(skipped) == {
        f"quota {CORE}@us-west-2",
        "bootstrap",
        "image keys",
        "concurrency",
        "stack of the page",
        "tables: recovery",
        "alarms: who is told",
    }
    assert all(skipped.values())
    assert told["counts"]["ok"] == len(told["findings"]) - len(skipped)
    (canary,) = [each for each in told["findings"] if each["check"].startswith("canary")]
    assert "An image of" in canary["reason"]


BROKEN: Sequence[tuple[str, Break, str, Verdict, str]] = (
    (
        "EmailIndex is not granted",
        partial(without_permission, role="AccountsRole", part="EmailIndex"),
        "indexes of accounts",
        FAIL,
        "may not dynamodb:Query on Users/EmailIndex",
    ),
    (
        "the worker may not call the model",
        partial(without_permission, role="WorkerRole", part="foundation-model"),
        "models of worker",
        FAIL,
        f"may not bedrock:InvokeModel on {CORE}@us-west-2",
    ),
    (
        "the public-access block is off",
        public_bucket,
        "bucket: public access",
        FAIL,
        "Off: BlockPublicAcls",
    ),
    ("a dead letter", dead_letter, "dead-letter queue", WARN, "1 message is in it"),
    (
        "no redrive",
        partial(queue_attribute, name="RedrivePolicy", value=""),
        "queue: redrive",
        FAIL,
        "does not know",
    ),
    (
        "a short visibility",
        partial(queue_attribute, name="VisibilityTimeout", value="60"),
        "queue: visibility",
        FAIL,
        "back after 60 s",
    ),
    (
        "the event source is off",
        partial(event_source, broken={"Enabled": False}, mended=ON),
        "events of worker",
        FAIL,
        "is Disabled",
    ),
    (
        "failures are not reported",
        partial(
            event_source,
            broken={"FunctionResponseTypes": []},
            mended={"FunctionResponseTypes": ["ReportBatchItemFailures"]},
        ),
        "events of worker",
        FAIL,
        "does not report",
    ),
    (
        "another maximum concurrency",
        partial(
            event_source,
            broken={"ScalingConfig": {"MaximumConcurrency": 100}},
            mended={"ScalingConfig": {"MaximumConcurrency": Config().workers}},
        ),
        "events of worker",
        FAIL,
        "is 100, and 28 workers",
    ),
    (
        "no merchant",
        partial(merchant, value=None),
        "merchant's account",
        FAIL,
        "There is no /imagify/dev/vnpay",
    ),
    (
        "half a merchant",
        partial(merchant, value='{"tmn_code": "IMAGIFY1"}'),
        "merchant's account",
        FAIL,
        "wrong are api_url, hash_secret, pay_url, return_url",
    ),
    (
        "a merchant in the open",
        partial(merchant, value="{}", kind="String"),
        "merchant's account",
        FAIL,
        "is a String",
    ),
    (
        "a model without access",
        partial(simulator, without_access=[CORE]),
        f"access {CORE}@us-west-2",
        FAIL,
        "its agreement is NOT_AVAILABLE",
    ),
    ("the sweep is off", schedule_off, "sweep", FAIL, "is DISABLED"),
    ("an alarm is muted", alarm_muted, "alarms", FAIL, "Muted"),
    ("an alarm has gone off", alarm_ringing, "alarms: state", WARN, "1 in ALARM"),
)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda each: each[0])
def test_what_is_broken_by_hand_is_found_and_nothing_else(
    broken: tuple[str, Break, str, Verdict, str], here: Deployment, hands: Hands
) -> None:
    _name, damage, check, verdict, words = broken
    hands.of("sqs").purge_queue(QueueUrl=hands.outputs.DeadLetterQueueUrl)
    with damage(hands):
        (only,) = wrong(findings(here))
    assert (only.check, only.verdict) == (check, verdict)
    assert words in only.reason
    assert only.mend


def test_a_clock_that_is_ten_minutes_off_is_found(here: Deployment) -> None:
    clock = findings(here, later=timedelta(minutes=10))["clock"]
    assert (clock.verdict, clock.reason.startswith(("+600 s", "+599 s", "+601 s"))) == (FAIL, True)


def test_a_model_that_has_left_bedrock_is_found(here: Deployment) -> None:
    retired = Route(model=TITAN, region="us-east-1")
    found = findings(replace(here, config=here.config.model_copy(update={"routes": (retired,)})))
    assert "left Bedrock on 2026-06-30" in found["configuration"].reason
    assert "reached the end of its life" in found[f"model {TITAN}@us-east-1"].reason
    failed = {each.check for each in wrong(found) if each.verdict is FAIL}
    assert failed == {
        "configuration",
        f"model {TITAN}@us-east-1",
        f"access {TITAN}@us-east-1",
        "models of worker",
    }
    assert found["routes"].verdict is WARN


def test_on_aws_nothing_is_forgiven_to_the_emulator(as_on_aws: Deployment, hands: Hands) -> None:
    reserving = as_on_aws.config.model_copy(update={"reserve_concurrency": True})
    with recovery_on_but_for(hands, "Users"):
        found = findings(replace(as_on_aws, config=reserving))
    failed = {each.check: each.reason for each in wrong(found) if each.verdict is FAIL}
    assert set(failed) == {"bootstrap", "concurrency", "tables: recovery", "bucket: TLS"}
    assert failed["tables: recovery"] == "Point-in-time recovery is off for Users."
    assert "CloudFormation will refuse it" in failed["concurrency"]
    assert found["alarms: who is told"].verdict is WARN
    assert found["stack of the page"].verdict is WARN
    assert found[f"quota {CORE}@us-west-2"].verdict is Verdict.UNKNOWN


def test_a_stage_that_is_not_deployed_is_told_what_would_fail(as_on_aws: Deployment) -> None:
    config = Config(stage="prod")
    found = findings(replace(as_on_aws, config=config))
    assert found["stack"].verdict is Verdict.SKIP
    assert "Imagify-prod is not deployed yet" in found["stack"].reason
    failed = {each.check for each in wrong(found) if each.verdict is FAIL}
    assert failed == {"bootstrap", "concurrency"}
    assert "tables: indexes" not in found


def test_the_canary_says_in_awss_words_why_it_was_refused(
    sandbox: Sandbox, control: httpx.Client
) -> None:
    control.post("/settings", json={"without_access": [CORE]}).raise_for_status()
    done = imagify(sandbox, "doctor", "--canary")
    assert done.returncode == 1
    (line,) = [each for each in done.stdout.splitlines() if "canary" in each]
    assert line.startswith("fail")
    assert "You don't have access to the model" in line


def test_commands_that_mend_are_for_the_stage_that_is_looked_at(
    here: Deployment, as_on_aws: Deployment, hands: Hands
) -> None:
    prod = replace(as_on_aws, profile="ops")
    with schedule_off(hands), dead_letter(hands), alarm_muted(hands):
        local, found = findings(here), findings(prod)
    mends = {check: each.mend for check, each in found.items()}
    assert local["dead-letter queue"].mend == "bin/imagify dlq list"
    assert mends["dead-letter queue"] == ("bin/imagify dlq list --stage dev --profile ops")
    assert mends["stack of the page"] == "deploy the stack: make deploy STAGE=dev PROFILE=ops"
    assert (
        mends["sweep"]
        == mends["bucket: TLS"]
        == (
            "take back what was changed by hand: "
            "bin/imagify deploy --revert-drift --stage dev --profile ops"
        )
    )
    assert mends["bootstrap"] == "make bootstrap STAGE=dev PROFILE=ops"
    assert str(mends["alarms"]).startswith(
        "aws cloudwatch enable-alarm-actions --region ap-southeast-1 --profile ops --alarm-names "
    )


@pytest.fixture
def operator(
    sandbox: Sandbox, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], Clients]]:
    """Makes the clients of somebody who may do what a policy says; their AWS is the emulator."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", sandbox.state.emulator_url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK", sandbox.state.simulator_url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    name, iam, sts = f"doctor-{uuid.uuid4().hex[:12]}", hands.of("iam"), hands.of("sts")
    trust = allow(["sts:AssumeRole"], [])
    del trust["Resource"]
    trust["Principal"] = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document([trust]))["Role"]["Arn"]

    def make(policy: str) -> Clients:
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy)
        given = sts.assume_role(RoleArn=arn, RoleSessionName="doctor")["Credentials"]
        session = boto3.session.Session(
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
            region_name=sandbox.outputs.HomeRegion,
        )
        return Clients(session)

    yield make
    iam.delete_role_policy(RoleName=name, PolicyName="own")
    iam.delete_role(RoleName=name)


def test_the_pages_policy_is_all_that_an_operator_needs(
    as_on_aws: Deployment, operator: Callable[[str], Clients]
) -> None:
    page = (REPOSITORY / "docs" / "DOCTOR.md").read_text(encoding="utf-8")
    (policy,) = re.findall(r"^```json\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)

    found = findings(replace(as_on_aws, clients=operator(policy)))

    assert "assumed-role/doctor-" in found["credentials"].reason
    not_known = {
        each.check: each.reason for each in wrong(found) if each.verdict is Verdict.UNKNOWN
    }
    # The emulator has no quotas, and judges GetFunctionConcurrency as PutFunctionConcurrency.
    assert set(not_known) == {f"quota {CORE}@us-west-2", "concurrency"}, not_known
    assert "GetFunctionConcurrency is denied" in not_known["concurrency"]
    assert "simulated by IAM" in found["indexes of accounts"].reason


def test_who_may_not_simulate_has_the_roles_policies_read(
    as_on_aws: Deployment, hands: Hands, operator: Callable[[str], Clients]
) -> None:
    everything_else = allow(["*"], ["*"])
    never = {**allow(["iam:SimulatePrincipalPolicy"], ["*"]), "Effect": "Deny"}
    here = replace(as_on_aws, clients=operator(document([everything_else, never])))

    fine = findings(here)
    with without_permission(hands, role="AccountsRole", part="EmailIndex"):
        found = findings(here)["indexes of accounts"]

    indexes = [each for check, each in fine.items() if check.startswith(("indexes", "models of"))]
    assert {each.verdict for each in indexes} == {Verdict.OK}
    assert all("read from its own policies" in each.reason for each in indexes)
    assert (found.verdict, "may not dynamodb:Query on Users/EmailIndex" in found.reason) == (
        FAIL,
        True,
    )
    assert "read from its own policies" in found.reason


def test_who_may_not_look_is_told_what_to_allow_and_nothing_is_called_fine(
    as_on_aws: Deployment, operator: Callable[[str], Clients]
) -> None:
    may = document([allow(["cloudformation:*", "lambda:*"], ["*"])])
    found = findings(replace(as_on_aws, clients=operator(may)))
    for check, action in (
        ("merchant's account", "ssm:GetParameter"),
        ("bucket: public access", "s3:GetBucketPublicAccessBlock"),
        ("bucket: encryption", "s3:GetEncryptionConfiguration"),
        ("tables: indexes", "dynamodb:DescribeTable"),
        ("dead-letter queue", "sqs:GetQueueAttributes"),
        ("alarms", "cloudwatch:DescribeAlarms"),
        ("sweep", "scheduler:GetSchedule"),
        ("indexes of accounts", "iam:ListRolePolicies"),
    ):
        assert found[check].verdict is Verdict.UNKNOWN, found[check]
        assert f"allow {action}" in str(found[check].mend)
