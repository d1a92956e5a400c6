"""How a finding of cdk-nag is accepted: beside the resource, with the reason."""

from __future__ import annotations

from aws_cdk import Acknowledgment, Token, Validations
from constructs import IConstruct


def accept(construct: IConstruct, rule: str, reason: str) -> None:
    """Let `rule` pass for `construct`, because of `reason`.

    A rule with several findings takes one of them: `AwsSolutions-IAM5[Resource::*]`.
    """
    Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason=reason))


def named(value: str, name: str) -> str:
    """The value, or how cdk-nag calls one that only the deployment knows."""
    return name if Token.is_unresolved(value) else value
