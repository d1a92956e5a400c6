"""Destroying a stage: what is refused, said, emptied and left, and asked of the CDK."""

from __future__ import annotations

import io
from typing import Any

import pytest
from botocore.exceptions import ClientError

from common.config import Config
from ops.commands.destroy import destroy
from ops.deployment import target
from ops.deployment.demolition import Demolition, empty
from sandbox.errors import CommandError
from tests.unit.account import Account, a_stack

DESTROYED = [
    *("destroy", "--all", "--context", "stage=dev"),
    *("--force", "--context", "imagify-force=true"),
]


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    return Account(monkeypatch)


def test_there_must_be_something_to_destroy(account: Account) -> None:
    account.stacks(None, None)
    with account.aws.playing(), pytest.raises(CommandError, match="There is no Imagify-dev in"):
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
        with pytest.raises(CommandError, match=f"{why}.*Nothing was deleted"):
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
    with pytest.raises(CommandError, match="Nothing was deleted"):
        house.require_confirmed(None)
    with pytest.raises(CommandError, match="Nothing was deleted"):
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
    monkeypatch.setattr("ops.caller.boto3.session.Session", lambda **_: account.aws)
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
    with account.aws.playing(), pytest.raises(CommandError, match="Still there: Imagify-dev"):
        Demolition(account.target()).destroy()


def test_a_bucket_that_keeps_an_object_stops_it(account: Account) -> None:
    found = {"Versions": [{"Key": "a", "VersionId": "null"}]}
    account.aws.answers("s3", "list_object_versions", found)
    account.aws.answers("s3", "delete_objects", {"Errors": [{"Key": "a", "Code": "AccessDenied"}]})
    with account.aws.playing(), pytest.raises(CommandError, match="could not be deleted"):
        empty(account.aws.client("s3"), "a-bucket")


def _resource(kind: str, name: str, status: str = "CREATE_COMPLETE") -> dict[str, str]:
    return {
        "LogicalResourceId": "Any",
        "PhysicalResourceId": name,
        "ResourceType": kind,
        "LastUpdatedTimestamp": "2026-11-26T00:00:00Z",
        "ResourceStatus": status,
    }
