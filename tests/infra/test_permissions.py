"""Each role, in full: a permission more or less is a decision, and shows here."""

from __future__ import annotations

import pytest

from infra.feed import STREAMS_REASON
from infra.function import TRACING_REASON
from tests.infra.template import FUNCTIONS, Template

JOBS = "Storage/Jobs.Arn"
USERS = "Storage/Users.Arn"
LEDGER = "Storage/Ledger.Arn"
ROUTES = "Storage/Routes.Arn"
PAYMENTS = "Storage/Payments.Arn"
ACCOUNT = "arn:aws:ssm:ap-southeast-1:AWS::AccountId:parameter/imagify/prod/vnpay"
BUCKET = "Storage/Images.Arn"
IMAGES = f"{BUCKET}/images/*"
QUEUE = "Queue/Jobs.Arn"
CORE = "arn:aws:bedrock:us-west-2::foundation-model/stability.stable-image-core-v1:1"
TITAN = "arn:aws:bedrock:eu-west-1::foundation-model/amazon.titan-image-generator-v2:0"

CONNECTIONS = "Storage/Connections.Arn"
SOCKETS = "arn:aws:execute-api:ap-southeast-1:AWS::AccountId:Feed/Sockets/live/{}/@connections/*"
OUTLOOK = {
    f"{JOBS}/index/WaitingIndex": {"dynamodb:Query"},
    ROUTES: {"dynamodb:BatchGetItem"},
    IMAGES: {"s3:GetObject"},
}
"""What it takes to show a job."""

TRACING = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
LISTING = {"dynamodb:ListStreams"}
ANYTHING = {**dict.fromkeys(FUNCTIONS, TRACING), "push": TRACING | LISTING}
"""What each function may do that has no resource to name."""
STREAM = {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"}
LOGGING = {"logs:CreateLogStream", "logs:PutLogEvents"}

MAY = {
    "submit": {
        JOBS: {"dynamodb:GetItem", "dynamodb:PutItem"},
        USERS: {"dynamodb:UpdateItem"},
        LEDGER: {"dynamodb:PutItem"},
        QUEUE: {"sqs:SendMessage"},
        **OUTLOOK,
    },
    "worker": {
        JOBS: {"dynamodb:GetItem", "dynamodb:PutItem"},
        f"{JOBS}/index/UserIndex": {"dynamodb:Query"},
        USERS: {"dynamodb:UpdateItem"},
        LEDGER: {"dynamodb:PutItem"},
        ROUTES: {"dynamodb:BatchGetItem", "dynamodb:UpdateItem"},
        QUEUE: {
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:ChangeMessageVisibility",
            "sqs:GetQueueAttributes",
            "sqs:GetQueueUrl",
            "sqs:SendMessage",
        },
        IMAGES: {"s3:GetObject", "s3:PutObject"},
        BUCKET: {"s3:ListBucket"},
        CORE: {"bedrock:InvokeModel"},
    },
    "status": {
        JOBS: {"dynamodb:GetItem", "dynamodb:PutItem"},
        f"{JOBS}/index/UserIndex": {"dynamodb:Query"},
        USERS: {"dynamodb:UpdateItem"},
        LEDGER: {"dynamodb:PutItem"},
        **OUTLOOK,
    },
    "accounts": {
        USERS: {"dynamodb:GetItem", "dynamodb:PutItem"},
        f"{USERS}/index/EmailIndex": {"dynamodb:Query"},
        LEDGER: {"dynamodb:PutItem"},
        f"{LEDGER}/index/TimeIndex": {"dynamodb:Query"},
    },
    "payments": {
        PAYMENTS: {"dynamodb:GetItem", "dynamodb:PutItem"},
        f"{PAYMENTS}/index/UserIndex": {"dynamodb:Query"},
        USERS: {"dynamodb:UpdateItem"},
        LEDGER: {"dynamodb:PutItem"},
        ACCOUNT: {"ssm:GetParameter"},
    },
    "sweep": {
        PAYMENTS: {"dynamodb:GetItem", "dynamodb:PutItem"},
        f"{PAYMENTS}/index/DueIndex": {"dynamodb:Query"},
        USERS: {"dynamodb:UpdateItem"},
        LEDGER: {"dynamodb:PutItem"},
        ACCOUNT: {"ssm:GetParameter"},
        JOBS: {"dynamodb:GetItem", "dynamodb:PutItem"},
        f"{JOBS}/index/DueIndex": {"dynamodb:Query"},
        "Storage/Acts.Arn": {"dynamodb:PutItem"},
        ROUTES: {"dynamodb:BatchGetItem"},
        QUEUE: {"sqs:SendMessage"},
        IMAGES: {"s3:GetObject"},
        BUCKET: {"s3:ListBucket"},
    },
    "feed": {
        CONNECTIONS: {"dynamodb:PutItem", "dynamodb:GetItem", "dynamodb:DeleteItem"},
        f"{CONNECTIONS}/index/UserIndex": {"dynamodb:Query"},
        f"{JOBS}/index/UserIndex": {"dynamodb:Query"},
        USERS: {"dynamodb:GetItem"},
        SOCKETS.format("POST"): {"execute-api:ManageConnections"},
        SOCKETS.format("DELETE"): {"execute-api:ManageConnections"},
        **OUTLOOK,
    },
    "push": {
        CONNECTIONS: {"dynamodb:DeleteItem"},
        f"{CONNECTIONS}/index/UserIndex": {"dynamodb:Query"},
        SOCKETS.format("POST"): {"execute-api:ManageConnections"},
        "Storage/Jobs.StreamArn": STREAM,
        "Storage/Users.StreamArn": STREAM,
        **OUTLOOK,
    },
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_role_may_do_what_its_function_does_and_no_more(aws: Template, name: str) -> None:
    own_logs = aws.text(aws.function(name)["LoggingConfig"]["LogGroup"])
    assert aws.permissions(name) == {**MAY[name], f"{own_logs}.Arn": LOGGING, "*": ANYTHING[name]}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_only_what_takes_no_resource_is_allowed_on_everything_and_the_reason_is_written(
    aws: Template, name: str
) -> None:
    anything = [actions for actions, resources in aws.statements(name) if "*" in resources]
    assert {action for actions in anything for action in actions} == ANYTHING[name]
    assert "X-Ray has no resource to name" in TRACING_REASON
    assert "has no resource to name" in STREAMS_REASON
    assert not any("*" in action for actions, _ in aws.statements(name) for action in actions)


def test_only_the_routes_models_may_be_called_in_their_regions(two_routes: Template) -> None:
    for name in FUNCTIONS:
        called = {
            resource
            for resource, actions in two_routes.permissions(name).items()
            if any(action.startswith("bedrock:") for action in actions)
        }
        assert called == ({CORE, TITAN} if name == "worker" else set())


def test_no_two_functions_share_a_role(aws: Template) -> None:
    roles = {aws.text(aws.function(name)["Role"]) for name in FUNCTIONS}
    assert len(roles) == len(FUNCTIONS)


def test_roles_have_no_policies_that_aws_writes(aws: Template) -> None:
    roles = aws.of_type("AWS::IAM::Role").values()
    assert not any(role.get("ManagedPolicyArns") for role in roles)


def test_each_index_is_queried_by_a_role_that_names_it(aws: Template) -> None:
    indexes = [
        f"{table}.Arn/index/{index['IndexName']}"
        for table, properties in aws.of_type("AWS::DynamoDB::Table").items()
        for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")
        for index in properties.get(kind, [])
    ]
    assert len(indexes) == 8
    for index in indexes:
        allowed = [aws.permissions(name).get(index, set()) for name in FUNCTIONS]
        assert {"dynamodb:Query"} in allowed


def test_only_who_takes_money_may_read_the_merchants_account(
    aws: Template, two_routes: Template
) -> None:
    for stack, parameter in ((aws, "imagify/prod/vnpay"), (two_routes, "shop/vnpay-live")):
        readers = {
            name: resource
            for name in FUNCTIONS
            for resource, actions in stack.permissions(name).items()
            if any(action.startswith(("ssm:", "kms:", "secretsmanager:")) for action in actions)
        }
        assert set(readers) == {"payments", "sweep"}
        assert all(resource.endswith(f":parameter/{parameter}") for resource in readers.values())


def test_the_schedule_may_start_the_sweep_and_do_nothing_else(aws: Template) -> None:
    schedule = aws.one("AWS::Scheduler::Schedule")
    role = schedule["Target"]["RoleArn"]["Fn::GetAtt"][0]
    assert aws.text({"Ref": role}) == "Sweep/Role"
    assert aws.statements_of(role) == [(["lambda:InvokeFunction"], ["Functions/Sweep.Arn"])]
    (trusted,) = aws.of_type("AWS::IAM::Role")["Sweep/Role"]["AssumeRolePolicyDocument"][
        "Statement"
    ]
    assert trusted["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trusted["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    }
