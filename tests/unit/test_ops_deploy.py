"""Deploying, comparing and destroying a stage: what is refused, said and asked of the CDK."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from common.config import Config, parse
from ops import cdk, target
from ops.demolition import Demolition, empty
from ops.destroy import destroy
from ops.rollout import roll_out
from ops.stages import configured
from ops.target import Target
from sandbox.errors import SandboxError
from sandbox.places import REPOSITORY, VENV_BIN
from tests.unit.stubbed import REGION, Scripted
from tests.unit.test_sandbox_run import OUTPUTS

ABSENT = ("ValidationError", "Stack with id Imagify-dev does not exist")
OUTPUT_LIST = [
    {"OutputKey": name, "OutputValue": value} for name, value in OUTPUTS.model_dump().items()
]

DESTROYED = [
    *("destroy", "--all", "--context", "stage=dev"),
    *("--force", "--context", "imagify-force=true"),
]


def a_stack(name: str = "Imagify-dev", **changes: Any) -> dict[str, Any]:
    told = {
        "StackName": name,
        "CreationTime": "2026-11-26T00:00:00Z",
        "StackStatus": "CREATE_COMPLETE",
        "Outputs": OUTPUT_LIST,
    }
    return {"Stacks": [{**told, **changes}]}


class Account:
    """An account, and the CDK that would change it: what it is run with is written down."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.aws = Scripted("cloudformation", "ssm", "s3", "dynamodb", "sts")
        self.ran: list[Sequence[str]] = []
        monkeypatch.setattr(target, "run_cdk", self.ran.append)
        monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)

    def target(self, stage: str = "dev", profile: str | None = None, **settings: Any) -> Target:
        return Target(
            config=parse({"removal": "destroy" if stage == "dev" else "keep", **settings}, stage),
            session=self.aws,  # type: ignore[arg-type]  # a session by what it does
            account="111122223333",
            operator="arn:aws:iam::111122223333:user/ann",
            profile=profile,
        )

    def bootstrapped(self) -> None:
        self.aws.answers("ssm", "get_parameter", {"Parameter": {"Value": "31"}})

    def lists(self, *resources: dict[str, str]) -> None:
        """What the stack says that it has."""
        self.aws.answers(
            "cloudformation",
            "list_stack_resources",
            {"StackResourceSummaries": list(resources)},
            StackName="Imagify-dev",
        )

    def stacks(self, *found: Mapping[str, Any] | None) -> None:
        """What the next looks at the service's and the page's stack find."""
        for each in found:
            if each is None:
                self.aws.fails("cloudformation", "describe_stacks", *ABSENT)
            else:
                self.aws.answers("cloudformation", "describe_stacks", dict(each))


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    return Account(monkeypatch)


def test_a_wrong_stage_or_route_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "cdk.json"
    route = {"model": "amazon.nova-canvas-v1:0", "region": "us-east-1"}
    stages = {"dev": {"routes": [route]}}
    path.write_text(json.dumps({"context": {"imagify": {"stages": stages}}}))
    with pytest.raises(SandboxError, match=r"^cdk.json: There is no stage prod; configured are: d"):
        configured("prod", path=path)
    with pytest.raises(SandboxError, match=r"^cdk.json: The model amazon.nova-canvas-v1:0 left"):
        configured("dev", path=path)
    assert configured("dev", path=path, forced=True).routes[0].model == route["model"]


def test_an_account_without_bootstrap_is_told_what_to_do(account: Account) -> None:
    account.aws.fails("ssm", "get_parameter", "ParameterNotFound")
    said = r"aws://111122223333/ap-southeast-1 is not bootstrapped .* make bootstrap STAGE=dev"
    with account.aws.playing(), pytest.raises(SandboxError, match=said):
        roll_out(account.target(), approved=True)
    assert account.ran == []


def test_a_domain_without_its_keys_is_told_what_makes_them(account: Account) -> None:
    certificate = f"arn:aws:acm:us-east-1:111122223333:certificate/{'0' * 8}"
    hosted = {"domain": "imagify.example.com", "certificate_arn": certificate}
    missing = "/imagify/dev/image-key/1/public"
    account.bootstrapped()
    account.aws.answers("ssm", "get_parameters", {"InvalidParameters": [missing]})
    said = "is missing: bin/imagify image-key new --stage dev --version 1$"
    with account.aws.playing(), pytest.raises(SandboxError, match=said):
        roll_out(account.target(**hosted, image_key_version=2), approved=True)
    assert account.ran == []


def test_bootstrap_is_of_the_account_and_the_home_region(account: Account) -> None:
    account.target(profile="ops").bootstrap()
    assert account.ran == [["bootstrap", "aws://111122223333/ap-southeast-1", "--profile", "ops"]]


def test_a_first_deploy_says_where_it_goes_and_what_is_left_to_do(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.bootstrapped()
    account.stacks(None, None, a_stack(), None)
    account.aws.answers("ssm", "describe_parameters", {"Parameters": []})
    with account.aws.playing():
        roll_out(account.target(), approved=True)

    everything = ["--all", "--context", "stage=dev"]
    assert account.ran == [["deploy", *everything, "--require-approval", "never"]]
    out, err = capsys.readouterr()
    assert err.startswith("Making Imagify-dev in ap-southeast-1, account 111122223333, as arn:")
    assert "  API       https://abc123.execute-api.ap-southeast-1.amazonaws.com\n" in out
    assert "merchant set --stack Imagify-dev --region ap-southeast-1" in out
    assert "nobody is told: set alarm_email" in out
    assert "Page" not in out


def test_an_update_says_so_and_where_the_page_is(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    page = [{"OutputKey": "PageUrl", "OutputValue": "https://page.test/"}]
    web = a_stack("Imagify-dev-web", Outputs=page)
    account.bootstrapped()
    account.stacks(a_stack(), web, a_stack(), web)
    account.aws.answers("ssm", "describe_parameters", {"Parameters": [{"Name": "/imagify/vnpay"}]})
    with account.aws.playing():
        roll_out(account.target(profile="ops", alarm_email="ann@example.com"), approved=True)

    out, err = capsys.readouterr()
    assert err.startswith("Updating Imagify-dev")
    assert "  Page      https://page.test/\n" in out
    assert "merchant set" not in out
    assert "ann@example.com is told, once the link in AWS's mail is followed" in out
    assert "--region ap-southeast-1 --profile ops\n" in out


def test_at_a_terminal_the_cdk_asks_and_elsewhere_somebody_must_have_approved(
    account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(SandboxError, match="say --yes"):
        roll_out(account.target(), approved=False)
    assert account.ran == []

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    account.bootstrapped()
    account.stacks(None, None, a_stack(), None)
    account.aws.fails("ssm", "describe_parameters", "AccessDeniedException")
    with account.aws.playing():
        roll_out(account.target(), approved=False)
    assert account.ran[0][-1] == "broadening"
    # Who may not look at parameters is not told that one is missing.
    assert "nothing can be bought" not in capsys.readouterr().out


def test_a_first_deploy_that_nobody_approved_can_be_begun_again(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.bootstrapped()
    account.stacks(a_stack(StackStatus="REVIEW_IN_PROGRESS", Outputs=[]), None, a_stack(), None)
    account.aws.answers("ssm", "describe_parameters", {"Parameters": []})
    with account.aws.playing():
        roll_out(account.target(), approved=True)
    assert capsys.readouterr().err.startswith("Making Imagify-dev")


def test_a_stack_that_is_being_changed_is_left_alone(account: Account) -> None:
    account.bootstrapped()
    account.stacks(a_stack(StackStatus="UPDATE_IN_PROGRESS"), None)
    with account.aws.playing(), pytest.raises(SandboxError, match="UPDATE_IN_PROGRESS"):
        roll_out(account.target(), approved=True)
    assert account.ran == []


@pytest.mark.parametrize(
    "answer", [("AccessDenied", "not authorized"), ("ValidationError", "the name is too long")]
)
def test_a_stack_that_cannot_be_looked_at_is_not_taken_for_missing(
    account: Account, answer: tuple[str, str]
) -> None:
    account.aws.fails("cloudformation", "describe_stacks", *answer)
    with account.aws.playing(), pytest.raises(SandboxError, match="cannot be looked at"):
        account.target().stacks()


def test_there_must_be_something_to_destroy(account: Account) -> None:
    account.stacks(None, None)
    with account.aws.playing(), pytest.raises(SandboxError, match="There is no Imagify-dev in"):
        Demolition(account.target())


@pytest.mark.parametrize(
    ("stage", "stack", "why"),
    [
        ("prod", a_stack("Imagify-prod"), "keeps its data"),
        ("dev", a_stack(EnableTerminationProtection=True), "protected from deletion"),
    ],
)
def test_what_is_kept_is_not_destroyed(
    account: Account, stage: str, stack: dict[str, Any], why: str
) -> None:
    account.stacks(stack, None)
    with account.aws.playing():
        house = Demolition(account.target(stage))
        with pytest.raises(SandboxError, match=f"{why}.*Nothing was deleted"):
            house.require_allowed()
    assert account.ran == []


def test_a_stack_whose_first_deploy_failed_can_be_destroyed(account: Account) -> None:
    failed = a_stack(StackStatus="ROLLBACK_COMPLETE", Outputs=[])
    account.stacks(failed, None, failed, None)
    with account.aws.playing():
        house = Demolition(account.target())
        house.require_allowed()
        assert "nobody has used it" in house.losses()


@pytest.mark.parametrize("typed", ["", "yes\n", "Imagify-prod\n"])
def test_only_the_stacks_name_confirms(
    account: Account, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    account.stacks(a_stack(), None)
    with account.aws.playing():
        house = Demolition(account.target())
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    with pytest.raises(SandboxError, match="Nothing was deleted"):
        house.require_confirmed(None)
    with pytest.raises(SandboxError, match="Nothing was deleted"):
        house.require_confirmed("Imagify")
    monkeypatch.setattr("sys.stdin", io.StringIO("Imagify-dev\n"))
    house.require_confirmed(None)
    house.require_confirmed("Imagify-dev")


def test_a_stage_that_is_partly_deleted_is_told_and_gone_on_with(account: Account) -> None:
    half = a_stack(StackStatus="DELETE_FAILED")
    account.stacks(half, None, half, None)
    account.aws.fails("dynamodb", "scan", "ResourceNotFoundException")
    account.lists(
        _resource("AWS::S3::Bucket", "a-bucket", "DELETE_FAILED"),
        _resource("AWS::S3::Bucket", "gone", "DELETE_COMPLETE"),
        _resource("AWS::S3::Bucket", "left-alone", "DELETE_SKIPPED"),
    )
    account.aws.answers("s3", "list_object_versions", {}, Bucket="a-bucket")
    account.stacks(None, None)
    with account.aws.playing():
        house = Demolition(account.target())
        house.require_allowed()
        assert "is partly deleted" in house.losses()
        house.destroy()
    assert account.ran == [DESTROYED]


def test_a_first_deploy_that_failed_is_destroyed_with_buckets_that_were_never_made(
    account: Account,
) -> None:
    account.stacks(a_stack(StackStatus="ROLLBACK_FAILED", Outputs=[]), None)
    account.lists(
        _resource("AWS::S3::Bucket", "gone", "DELETE_COMPLETE"),
        _resource("AWS::S3::Bucket", "never-made", "CREATE_FAILED"),
    )
    account.aws.fails("s3", "list_object_versions", "NoSuchBucket")
    account.stacks(None, None)
    with account.aws.playing():
        Demolition(account.target()).destroy()
    assert account.ran == [DESTROYED]


def test_who_may_not_look_is_not_told_that_nothing_is_there(account: Account) -> None:
    account.stacks(a_stack(), None, a_stack(), None)
    account.aws.fails("dynamodb", "scan", "AccessDeniedException")
    with account.aws.playing(), pytest.raises(ClientError, match="AccessDenied"):
        Demolition(account.target()).losses()
    account.aws.fails("s3", "list_object_versions", "AccessDenied")
    with account.aws.playing(), pytest.raises(ClientError, match="AccessDenied"):
        empty(account.aws.client("s3"), "a-bucket")


def test_what_no_stack_has_made_is_named_as_left(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.stacks(a_stack(), None)
    account.lists()
    account.stacks(None, None)
    with account.aws.playing():
        Demolition(account.target(image_key_version=2)).destroy()
    left = capsys.readouterr().err.split()[-5:]
    keys = [f"/imagify/dev/image-key/{which}" for which in ("1", "2", "1/public", "2/public")]
    assert left == ["/imagify/dev/vnpay", *keys]


def test_a_model_that_has_left_bedrock_keeps_no_stage(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    retired = account.target(routes=[{"model": "amazon.nova-canvas-v1:0", "region": "us-east-1"}])
    asked: list[bool] = []

    def configured(_stage: str, *, forced: bool) -> Config:
        asked.append(forced)
        return retired.config

    caller = {"Account": retired.account, "Arn": retired.operator}
    account.aws.answers("sts", "get_caller_identity", caller)
    account.stacks(a_stack(Outputs=[]), None, a_stack(Outputs=[]), None)
    monkeypatch.setattr(target, "configured", configured)
    monkeypatch.setattr(target, "Session", lambda **_: account.aws)
    with account.aws.playing():
        assert destroy(stage="dev", dry_run=True) == 0
    assert asked == [True]


def test_buckets_are_emptied_before_the_stacks_go(account: Account) -> None:
    account.stacks(a_stack(), None)
    account.lists(_resource("AWS::S3::Bucket", "a-bucket"), _resource("AWS::SQS::Queue", "a-queue"))
    objects = {
        "Versions": [{"Key": "images/a.png", "VersionId": "null"}],
        "DeleteMarkers": [{"Key": "images/b.png", "VersionId": "v2"}],
    }
    account.aws.answers("s3", "list_object_versions", objects, Bucket="a-bucket")
    named = [
        {"Key": "images/a.png", "VersionId": "null"},
        {"Key": "images/b.png", "VersionId": "v2"},
    ]
    account.aws.answers(
        "s3",
        "delete_objects",
        {},
        Bucket="a-bucket",
        Delete={"Objects": named, "Quiet": True},
    )
    account.stacks(None, None)
    with account.aws.playing():
        Demolition(account.target()).destroy()
    assert account.ran == [DESTROYED]


def test_what_is_left_of_a_stage_is_told(account: Account) -> None:
    account.stacks(a_stack(), None)
    account.lists()
    account.stacks(a_stack(StackStatus="DELETE_FAILED"), None)
    with account.aws.playing(), pytest.raises(SandboxError, match="Still there: Imagify-dev"):
        Demolition(account.target()).destroy()


def test_a_bucket_that_keeps_an_object_stops_it(account: Account) -> None:
    found = {"Versions": [{"Key": "a", "VersionId": "null"}]}
    account.aws.answers("s3", "list_object_versions", found)
    account.aws.answers("s3", "delete_objects", {"Errors": [{"Key": "a", "Code": "AccessDenied"}]})
    with account.aws.playing(), pytest.raises(SandboxError, match="could not be deleted"):
        empty(account.aws.client("s3"), "a-bucket")


def _resource(kind: str, name: str, status: str = "CREATE_COMPLETE") -> dict[str, str]:
    return {
        "LogicalResourceId": "Any",
        "PhysicalResourceId": name,
        "ResourceType": kind,
        "LastUpdatedTimestamp": "2026-11-26T00:00:00Z",
        "ResourceStatus": status,
    }


def test_the_cdk_runs_with_our_own_programs_first_and_its_failure_is_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "cdk"
    program.write_text(f'#!/bin/sh\necho "$PATH|$*|$PWD" > {tmp_path}/ran\nexit $STATUS\n')
    program.chmod(0o755)
    monkeypatch.setattr(cdk, "CDK", program)
    monkeypatch.setenv("STATUS", "0")
    cdk.run_cdk(["diff", "--all"])
    path, arguments, folder = (tmp_path / "ran").read_text().strip().split("|")
    assert path.startswith(str(VENV_BIN))
    assert arguments == "--no-notices diff --all"
    assert folder == str(REPOSITORY)
    monkeypatch.setenv("STATUS", "1")
    with pytest.raises(SandboxError, match="cdk diff was not carried out"):
        cdk.run_cdk(["diff"])


def test_the_scripts_region_is_the_usual_one() -> None:
    assert parse({}).home_region == REGION
