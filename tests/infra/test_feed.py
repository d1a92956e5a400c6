"""The feed: its WebSocket API, and the streams that tell what has changed."""

from __future__ import annotations

import pytest

from common.config import Config
from common.feed import SOCKET_SECONDS_MAX, TICKET_SECONDS
from common.settings.feed import FeedSettings
from common.settings.push import PushSettings
from infra import feed
from infra.feed import ACCESS_LOG_REASON, SOCKETS_REASON, STAGE, TICKET_REASON
from tests.infra.template import FUNCTIONS, Template

SOCKETS = "Feed/Sockets"
STREAMED = {"Storage/Jobs", "Storage/Users"}


def test_there_is_one_api_for_requests_and_one_for_sockets(aws: Template) -> None:
    apis = aws.of_type("AWS::ApiGatewayV2::Api")
    assert {name: api["ProtocolType"] for name, api in apis.items()} == {
        "Api/Http": "HTTP",
        SOCKETS: "WEBSOCKET",
    }


def test_pushes_that_fail_or_are_late_raise_an_alarm(aws: Template) -> None:
    alarms = {
        path: (alarm["MetricName"], alarm["Statistic"], alarm["Threshold"])
        for path, alarm in aws.of_type("AWS::CloudWatch::Alarm").items()
        if "Push" in path
    }
    assert alarms == {
        "Alarms/PushesFail": ("Errors", "Sum", 3),
        "Alarms/PushesLate": ("IteratorAge", "Maximum", 60_000),
    }


def test_who_waits_for_a_job_takes_nobody_elses_place(aws: Template) -> None:
    reserved = {name: aws.function(name).get("ReservedConcurrentExecutions") for name in FUNCTIONS}
    assert reserved == {
        **dict.fromkeys(FUNCTIONS),
        "worker": 28,
        "submit": Config().looks_at_once,
        "status": Config().looks_at_once,
    }


def test_whatever_happens_on_a_socket_reaches_the_feed(aws: Template) -> None:
    routes = aws.routes(SOCKETS)
    assert set(routes) == {"$connect", "$disconnect", "$default"}
    integrations = aws.of_type("AWS::ApiGatewayV2::Integration")
    for route in routes.values():
        integration = integrations[aws.text(route["Target"]).removeprefix("integrations/")]
        assert "/functions/Feed/Feed/Live/invocations" in aws.text(integration["IntegrationUri"])
        assert integration["IntegrationType"] == "AWS_PROXY"


def test_a_socket_needs_a_ticket_instead_of_a_token_and_the_reason_is_written(
    aws: Template,
) -> None:
    for route in aws.routes(SOCKETS).values():
        assert route["AuthorizationType"] == "NONE"
    assert "ticket" in TICKET_REASON
    assert aws.routes("Api/Http")["POST /feed/tickets"]["AuthorizationType"] == "JWT"


def test_what_clients_say_is_throttled(aws: Template) -> None:
    stage = aws.of_type("AWS::ApiGatewayV2::Stage")["Feed/Stage"]
    assert stage["StageName"] == STAGE
    assert stage["AutoDeploy"] is True
    assert aws.text(stage["ApiId"]) == SOCKETS
    assert stage["DefaultRouteSettings"] == {
        "ThrottlingRateLimit": 100,
        "ThrottlingBurstLimit": 200,
    }
    assert "account" in ACCESS_LOG_REASON


@pytest.mark.parametrize(("name", "settings"), [("feed", FeedSettings), ("push", PushSettings)])
def test_who_speaks_on_sockets_is_told_where_they_are(
    aws: Template, name: str, settings: type[FeedSettings]
) -> None:
    told = settings.from_env(aws.environment(name))
    assert told.connections_table == "Storage/Connections"
    assert (told.feed_api_id, told.feed_stage) == (SOCKETS, STAGE)
    assert told.image_url_seconds == 900


def test_only_the_feed_and_the_push_may_speak_and_only_the_feed_may_close(aws: Template) -> None:
    speaking = {
        (name, resource.split("/")[-3])
        for name in FUNCTIONS
        for resource, actions in aws.permissions(name).items()
        if "execute-api:ManageConnections" in actions
    }
    assert speaking == {("feed", "POST"), ("feed", "DELETE"), ("push", "POST")}
    assert "no other" in SOCKETS_REASON


def test_sockets_and_tickets_expire_by_themselves(aws: Template) -> None:
    tables = aws.of_type("AWS::DynamoDB::Table")
    expiring = {
        name: table["TimeToLiveSpecification"]
        for name, table in tables.items()
        if "TimeToLiveSpecification" in table
    }
    assert expiring == {
        "Storage/Connections": {"AttributeName": "expires_at", "Enabled": True},
    }


def test_only_jobs_and_users_are_streamed_and_only_as_they_are(aws: Template) -> None:
    tables = aws.of_type("AWS::DynamoDB::Table")
    streams = {
        name: table["StreamSpecification"]
        for name, table in tables.items()
        if "StreamSpecification" in table
    }
    assert streams == {name: {"StreamViewType": "NEW_IMAGE"} for name in STREAMED}


def test_each_stream_brings_its_news_while_it_is_news(aws: Template) -> None:
    sources = aws.sources("push")
    assert {aws.text(source["EventSourceArn"]) for source in sources} == {
        f"{name}.StreamArn" for name in STREAMED
    }
    for source in sources:
        assert source["StartingPosition"] == "LATEST"
        assert source["MaximumRetryAttempts"] == 2
        assert source["ParallelizationFactor"] == 10
        assert source["MaximumRecordAgeInSeconds"] == 60
        assert source["BisectBatchOnFunctionError"] is True
        assert source["BatchSize"] == 100
        assert "MaximumBatchingWindowInSeconds" not in source, "a push does not wait for others"
        assert "DestinationConfig" not in source, "what is not pushed is polled"


def test_no_other_function_is_fed_by_a_stream_or_by_the_sockets(aws: Template) -> None:
    for name in set(FUNCTIONS) - {"push", "worker"}:
        assert aws.sources(name) == []
    callers = {
        (aws.text(each["FunctionName"]), "/Sockets/" in f"/{aws.text(each['SourceArn'])}")
        for each in aws.of_type("AWS::Lambda::Permission").values()
        if "Feed/" in aws.text(each["SourceArn"])
    }
    assert callers == {("Feed/Feed/Live", True)}


def test_a_push_ends_before_its_news_is_old(aws: Template) -> None:
    assert aws.function("push")["Timeout"] == feed.PUSH_TIMEOUT_SECONDS < feed.PUSH_AGE_SECONDS
    assert aws.function("feed")["Timeout"] < TICKET_SECONDS < SOCKET_SECONDS_MAX
