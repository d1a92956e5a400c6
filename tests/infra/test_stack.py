from __future__ import annotations

import json
import re
from typing import Any

import pytest

from infra.api import PUBLIC_ROUTES
from tests.infra.template import Template, as_list

HTTP = "Api/Http"
KEPT = (
    "AWS::Cognito::UserPool",
    "AWS::DynamoDB::Table",
    "AWS::S3::Bucket",
)
TABLES = {
    "Storage/Users": ("user_id", None),
    "Storage/Jobs": ("job_id", None),
    "Storage/Ledger": ("user_id", "entry_id"),
    "Storage/Payments": ("txn_ref", None),
    "Storage/Routes": ("route", None),
    "Storage/Acts": ("subject", "act_id"),
    "Storage/Connections": ("connection_id", None),
}


def _keys(schema: list[dict[str, str]]) -> tuple[str, str | None]:
    by_role = {key["KeyType"]: key["AttributeName"] for key in schema}
    return by_role["HASH"], by_role.get("RANGE")


def test_tables_have_their_keys(aws: Template) -> None:
    tables = aws.of_type("AWS::DynamoDB::Table")
    assert {name: _keys(table["KeySchema"]) for name, table in tables.items()} == TABLES


@pytest.mark.parametrize("table", TABLES)
def test_tables_are_encrypted_recoverable_and_paid_by_use(aws: Template, table: str) -> None:
    properties = aws.of_type("AWS::DynamoDB::Table")[table]
    assert properties["SSESpecification"] == {"SSEEnabled": True}
    recovery = properties["PointInTimeRecoverySpecification"]
    assert recovery["PointInTimeRecoveryEnabled"] is True
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["DeletionProtectionEnabled"] is True


INDEXES = {
    ("Users", "EmailIndex"): ("Global", ("email", None), "ALL"),
    ("Jobs", "UserIndex"): ("Global", ("user_id", "created_at"), "ALL"),
    # Who waits is only counted.
    ("Jobs", "WaitingIndex"): ("Global", ("waiting", "created_at"), "KEYS_ONLY"),
    ("Jobs", "DueIndex"): ("Global", ("due", "look_at"), "KEYS_ONLY"),
    # Local, so that it is read consistently.
    ("Ledger", "TimeIndex"): ("Local", ("user_id", "created_at"), "ALL"),
    ("Payments", "UserIndex"): ("Global", ("user_id", "created_at"), "ALL"),
    # Each payment is read again before it is asked after.
    ("Payments", "DueIndex"): ("Global", ("due", "due_at"), "KEYS_ONLY"),
    ("Connections", "UserIndex"): ("Global", ("user_id", None), "ALL"),
}


def test_indexes_hold_what_is_read_from_them_under_their_keys(aws: Template) -> None:
    found = {
        (table.removeprefix("Storage/"), index["IndexName"]): (
            kind,
            _keys(index["KeySchema"]),
            index["Projection"]["ProjectionType"],
        )
        for table, properties in aws.of_type("AWS::DynamoDB::Table").items()
        for kind in ("Global", "Local")
        for index in properties.get(f"{kind}SecondaryIndexes", [])
    }
    assert found == INDEXES


@pytest.mark.parametrize(("template", "policy"), [("aws", "Retain"), ("two_routes", "Delete")])
def test_data_outlives_the_stack_unless_told_otherwise(
    request: pytest.FixtureRequest, template: str, policy: str
) -> None:
    resources = request.getfixturevalue(template).content["Resources"].values()
    kept = [resource for resource in resources if resource["Type"] in KEPT]
    assert {resource["Type"] for resource in kept} == set(KEPT)
    assert {resource["DeletionPolicy"] for resource in kept} == {policy}
    assert {resource["UpdateReplacePolicy"] for resource in kept} == {policy}


@pytest.mark.parametrize(("template", "protected"), [("aws", True), ("two_routes", False)])
def test_a_stack_that_keeps_its_data_is_protected_from_deletion(
    request: pytest.FixtureRequest, template: str, *, protected: bool
) -> None:
    stack: Template = request.getfixturevalue(template)
    manifest = json.loads((stack.assembly / "manifest.json").read_text())
    properties = manifest["artifacts"]["Imagify"]["properties"]
    assert properties["terminationProtection"] is protected


def test_the_bucket_is_private_and_encrypted(aws: Template) -> None:
    bucket = aws.one("AWS::S3::Bucket")
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"


def test_images_get_cheaper_and_broken_uploads_go(aws: Template) -> None:
    rules = aws.one("AWS::S3::Bucket")["LifecycleConfiguration"]["Rules"]
    (tiering,) = (rule for rule in rules if "Transitions" in rule)
    assert tiering["Prefix"] == "images/"
    assert tiering["Transitions"][0]["StorageClass"] == "INTELLIGENT_TIERING"
    assert any("AbortIncompleteMultipartUpload" in rule for rule in rules)
    assert {rule["Status"] for rule in rules} == {"Enabled"}


def _refuses_plain_http(policy: dict[str, Any]) -> bool:
    return any(
        statement["Effect"] == "Deny"
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        for statement in policy["PolicyDocument"]["Statement"]
    )


def test_bucket_and_queues_refuse_plain_http(aws: Template) -> None:
    assert _refuses_plain_http(aws.one("AWS::S3::BucketPolicy"))
    policies = aws.of_type("AWS::SQS::QueuePolicy").values()
    assert all(_refuses_plain_http(policy) for policy in policies)
    covered = {aws.text(queue) for policy in policies for queue in policy["Queues"]}
    assert covered == set(aws.of_type("AWS::SQS::Queue"))


@pytest.mark.parametrize(("template", "deliveries"), [("aws", 3 + 2), ("two_routes", 5 + 2)])
def test_messages_move_aside_only_after_the_jobs_attempts(
    request: pytest.FixtureRequest, template: str, deliveries: int
) -> None:
    stack: Template = request.getfixturevalue(template)
    redrive = stack.of_type("AWS::SQS::Queue")["Queue/Jobs"]["RedrivePolicy"]
    assert redrive["maxReceiveCount"] == deliveries
    assert stack.text(redrive["deadLetterTargetArn"]) == "Queue/DeadLetters.Arn"


def test_queues_are_encrypted_and_keep_messages_for_a_fortnight(aws: Template) -> None:
    for queue in aws.of_type("AWS::SQS::Queue").values():
        assert queue["SqsManagedSseEnabled"] is True
        assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600


def test_jobs_that_are_stuck_wake_somebody(aws: Template) -> None:
    watched = {
        path: (
            alarm["MetricName"],
            {each["Name"]: each["Value"] for each in alarm["Dimensions"]}["service"],
            alarm["Statistic"],
            alarm["Threshold"],
            alarm["EvaluationPeriods"],
        )
        for path, alarm in aws.of_type("AWS::CloudWatch::Alarm").items()
        if path.removeprefix("Alarms/")
        in ("StalledJobs", "ModelAway", "JobsNotMended", "JobsNotTaken")
    }
    assert watched == {
        "Alarms/StalledJobs": ("StalledJobs", "sweep", "Maximum", 1, 1),
        "Alarms/ModelAway": ("ModelsAway", "sweep", "Minimum", 1, 3),
        "Alarms/JobsNotTaken": ("JobsNotTaken", "worker", "Sum", 3, 1),
        "Alarms/JobsNotMended": ("JobsNotMended", "sweep", "Sum", 5, 1),
    }


def test_a_stalled_job_waits_for_its_operator_as_long_as_configured(aws: Template) -> None:
    assert aws.function("sweep")["Environment"]["Variables"]["STALLED_HOLD_HOURS"] == "48"


def test_a_message_in_the_dead_letter_queue_raises_an_alarm(aws: Template) -> None:
    alarm = aws.of_type("AWS::CloudWatch::Alarm")["Alarms/DeadLetters"]
    (queue,) = alarm["Dimensions"]
    assert aws.text(queue["Value"]) == "Queue/DeadLetters.QueueName"
    assert alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
    assert alarm["Statistic"] == "Maximum"
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert alarm["Threshold"] == 1
    assert alarm["EvaluationPeriods"] == 1


def test_alarms_are_mailed_when_there_is_an_address(aws: Template, two_routes: Template) -> None:
    assert not aws.of_type("AWS::SNS::Topic")
    subscription = two_routes.one("AWS::SNS::Subscription")
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "ops@example.com")
    for alarm in two_routes.of_type("AWS::CloudWatch::Alarm").values():
        assert [two_routes.text(action) for action in alarm["AlarmActions"]] == ["Alarms/Topic"]
    statements = two_routes.one("AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]
    (publisher,) = (item for item in statements if item["Effect"] == "Allow")
    assert publisher["Principal"] == {"Service": "cloudwatch.amazonaws.com"}


def test_the_api_has_just_these_routes(aws: Template) -> None:
    assert set(aws.routes(HTTP)) == {
        "POST /feed/tickets",
        "POST /jobs",
        "GET /jobs",
        "GET /jobs/{job_id}",
        "DELETE /jobs/{job_id}",
        "GET /me",
        "GET /me/ledger",
        "POST /payments",
        "GET /payments",
        "GET /payments/{txn_ref}",
        *PUBLIC_ROUTES,
    }


def test_every_route_asks_for_a_token_but_the_public_ones(aws: Template) -> None:
    assert set(PUBLIC_ROUTES) == {
        "GET /health",
        "GET /docs",
        "GET /openapi.json",
        "GET /models",
        "GET /packages",
        "GET /payments/vnpay/ipn",
        "GET /payments/vnpay/return",
    }
    for key, route in aws.routes(HTTP).items():
        if key in PUBLIC_ROUTES:
            assert route["AuthorizationType"] == "NONE"
        else:
            assert route["AuthorizationType"] == "JWT"
            assert aws.text(route["AuthorizerId"]) == "Api/Http/SignedIn"


def test_tokens_are_those_of_our_pool_for_our_client(aws: Template) -> None:
    jwt = aws.one("AWS::ApiGatewayV2::Authorizer")["JwtConfiguration"]
    assert [aws.text(item) for item in jwt["Audience"]] == ["Accounts/UserPool/WebClient"]
    issuer = aws.text(jwt["Issuer"])
    assert issuer == "https://cognito-idp.ap-southeast-1.amazonaws.com/Accounts/UserPool"


@pytest.mark.parametrize(
    ("route", "function"),
    [
        ("POST /jobs", "Functions/Submit"),
        ("GET /jobs", "Functions/Status"),
        ("DELETE /jobs/{job_id}", "Functions/Status"),
        ("GET /health", "Functions/Status"),
        ("GET /me", "Functions/Accounts"),
        ("GET /me/ledger", "Functions/Accounts"),
        ("POST /payments", "Functions/Payments"),
        ("GET /payments/{txn_ref}", "Functions/Payments"),
        ("GET /payments/vnpay/ipn", "Functions/Payments"),
        ("GET /packages", "Functions/Payments"),
        ("POST /feed/tickets", "Feed/Feed"),
    ],
)
def test_routes_reach_their_function(aws: Template, route: str, function: str) -> None:
    target = aws.text(aws.routes(HTTP)[route]["Target"])
    integration = aws.of_type("AWS::ApiGatewayV2::Integration")[
        target.removeprefix("integrations/")
    ]
    assert aws.text(integration["IntegrationUri"]) == f"{function}/Live"


def test_browsers_may_call_the_api_without_cookies(aws: Template, two_routes: Template) -> None:
    cors = aws.of_type("AWS::ApiGatewayV2::Api")[HTTP]["CorsConfiguration"]
    assert cors["AllowOrigins"] == ["*"]
    assert cors["AllowCredentials"] is False
    exposed = {"ETag", "Location", "Preference-Applied", "Retry-After"}
    assert set(cors["ExposeHeaders"]) >= exposed
    allowed = {"Authorization", "Idempotency-Key", "If-None-Match", "Prefer"}
    assert allowed <= set(cors["AllowHeaders"])
    assert set(cors["AllowMethods"]) == {"GET", "POST", "DELETE"}
    narrow = two_routes.of_type("AWS::ApiGatewayV2::Api")[HTTP]["CorsConfiguration"]
    assert narrow["AllowOrigins"] == ["https://imagify.example.com"]


def test_the_stage_is_throttled_and_logged(aws: Template) -> None:
    stage = aws.of_type("AWS::ApiGatewayV2::Stage")["Api/Stage"]
    assert stage["StageName"] == "$default"
    assert stage["AutoDeploy"] is True
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] == 200
    assert stage["DefaultRouteSettings"]["ThrottlingBurstLimit"] == 400
    assert set(stage["RouteSettings"]) == {"GET /docs", "GET /openapi.json"}
    for heavy in stage["RouteSettings"].values():
        assert heavy["ThrottlingRateLimit"] <= 2
    assert aws.text(stage["AccessLogSettings"]["DestinationArn"]) == "Api/AccessLogs.Arn"
    assert "$context.requestId" in stage["AccessLogSettings"]["Format"]


def test_people_sign_in_by_a_verified_address_and_get_our_id(aws: Template) -> None:
    pool = aws.one("AWS::Cognito::UserPool")
    assert pool["UsernameAttributes"] == ["email"]
    assert pool["UsernameConfiguration"] == {"CaseSensitive": False}
    assert pool["AutoVerifiedAttributes"] == ["email"]
    assert pool["DeletionProtection"] == "ACTIVE"
    trigger = aws.text(pool["LambdaConfig"]["PreTokenGeneration"])
    assert trigger == "Functions/Accounts/Live"
    assert pool["Policies"]["PasswordPolicy"]["MinimumLength"] >= 12


def test_the_client_has_no_secret_and_tells_nobody_who_has_an_account(aws: Template) -> None:
    client = aws.one("AWS::Cognito::UserPoolClient")
    assert client["GenerateSecret"] is False
    assert client["PreventUserExistenceErrors"] == "ENABLED"
    assert set(client["ExplicitAuthFlows"]) == {
        "ALLOW_USER_PASSWORD_AUTH",
        "ALLOW_USER_SRP_AUTH",
        "ALLOW_REFRESH_TOKEN_AUTH",
    }


def test_only_api_and_cognito_may_start_functions_and_only_for_their_own(aws: Template) -> None:
    for permission in aws.of_type("AWS::Lambda::Permission").values():
        source = aws.text(permission["SourceArn"])
        if permission["Principal"] == "cognito-idp.amazonaws.com":
            assert source == "Accounts/UserPool.Arn"
            assert aws.text(permission["FunctionName"]) == "Functions/Accounts/Live"
        else:
            assert permission["Principal"] == "apigateway.amazonaws.com"
            assert re.search(r":(Api/Http|Feed/Sockets)/", source)


def test_outputs_name_everything_that_a_client_or_an_operator_needs(aws: Template) -> None:
    outputs = {
        name: aws.text(item["Value"])
        for name, item in aws.content["Outputs"].items()
        if "Export" not in item  # those are the page's stack's
    }
    api_url = outputs.pop("ApiUrl")
    assert api_url.startswith("https://Api/Http.execute-api.ap-southeast-1.")
    feed_url = outputs.pop("FeedUrl")
    assert feed_url.startswith("wss://Feed/Sockets.execute-api.ap-southeast-1.")
    assert feed_url.endswith("/live")
    (route,) = json.loads(outputs.pop("Routes"))
    assert (route["region"], route["rate_per_second"]) == ("us-west-2", 2.0)
    assert outputs == {
        "UserPoolId": "Accounts/UserPool",
        "UserPoolClientId": "Accounts/UserPool/WebClient",
        "HomeRegion": "ap-southeast-1",
        "ImagesBucket": "Storage/Images",
        "JobsQueueUrl": "Queue/Jobs",
        "DeadLetterQueueUrl": "Queue/DeadLetters",
        "UsersTable": "Storage/Users",
        "JobsTable": "Storage/Jobs",
        "LedgerTable": "Storage/Ledger",
        "PaymentsTable": "Storage/Payments",
        "VnpayParameter": "/imagify/prod/vnpay",
        "RoutesTable": "Storage/Routes",
        "ActsTable": "Storage/Acts",
    }


def test_every_log_group_forgets(aws: Template) -> None:
    groups = aws.of_type("AWS::Logs::LogGroup")
    assert "Api/AccessLogs" in groups
    assert all(as_list(group.get("RetentionInDays")) == [90] for group in groups.values())
