"""Each role, in full: a permission more or less is a decision, and shows here."""

from __future__ import annotations

import pytest

from infra.functions import TRACING_REASON
from tests.infra.template import FUNCTIONS, Template

JOBS = "Storage/Jobs.Arn"
USERS = "Storage/Users.Arn"
LEDGER = "Storage/Ledger.Arn"
ROUTES = "Storage/Routes.Arn"
BUCKET = "Storage/Images.Arn"
IMAGES = f"{BUCKET}/images/*"
QUEUE = "Queue/Jobs.Arn"
CORE = "arn:aws:bedrock:us-west-2::foundation-model/stability.stable-image-core-v1:1"
TITAN = "arn:aws:bedrock:eu-west-1::foundation-model/amazon.titan-image-generator-v2:0"

TRACING = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
LOGGING = {"logs:CreateLogStream", "logs:PutLogEvents"}

MAY = {
    "submit": {
        JOBS: {"dynamodb:GetItem", "dynamodb:PutItem"},
        USERS: {"dynamodb:UpdateItem"},
        LEDGER: {"dynamodb:PutItem"},
        QUEUE: {"sqs:SendMessage"},
        IMAGES: {"s3:GetObject"},
    },
    "worker": {
        JOBS: {"dynamodb:GetItem", "dynamodb:PutItem"},
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
        IMAGES: {"s3:GetObject"},
    },
    "accounts": {
        USERS: {"dynamodb:GetItem", "dynamodb:PutItem"},
        f"{USERS}/index/EmailIndex": {"dynamodb:Query"},
        LEDGER: {"dynamodb:PutItem"},
    },
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_role_may_do_what_its_function_does_and_no_more(aws: Template, name: str) -> None:
    own_logs = aws.text(aws.function(name)["LoggingConfig"]["LogGroup"])
    assert aws.permissions(name) == {**MAY[name], f"{own_logs}.Arn": LOGGING, "*": TRACING}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_only_tracing_is_allowed_on_everything_and_the_reason_is_written(
    aws: Template, name: str
) -> None:
    anything = [actions for actions, resources in aws.statements(name) if "*" in resources]
    assert [set(actions) for actions in anything] == [TRACING]
    assert "X-Ray has no resource to name" in TRACING_REASON
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


@pytest.mark.parametrize("table", ["Users", "Jobs"])
def test_each_index_is_queried_by_a_role_that_names_it(aws: Template, table: str) -> None:
    (index,) = aws.of_type("AWS::DynamoDB::Table")[f"Storage/{table}"]["GlobalSecondaryIndexes"]
    arn = f"Storage/{table}.Arn/index/{index['IndexName']}"
    assert [name for name in FUNCTIONS if "dynamodb:Query" in aws.permissions(name).get(arn, ())]
