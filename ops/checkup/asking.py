"""Asking AWS: all operations that the checks call, and what a check finds when AWS does not say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import ParamSpec

from botocore.exceptions import BotoCoreError, ClientError

from common.aws.errors import error_code
from ops.checkup.finding import Finding, unknown

_Given = ParamSpec("_Given")

ACTIONS: Mapping[str, str] = MappingProxyType(
    {
        "GetCallerIdentity": "sts:GetCallerIdentity",
        "DescribeStacks": "cloudformation:DescribeStacks",
        "ListStackResources": "cloudformation:ListStackResources",
        "GetAccountSettings": "lambda:GetAccountSettings",
        "GetFunctionConfiguration": "lambda:GetFunctionConfiguration",
        "GetFunctionConcurrency": "lambda:GetFunctionConcurrency",
        "ListEventSourceMappings": "lambda:ListEventSourceMappings",
        "GetFoundationModel": "bedrock:GetFoundationModel",
        "GetFoundationModelAvailability": "bedrock:GetFoundationModelAvailability",
        "ListServiceQuotas": "servicequotas:ListServiceQuotas",
        "SimulatePrincipalPolicy": "iam:SimulatePrincipalPolicy",
        "ListRolePolicies": "iam:ListRolePolicies",
        "GetRolePolicy": "iam:GetRolePolicy",
        "DescribeTable": "dynamodb:DescribeTable",
        "DescribeContinuousBackups": "dynamodb:DescribeContinuousBackups",
        "GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
        "GetBucketPolicyStatus": "s3:GetBucketPolicyStatus",
        "GetBucketPolicy": "s3:GetBucketPolicy",
        "GetBucketEncryption": "s3:GetEncryptionConfiguration",
        "GetBucketOwnershipControls": "s3:GetBucketOwnershipControls",
        "GetQueueAttributes": "sqs:GetQueueAttributes",
        "DescribeAlarms": "cloudwatch:DescribeAlarms",
        "ListSubscriptionsByTopic": "sns:ListSubscriptionsByTopic",
        "GetSchedule": "scheduler:GetSchedule",
        "GetParameter": "ssm:GetParameter",
        "GetParameters": "ssm:GetParameters",
    }
)
"""Each operation and the IAM action that allows it; all of them only read. S3's differ in name:
https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetPublicAccessBlock.html and its neighbours."""

_DENIED = ("AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation")


def asked(
    check: str,
    look: Callable[_Given, Iterable[Finding]],
    *given: _Given.args,
    **named: _Given.kwargs,
) -> list[Finding]:
    """What `look` finds; when AWS does not say, that, and what whoever asks would need."""
    found: list[Finding] = []
    try:
        for each in look(*given, **named):
            found.append(each)  # noqa: PERF402 - what was found before an error stays found
    except ClientError as error:
        found.append(_not_told(check, error))
    except BotoCoreError as error:
        found.append(unknown(check, f"AWS could not be asked: {error}"))
    return found


def denied(error: ClientError) -> bool:
    """Whether IAM does not let whoever asks."""
    return error_code(error) in _DENIED


def said(error: ClientError) -> str:
    """AWS's own words, or at least its code."""
    told = error.response.get("Error", {})
    return str(told.get("Message") or told.get("Code") or "an error without a name")


def _not_told(check: str, error: ClientError) -> Finding:
    operation = error.operation_name
    if denied(error):
        action = ACTIONS.get(operation, operation)
        return unknown(
            check,
            f"Not allowed to ask: {operation} is denied.",
            f"allow {action} (docs/DOCTOR.md has the whole policy)",
        )
    return unknown(check, f"{operation} did not work: {error_code(error)}: {said(error)}")
