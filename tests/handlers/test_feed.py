"""POST /feed/tickets, and what happens on sockets: connecting, messages, disconnecting."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from common.errors import ServiceFailed
from common.feed import SOCKETS_MAX, Socket, Ticket, ticket_digest
from functions.feed.handler import MESSAGE_CHARS_MAX, handler
from tests.fakes_feed import MemoryConnections
from tests.handlers.calls import Api, Context, event
from tests.handlers.test_vnpay_calls import counted
from tests.world import CREDITS, World

CONNECTION = "Zq3hUd1mSQ0CJ7w="
REFRESH = '{"action": "refresh"}'


def on_socket(name: str, **changes: Any) -> int:
    """The handler's answer to what happened on a socket, as Lambda writes it down."""
    return answered({**event(name), **changes})


def answered(sent: dict[str, Any]) -> int:
    answer = handler(sent, Context())
    assert set(answer) == {"statusCode"}
    status: int = json.loads(json.dumps(answer))["statusCode"]
    return status


def connect(ticket: str | None, connection_id: str = CONNECTION) -> int:
    sent = event("socket_connect")
    sent["requestContext"]["connectionId"] = connection_id
    if ticket is None:
        del sent["queryStringParameters"], sent["multiValueQueryStringParameters"]
    else:
        sent["queryStringParameters"] = {"ticket": ticket}
        sent["multiValueQueryStringParameters"] = {"ticket": [ticket]}
    return answered(sent)


def own(world: World, user_id: str = "usr_ann") -> list[str]:
    sockets = world.connections.of_user(user_id, now=world.clock())
    return [socket.connection_id for socket in sockets]


def said(world: World) -> list[dict[str, Any]]:
    return world.wire.said.pop(CONNECTION, [])


def test_a_signed_in_user_gets_a_ticket(api: Api) -> None:
    answer = api.call("post_tickets")
    assert answer.status == 201
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json == {
        "ticket": "secret-1",
        "expires_at": "2026-11-01T12:01:00Z",
        "keep_alive_seconds": 300,
        "hand_over_seconds": 6600,
    }
    (ticket,) = api.world.connections.tickets.values()
    assert (ticket.digest, ticket.user_id) == (ticket_digest("secret-1"), "usr_ann")


def test_each_ticket_is_another_one(api: Api) -> None:
    tickets = {api.call("post_tickets").json["ticket"] for _again in range(3)}
    assert len(tickets) == 3


def test_without_our_user_id_there_is_no_ticket(api: Api) -> None:
    assert api.call("post_tickets", user_id=None).problem == (401, "unauthenticated")
    assert api.world.connections.tickets == {}


def test_no_ticket_is_logged(api: Api, written: Callable[[], str]) -> None:
    ticket = api.call("post_tickets").json["ticket"]
    connect(ticket)
    connect(ticket)
    connect("a guess of mine")
    logged = written()
    assert "socket opened" in logged
    assert ticket not in logged
    assert "a guess of mine" not in logged


class Broken(MemoryConnections):
    """A table that does not answer."""

    def put(self, ticket: Ticket) -> None:
        raise ServiceFailed(f"Keeping a ticket of {ticket.user_id} did not work.")

    def take(self, digest: str, *, now: datetime) -> str | None:
        raise ServiceFailed(f"Taking {digest} at {now} did not work.")

    def remove(self, connection_id: str) -> None:
        raise ServiceFailed(f"Forgetting {connection_id} did not work.")


def test_a_ticket_that_cannot_be_kept_is_not_given(api: Api) -> None:
    api.world.connections = Broken()
    assert api.call("post_tickets").problem == (503, "try_again")


def test_a_ticket_opens_a_socket_once(api: Api, written: Callable[[], str]) -> None:
    ticket = api.call("post_tickets").json["ticket"]
    written()
    assert connect(ticket) == 200
    assert own(api.world) == [CONNECTION]
    assert said(api.world) == [], "the handshake has not been answered yet"
    logged = written()
    assert counted(logged) == {"SocketsOpened"}
    assert '"user_id":"usr_ann"' in logged
    assert connect(ticket, "another=") == 401
    assert own(api.world) == [CONNECTION]
    assert counted(written()) == set()


def test_a_ticket_is_its_owners_whoever_brings_it(api: Api) -> None:
    api.world.person("usr_ben")
    ticket = api.call("post_tickets", user_id="usr_ben").json["ticket"]
    assert connect(ticket) == 200
    assert (own(api.world, "usr_ben"), own(api.world)) == ([CONNECTION], [])


@pytest.mark.parametrize("ticket", [None, "", "secret-2", "x" * 4000, "é", "ticket#"])
def test_without_a_good_ticket_the_handshake_is_refused(api: Api, ticket: str | None) -> None:
    api.call("post_tickets")
    assert connect(ticket) == 401
    assert own(api.world) == []


def test_an_expired_ticket_is_refused(api: Api) -> None:
    ticket = api.call("post_tickets").json["ticket"]
    api.world.clock.advance(60)
    assert connect(ticket) == 401


def test_a_table_that_does_not_answer_lets_nobody_in(world: World) -> None:
    world.connections = Broken()
    assert connect("secret-1") == 503
    assert on_socket("socket_disconnect") == 503


def test_the_21st_socket_closes_the_oldest(api: Api) -> None:
    for number in range(SOCKETS_MAX + 1):
        assert connect(api.call("post_tickets").json["ticket"], f"c{number}") == 200
        api.world.clock.advance(1)
    assert api.world.wire.closed == ["c0"]
    assert len(own(api.world)) == SOCKETS_MAX


@pytest.fixture
def socket(world: World) -> Socket:
    """The socket of the events, open."""
    socket = Socket(connection_id=CONNECTION, user_id="usr_ann", opened_at=world.clock())
    world.connections.add(socket)
    return socket


def test_a_socket_that_closes_is_forgotten(world: World, socket: Socket) -> None:
    other = Socket(connection_id="other=", user_id="usr_ann", opened_at=world.clock())
    world.connections.add(other)
    assert on_socket("socket_disconnect") == 200
    assert world.connections.get(socket.connection_id) is None
    assert own(world) == ["other="]
    assert on_socket("socket_disconnect") == 200


def test_a_refresh_is_answered_with_how_things_are(
    world: World, socket: Socket, api: Api, written: Callable[[], str]
) -> None:
    job = world.submit()
    written()
    assert on_socket("socket_message") == 200
    shown, balance, refreshed = said(world)
    assert shown == {"type": "job", "job": api.call("get_job", job_id=job.job_id).json}
    assert balance["balance"] == {"available": CREDITS - job.cost, "held": job.cost}
    assert refreshed == {"type": "refreshed", "active": [job.job_id]}
    assert counted(written()) >= {"PushesTaken"}
    assert socket.user_id == job.user_id


def test_a_refresh_tells_nothing_of_anothers(world: World, socket: Socket) -> None:
    world.person("usr_ben")
    theirs = world.submit("usr_ben")
    on_socket("socket_message")
    assert socket.user_id != theirs.user_id
    assert theirs.job_id not in str(said(world))


@pytest.mark.parametrize(
    "body",
    [
        "",
        "ping",
        "{",
        "null",
        "[]",
        '["refresh"]',
        '"refresh"',
        "7",
        "{}",
        '{"action": null}',
        '{"action": "ping"}',
        '{"action": "REFRESH"}',
        '{"action": ["refresh"]}',
        '{"refresh": true}',
        "[" * 1000,
        '{"action": "refresh", "padding": "' + "x" * MESSAGE_CHARS_MAX + '"}',
    ],
)
def test_whatever_else_is_said_keeps_the_socket_alive_and_no_more(
    world: World, socket: Socket, body: str
) -> None:
    world.fate.calls.clear()
    assert on_socket("socket_message", body=body) == 200
    assert world.fate.calls == []
    assert own(world) == [socket.connection_id]


def test_a_message_without_a_body_says_nothing(world: World, socket: Socket) -> None:
    world.fate.calls.clear()
    assert on_socket("socket_message", body=None) == 200
    assert world.fate.calls == []
    assert own(world) == [socket.connection_id]


def test_the_longest_message_that_is_read_is_read(world: World, socket: Socket) -> None:
    padding = " " * (MESSAGE_CHARS_MAX - len(REFRESH))
    assert on_socket("socket_message", body=REFRESH + padding) == 200
    assert said(world)[-1]["type"] == "refreshed"
    assert on_socket("socket_message", body=f"{REFRESH} {padding}") == 200
    assert said(world) == []
    assert own(world) == [socket.connection_id]


def test_a_refresh_of_an_unknown_socket_closes_it(world: World) -> None:
    assert on_socket("socket_message") == 200
    assert world.wire.closed == [CONNECTION]
    assert said(world) == []


def test_a_socket_that_is_gone_when_it_is_answered_is_forgotten(
    world: World, socket: Socket, written: Callable[[], str]
) -> None:
    world.wire.gone.add(CONNECTION)
    assert on_socket("socket_message") == 200
    assert world.connections.get(socket.connection_id) is None
    assert counted(written()) == {"SocketsGone"}


def test_a_bug_is_not_hidden(world: World, socket: Socket, monkeypatch: pytest.MonkeyPatch) -> None:
    def buggy(*_asked: object, **_named: object) -> None:
        raise KeyError(socket.connection_id)

    monkeypatch.setattr(world.jobs, "active", buggy)
    with pytest.raises(KeyError):
        on_socket("socket_message")


def test_the_http_api_knows_no_other_path_here(api: Api) -> None:
    sent = event("post_tickets")
    sent["rawPath"] = sent["requestContext"]["http"]["path"] = "/feed"
    assert api.send("post_tickets", sent).problem == (404, "not_found")
