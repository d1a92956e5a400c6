"""Who may not ask is told what to allow, and the page's policy allows what is asked, no more."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.exceptions import EndpointConnectionError

from ops.checkup.asking import ACTIONS
from ops.checkup.finding import Verdict
from sandbox.places import REPOSITORY
from tests.unit.checkup import (
    BUCKET,
    Refusal,
    client,
    encryption,
    found,
    of_merchant,
    of_quota,
    parameter,
    public,
)

SERVICES = (
    *("bedrock", "cloudformation", "cloudwatch", "dynamodb", "iam", "lambda", "s3", "scheduler"),
    *("service-quotas", "sns", "sqs", "ssm", "sts"),
)


def test_who_may_not_ask_is_told_which_action_to_allow() -> None:
    answers = [("get_bucket_encryption", Refusal("AccessDenied"))]
    (told,) = found("bucket: encryption", encryption, client("s3", answers))
    assert (told.check, told.verdict) == ("bucket: encryption", Verdict.UNKNOWN)
    assert "GetBucketEncryption is denied" in told.reason
    assert told.mend is not None
    assert "s3:GetEncryptionConfiguration" in told.mend


def test_what_was_found_before_a_refusal_stays_found() -> None:
    answers = [
        ("get_public_access_block", Refusal("NoSuchPublicAccessBlockConfiguration")),
        ("get_bucket_policy_status", Refusal("AccessDenied")),
    ]
    (told,) = found("bucket", public, client("s3", answers))
    assert told.verdict is Verdict.UNKNOWN
    assert "GetBucketPolicyStatus" in told.reason


def test_a_service_that_does_not_answer_is_unknown_and_never_ok() -> None:
    answers = [("list_service_quotas", Refusal("InternalError", "try later"))]
    (told,) = found("quota", of_quota, client("service-quotas", answers))
    assert (told.verdict, "InternalError: try later" in told.reason) == (Verdict.UNKNOWN, True)

    def unreachable(_given: str) -> Any:
        raise EndpointConnectionError(endpoint_url="https://s3")

    (told,) = found("bucket", unreachable, BUCKET)
    assert told.verdict is Verdict.UNKNOWN


def test_a_secret_that_may_not_be_decrypted_is_unknown() -> None:
    answers = [parameter("x")[0], ("get_parameter", Refusal("AccessDeniedException"))]
    (told,) = found("merchant", of_merchant, client("ssm", answers))
    assert told.verdict is Verdict.UNKNOWN


def called() -> set[str]:
    """The operations that the checks call, by AWS's names: methods of clients, and paginators.

    A client is called as its service is, with underscores: `s3`, `lambda_`, `service_quotas`.
    """
    session = botocore.session.get_session()
    operations = {
        (service.replace("-", "_"), xform_name(name)): name
        for service in SERVICES
        for name in session.get_service_model(service).operation_names
    }
    found = set()
    ops = REPOSITORY / "ops"
    shared = (ops / "deployment" / "prerequisites.py", ops / "stack_state.py")
    for path in (*(ops / "checkup").glob("*.py"), *shared):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id=client), attr="get_paginator"),
                    args=[ast.Constant(value=name)],
                ):
                    found.add(operations[client.rstrip("_"), str(name)])
                case ast.Call(func=ast.Attribute(value=ast.Name(id=client), attr=attr)):
                    found.add(operations.get((client.rstrip("_"), attr), ""))
    return found - {""}


def test_each_operation_that_is_called_has_its_action() -> None:
    assert called() == set(ACTIONS)


def test_the_pages_policy_allows_what_is_asked_and_nothing_else() -> None:
    page = (REPOSITORY / "docs" / "DOCTOR.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```json\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    reads, secrets, canary = json.loads(block)["Statement"]
    assert reads["Action"] == sorted(reads["Action"])
    assert secrets["Action"] == ["ssm:GetParameter", "ssm:GetParameters"]
    assert {*reads["Action"], *secrets["Action"]} == set(ACTIONS.values())
    assert canary["Action"] == "bedrock:InvokeModel"
