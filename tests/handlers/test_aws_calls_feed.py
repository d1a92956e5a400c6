"""How many calls the feed makes: the real services, as wired in Lambda, on a fake AWS."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from common.aws import clients
from common.aws.records import from_item
from common.settings.feed import FeedSettings
from common.settings.push import PushSettings
from functions.feed import handler as feed
from functions.push import handler as push
from tests.contract.backends import CONNECTIONS_TABLE, JOBS_TABLE, REGION, USERS_TABLE
from tests.handlers.calls import Context, event
from tests.handlers.wired import FEED_API, FEED_STAGE, call

CONNECTION = "Zq3hUd1mSQ0CJ7w="


Said = dict[str, list[dict[str, Any]]]


def connect(user_id: str, connection_id: str = CONNECTION) -> int:
    ticket = json.loads(call("post_tickets", user_id)["body"])["ticket"]
    sent = event("socket_connect")
    sent["queryStringParameters"]["ticket"] = ticket
    sent["requestContext"]["connectionId"] = connection_id
    status: int = feed.handler(sent, Context())["statusCode"]
    return status


@pytest.fixture
def said(calls: list[str]) -> Said:
    """What is posted to each connection."""
    posted: Said = {}

    def note(params: Mapping[str, Any], **_rest: object) -> None:
        posted.setdefault(params["ConnectionId"], []).append(json.loads(params["Data"]))

    client = clients.sockets(REGION, api_id=FEED_API, stage=FEED_STAGE)
    client.meta.events.register(
        "provide-client-params.apigatewaymanagementapi.PostToConnection", note
    )
    assert calls == []
    return posted


def stream(table: str, key: str) -> dict[str, Any]:
    """A stream's event with each item of a table, as it is now."""
    items = clients.dynamodb(REGION).scan(TableName=table)["Items"]
    return {"Records": [{"dynamodb": {"NewImage": item}} for item in items if key in item]}


@pytest.fixture
def connected(user_id: str, calls: list[str]) -> str:
    """A user whose socket is open."""
    assert connect(user_id) == 200
    calls.clear()
    return user_id


@pytest.fixture
def submitted(user_id: str, calls: list[str]) -> Callable[[], str]:
    """Submits a job, and forgets what was called and read for it."""

    def submit() -> str:
        job_id: str = json.loads(call("post_jobs", user_id)["body"])["job_id"]
        calls.clear()
        return job_id

    return submit


def test_a_ticket_is_one_call_and_worth_256_bits(calls: list[str], user_id: str) -> None:
    answer = call("post_tickets", user_id)
    assert answer["statusCode"] == 201
    assert len(json.loads(answer["body"])["ticket"]) >= 43
    assert calls == ["PutItem"]


def test_connecting_is_three_calls(calls: list[str], user_id: str) -> None:
    assert connect(user_id) == 200
    assert calls == [
        "PutItem",  # the ticket that is given
        "DeleteItem",  # the ticket that is used
        "Query",  # the user's sockets
        "PutItem",  # one more of them
    ]
    items = clients.dynamodb(REGION).scan(TableName=CONNECTIONS_TABLE)["Items"]
    assert [from_item(item)["user_id"] for item in items] == [user_id]


def test_a_bad_ticket_is_one_call(calls: list[str], user_id: str) -> None:
    sent = event("socket_connect")
    assert feed.handler(sent, Context()) == {"statusCode": 401}
    assert calls == ["DeleteItem"]
    assert user_id


def test_disconnecting_is_one_call(calls: list[str], connected: str) -> None:
    assert feed.handler(event("socket_disconnect"), Context()) == {"statusCode": 200}
    assert calls == ["DeleteItem"]
    assert clients.dynamodb(REGION).scan(TableName=CONNECTIONS_TABLE)["Count"] == 0
    assert connected


def test_a_ping_makes_no_call(calls: list[str], connected: str) -> None:
    assert feed.handler(event("socket_message") | {"body": "{}"}, Context())["statusCode"] == 200
    assert calls == []
    assert connected


def test_a_refresh_is_three_reads_and_a_message_for_each_thing_told(
    calls: list[str], connected: str, said: Said
) -> None:
    assert feed.handler(event("socket_message"), Context()) == {"statusCode": 200}
    assert calls == ["GetItem", "Query", "GetItem", "PostToConnection", "PostToConnection"]
    assert [message["type"] for message in said[CONNECTION]] == ["balance", "refreshed"]
    assert connected


def test_a_refresh_with_jobs_reads_who_waits_once(
    calls: list[str], connected: str, submitted: Callable[[], str], said: Said
) -> None:
    job_id = submitted()
    assert feed.handler(event("socket_message"), Context()) == {"statusCode": 200}
    assert calls == [
        "GetItem",  # whose socket it is
        "Query",  # the active jobs
        "Query",  # who waits …
        "BatchGetItem",  # … and the lines
        "PostToConnection",
        "GetItem",  # the balance
        "PostToConnection",
        "PostToConnection",
    ]
    job, _balance, refreshed = said[CONNECTION]
    assert job["job"]["job_id"] == job_id
    assert job["job"]["queue"]["position"] == 1
    assert refreshed["active"] == [job_id]
    assert connected


def test_a_change_is_a_read_of_the_sockets_and_a_message_to_each(
    calls: list[str], connected: str, submitted: Callable[[], str], said: Said
) -> None:
    connect(connected, "second=")
    job_id = submitted()
    event_of_jobs = stream(JOBS_TABLE, "job_id")
    calls.clear()
    assert push.handler(event_of_jobs, Context()) == {}
    assert calls == ["Query", "Query", "BatchGetItem", "PostToConnection", "PostToConnection"]
    for connection_id in (CONNECTION, "second="):
        (message,) = said[connection_id]
        assert (message["type"], message["job"]["job_id"]) == ("job", job_id)


def test_a_change_that_nobody_listens_to_is_one_read(
    calls: list[str], submitted: Callable[[], str]
) -> None:
    submitted()
    event_of_jobs = stream(JOBS_TABLE, "job_id")
    calls.clear()
    assert push.handler(event_of_jobs, Context()) == {}
    assert calls == ["Query"]


def test_a_balance_is_a_read_of_the_sockets_and_a_message(
    calls: list[str], connected: str, said: Said
) -> None:
    event_of_users = stream(USERS_TABLE, "user_id")
    assert len(event_of_users["Records"]) == 2, "the user, and the guard of the address"
    calls.clear()
    assert push.handler(event_of_users, Context()) == {}
    assert calls == ["Query", "PostToConnection"]
    assert [message["type"] for message in said[CONNECTION]] == ["balance"]
    assert connected


def test_both_functions_speak_through_the_same_stage(calls: list[str]) -> None:
    client = clients.sockets(REGION, api_id=FEED_API, stage=FEED_STAGE)
    for settings in (FeedSettings, PushSettings):
        assert settings.from_env(os.environ).feed_stage == FEED_STAGE
    assert client.meta.endpoint_url.endswith(f"{FEED_API}.execute-api.{REGION}.amazonaws.com/live")
    assert calls == []
