"""Whether a stack is there: the one way to ask CloudFormation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from common.aws.errors import error_code

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

PROPOSED = "REVIEW_IN_PROGRESS"
"""A stack of which nothing is but a proposal, such as a first deploy that nobody approved."""


def find_stack(cloudformation: CloudFormationClient, name: str) -> StackTypeDef | None:
    """The stack; None when it is not deployed, or only proposed. Raises ClientError."""
    try:
        (found,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        # CloudFormation has no error of its own for a stack that is not there.
        if error_code(error) == "ValidationError" and "does not exist" in str(error):
            return None
        raise
    return None if found["StackStatus"] == PROPOSED else found
