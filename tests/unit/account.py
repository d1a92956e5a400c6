"""An AWS account as a script, and the CDK that would change it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from common.config import parse
from ops.deployment import target
from ops.deployment.target import Target
from tests.unit.stubbed import Scripted
from tests.unit.test_sandbox_run import OUTPUTS

ABSENT = ("ValidationError", "Stack with id Imagify-dev does not exist")
OUTPUT_LIST = [
    {"OutputKey": name, "OutputValue": value} for name, value in OUTPUTS.model_dump().items()
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
