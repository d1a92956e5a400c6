"""The emulator judges each call by its role's policy, per index too: a missing grant fails here."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError

from common.indexes import EMAIL_INDEX, USER_INDEX
from sandbox.clients import client_settings
from sandbox.environment import ACCOUNT
from tests.product import Sandbox, SignedIn

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sts import STSClient

STATUS = "functions.status.handler.handler"
POLICY = "what-it-may"
Statement = dict[str, Any]


@pytest.fixture
def iam(sandbox: Sandbox) -> IAMClient:
    client: IAMClient = boto3.client("iam", **client_settings(sandbox.state.emulator_url))
    return client


def document(statements: Sequence[Statement]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions: Sequence[str], resources: Sequence[str]) -> Statement:
    return {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}


@dataclass(frozen=True)
class Role:
    """A role of a test's own, and DynamoDB as whoever has it."""

    name: str
    iam: IAMClient
    dynamodb: DynamoDBClient

    def may(self, *statements: Statement) -> None:
        """Have the statements as its whole policy."""
        self.iam.put_role_policy(
            RoleName=self.name, PolicyName=POLICY, PolicyDocument=document(statements)
        )


@pytest.fixture
def role(sandbox: Sandbox, iam: IAMClient) -> Iterator[Role]:
    """A role that may do nothing yet, assumed."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    trust = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
    }
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document([trust]))
    settings = client_settings(sandbox.state.emulator_url)
    sts: STSClient = boto3.client("sts", **settings)
    given = sts.assume_role(RoleArn=made["Role"]["Arn"], RoleSessionName="test")["Credentials"]
    settings["aws_access_key_id"] = given["AccessKeyId"]
    settings["aws_secret_access_key"] = given["SecretAccessKey"]
    dynamodb: DynamoDBClient = boto3.client(
        "dynamodb", aws_session_token=given["SessionToken"], **settings
    )
    role = Role(name, iam, dynamodb)
    yield role
    dynamodb.close()
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    iam.delete_role(RoleName=name)


def denied(call: Callable[[], object]) -> bool:
    """Whether IAM refuses the call; any other error is raised."""
    try:
        call()
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        return True
    return False


def test_a_role_without_the_index_may_not_query_it(
    sandbox: Sandbox, role: Role, new_person: Callable[[], SignedIn]
) -> None:
    email = new_person().person.email
    table = sandbox.outputs.UsersTable
    root: DynamoDBClient = boto3.client("dynamodb", **client_settings(sandbox.state.emulator_url))
    table_arn = root.describe_table(TableName=table)["Table"]["TableArn"]

    def found() -> int:
        return role.dynamodb.query(
            TableName=table,
            IndexName=EMAIL_INDEX,
            KeyConditionExpression="email = :email",
            ExpressionAttributeValues={":email": {"S": email}},
        )["Count"]

    def get() -> object:
        return role.dynamodb.get_item(TableName=table, Key={"user_id": {"S": "usr_nobody"}})

    on_table = allow(["dynamodb:Query", "dynamodb:GetItem"], [table_arn])
    assert (denied(found), denied(get)) == (True, True)

    role.may(on_table)
    assert (denied(found), denied(get)) == (True, False)

    role.may(on_table, allow(["dynamodb:Query"], [f"{table_arn}/index/Another"]))
    assert denied(found)

    role.may(on_table, allow(["dynamodb:Query"], [f"{table_arn}/index/{EMAIL_INDEX}"]))
    assert found() == 1


def status_role(sandbox: Sandbox) -> str:
    """The name of the deployed status function's role."""
    client: LambdaClient = boto3.client("lambda", **client_settings(sandbox.state.emulator_url))
    functions = client.list_functions()["Functions"]
    (arn,) = [each["Role"] for each in functions if each["Handler"] == STATUS]
    return str(arn).rpartition("/")[2]


def names_index(statement: Statement, index: str) -> bool:
    return f"/index/{index}" in json.dumps(statement["Resource"])


def test_the_deployed_status_function_lists_jobs_by_its_index_permission_alone(
    sandbox: Sandbox, iam: IAMClient, api: httpx.Client
) -> None:
    role = status_role(sandbox)
    (policy,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    deployed: Any = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    statements: list[Statement] = deployed["Statement"]
    without = [each for each in statements if not names_index(each, USER_INDEX)]
    assert len(without) == len(statements) - 1
    assert api.get("/jobs").status_code == 200

    try:
        iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=document(without))
        refused = api.get("/jobs")
        one = api.get("/jobs/job_0")
    finally:
        iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(deployed))

    assert (refused.status_code, refused.json()["code"]) == (503, "try_again")
    assert (one.status_code, one.json()["code"]) == (404, "not_found")
    assert api.get("/jobs").status_code == 200
