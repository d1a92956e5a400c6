"""A stack on AWS that an operator names: whether it is there."""

from __future__ import annotations

from typing import Any

import pytest

from ops.stack import Stack, StackError
from tests.unit.account import ABSENT, a_stack
from tests.unit.stubbed import REGION, Scripted

CALLER = {"Account": "111122223333", "Arn": "arn:aws:iam::111122223333:user/ann"}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    aws = Scripted("cloudformation", "sts")

    def session(**_named: Any) -> Scripted:
        return aws

    monkeypatch.setattr("ops.caller.boto3.session.Session", session)
    return aws


def test_a_stack_that_is_missing_or_only_proposed_is_not_deployed(aws: Scripted) -> None:
    for _each in range(2):
        aws.answers("sts", "get_caller_identity", CALLER)
    aws.fails("cloudformation", "describe_stacks", *ABSENT)
    proposed = a_stack(StackStatus="REVIEW_IN_PROGRESS", Outputs=[])
    aws.answers("cloudformation", "describe_stacks", proposed)
    with aws.playing():
        for _each in range(2):
            with pytest.raises(StackError, match=f"Imagify-dev in {REGION} is not deployed"):
                Stack("dev", None)


def test_a_stage_whose_model_has_left_bedrock_is_still_looked_after(
    aws: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = [{"model": "amazon.nova-canvas-v1:0", "region": "us-east-1"}]
    settings = {"routes": gone, "stages": {"dev": {}}}
    monkeypatch.setattr("ops.stages.read_settings", lambda _path: settings)
    aws.answers("sts", "get_caller_identity", CALLER)
    aws.answers("cloudformation", "describe_stacks", a_stack())
    with aws.playing():
        assert Stack("dev", None).config.routes[0].model == gone[0]["model"]


def test_a_stack_that_is_there_says_where_its_parts_are(aws: Scripted) -> None:
    aws.answers("sts", "get_caller_identity", CALLER)
    aws.answers("cloudformation", "describe_stacks", a_stack())
    with aws.playing():
        assert Stack("dev", None).outputs.HomeRegion == REGION
