"""What the doctor says mends something: commands that do, to be typed as they stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from ops.checkup import alarms, queues, settings, sweep, tables
from ops.checkup.account import CONCURRENCY
from ops.checkup.deployment import Clients, Deployment
from ops.checkup.everything import CONSISTS, all_checks
from ops.checkup.finding import DEPLOY, REVERT, Finding, Verdict, fail
from ops.checkup.mending import LOCAL_DEPLOY, for_here
from tests.unit.checkup import (
    ALARM,
    CONFIG,
    FAIL,
    HOME,
    HOSTED,
    JOBS,
    MAIL,
    NOW,
    OK,
    SKIP,
    TOPIC,
    WARN,
    WORKER,
    Answer,
    both_queues,
    client,
    described,
    found,
    function,
    identity,
    image_keys,
    limits,
    look_at_queues,
    no_keys,
)


class Session:
    """Answers each service from a list; what is not in it is an error of botocore's."""

    def __init__(self, answers: Mapping[str, Sequence[Answer]]) -> None:
        self._answers = answers

    def client(self, service: str, **_settings: Any) -> Any:
        return client(service, self._answers.get(service, []))


def on_aws(answers: Mapping[str, Sequence[Answer]], *, local: bool = False) -> Deployment:
    session: Any = Session(answers)
    return Deployment(config=CONFIG, clients=Clients(session), profile="ops", local=local)


BY_HAND = "take back what was changed by hand: "


def mend(command: str, *, local: bool = False) -> str | None:
    return for_here(on_aws({}, local=local), fail("a check", "it is broken", command)).mend


def resource(kind: str, status: str) -> dict[str, Any]:
    return {
        "LogicalResourceId": "Any",
        "PhysicalResourceId": "any",
        "ResourceType": kind,
        "ResourceStatus": status,
        "LastUpdatedTimestamp": NOW,
    }


def checked(status: str, *resources: dict[str, Any]) -> dict[str, Finding]:
    """All findings on a stack without outputs, in an account where others take half of it."""
    here = on_aws(
        {
            "sts": identity(0),
            "cloudformation": [
                *described(status),
                ("list_stack_resources", {"StackResourceSummaries": list(resources)}),
            ],
            "lambda": limits(1000, 500),
        }
    )
    return {each.check: each for each in all_checks(here, now=lambda: NOW)}


def test_the_concurrency_is_looked_at_when_a_first_deployment_was_taken_back() -> None:
    told = checked("ROLLBACK_COMPLETE", resource("AWS::Lambda::Function", "DELETE_COMPLETE"))
    assert (told["stack"].verdict, "ROLLBACK_COMPLETE" in told["stack"].reason) == (FAIL, True)
    assert told[CONSISTS].verdict is SKIP
    assert told[CONCURRENCY].verdict is FAIL
    assert "CloudFormation will refuse it" in told[CONCURRENCY].reason
    assert tables.INDEXES_CHECK not in told


def test_a_stack_without_our_outputs_is_an_older_one() -> None:
    told = checked("CREATE_COMPLETE")
    assert (told["stack"].verdict, told[CONSISTS].verdict) == (OK, FAIL)
    assert told[CONSISTS].mend == "deploy the stack: make deploy STAGE=prod PROFILE=ops"
    assert checked("CREATE_IN_PROGRESS")[CONSISTS].verdict is SKIP


def test_a_stack_that_was_only_proposed_is_not_deployed() -> None:
    told = checked("REVIEW_IN_PROGRESS")
    assert (told["stack"].verdict, "not deployed yet" in told["stack"].reason) == (SKIP, True)


@pytest.mark.parametrize(
    ("command", "typed"),
    [
        (DEPLOY, "deploy the stack: make deploy STAGE=prod PROFILE=ops"),
        (
            REVERT,
            f"{BY_HAND}bin/imagify deploy --revert-drift --stage prod --profile ops",
        ),
        (
            "bin/imagify image-key new --version 2",
            "bin/imagify image-key new --stage prod --profile ops --version 2",
        ),
        (
            "bin/imagify merchant set (…)",
            "bin/imagify merchant set --stage prod --profile ops (…)",
        ),
        (
            "aws sns subscribe --topic-arn t",
            f"aws sns subscribe --region {HOME} --profile ops --topic-arn t",
        ),
    ],
)
def test_a_command_says_which_stage_is_meant(command: str, typed: str) -> None:
    assert mend(command) == typed


@pytest.mark.parametrize("command", ["make deploy", "bin/imagify deploy --revert-drift"])
def test_a_local_run_is_mended_by_a_new_one(command: str) -> None:
    assert mend(command, local=True) == LOCAL_DEPLOY


def test_what_was_changed_by_hand_is_not_said_to_come_back_with_a_deploy() -> None:
    ours = function("sweep")
    off = {"Name": "each", "State": "DISABLED", "Target": {"Arn": ours.arn}}
    dead = {**JOBS, "RedrivePolicy": "{}", "VisibilityTimeout": "60"}
    by_hand = [
        sweep.schedule([off], ours),
        *(each for each in found("q", look_at_queues, client("sqs", both_queues(dead)))[1:]),
        queues.sources(WORKER, [], of_jobs=CONFIG),
        alarms.present([ALARM], ["DeadLetters", "SweepFails"]),
    ]
    assert [(each.verdict, each.mend) for each in by_hand] == [(FAIL, REVERT)] * 5
    assert alarms.present([], []).mend == DEPLOY


def test_what_is_compared_with_cdk_json_may_be_either() -> None:
    other = {**JOBS, "RedrivePolicy": JOBS["RedrivePolicy"].replace("5", "3")}
    _letters, told, _visibility = found("q", look_at_queues, client("sqs", both_queues(other)))
    assert told.verdict is WARN
    assert "make deploy" in str(told.mend)
    assert "bin/imagify deploy --revert-drift" in str(told.mend)


def test_a_subscription_that_is_gone_is_made_again() -> None:
    assert alarms.told([ALARM], [], MAIL).mend == (
        f"aws sns subscribe --protocol email --notification-endpoint {MAIL} --topic-arn {TOPIC}"
    )


def test_each_table_that_is_off_is_named_in_what_mends_it() -> None:
    names = {"Jobs": "jobs-1", "Users": "users-1"}
    told = tables.protection({name: {"TableName": each} for name, each in names.items()}, keep=True)
    assert str(told.mend).count("--table-name") == len(names)
    assert all(f"--table-name {each}" in str(told.mend) for each in names.values())
    told = tables.recovery({name: {} for name in names}, names)
    assert str(told.mend).count("aws dynamodb update-continuous-backups") == len(names)
    assert all(f"--table-name {each}" in str(told.mend) for each in names.values())


def test_each_key_that_is_missing_has_its_command() -> None:
    (told,) = found("keys", image_keys, client("ssm", no_keys))
    assert told.mend == "bin/imagify image-key new --version 1"
    there: list[Answer] = [("get_parameters", {"Parameters": []})]
    (told,) = found("keys", image_keys, client("ssm", there))
    assert told.verdict is OK
    (told,) = settings.look_at_image_keys(client("ssm", []), CONFIG)
    assert told.verdict is OK
    assert HOSTED.image_key_versions == (2, 1)


@pytest.mark.parametrize(("emulated", "verdict"), [(True, SKIP), (False, WARN)])
def test_only_an_emulator_need_not_have_the_pages_stack(
    emulated: bool,  # noqa: FBT001 - pytest's
    verdict: Verdict,
) -> None:
    gone = client("cloudformation", described("REVIEW_IN_PROGRESS"))
    (told,) = settings.look_at_web_stack(gone, CONFIG, emulated=emulated)
    assert told.verdict is verdict
