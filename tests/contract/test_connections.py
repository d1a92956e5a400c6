"""Tickets open one socket once, and a user's sockets are that user's alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest

from common.aws.dynamo_connections import DynamoConnections
from common.feed import SOCKET_SECONDS_MAX, TICKET_SECONDS, Socket, Ticket, ticket_digest
from tests.contract.backends import CONNECTIONS_TABLE, Aws, at_once, on_threads
from tests.fakes import START
from tests.fakes_feed import MemoryConnections

Connections = MemoryConnections | DynamoConnections
Fresh = Callable[[str], str]
USE_TICKETS_AT_ONCE = 8


@pytest.fixture
def connections(backend: Aws | None) -> Connections:
    if backend is None:
        return MemoryConnections()
    return DynamoConnections(backend.dynamodb, connections_table=CONNECTIONS_TABLE)


@pytest.fixture
def ticket(connections: Connections, fresh: Fresh) -> Ticket:
    """A ticket that is kept and has not been used."""
    ticket = Ticket(
        digest=ticket_digest(fresh("secret")),
        user_id=fresh("ann"),
        expires_at=START + timedelta(seconds=TICKET_SECONDS),
    )
    connections.put(ticket)
    return ticket


def test_a_ticket_is_used_once(connections: Connections, ticket: Ticket) -> None:
    assert connections.take(ticket.digest, now=START) == ticket.user_id
    assert connections.take(ticket.digest, now=START) is None


def test_a_ticket_that_nobody_was_given_is_worth_nothing(
    connections: Connections, ticket: Ticket, fresh: Fresh
) -> None:
    for digest in (ticket_digest(fresh("another secret")), ticket.digest.upper(), "", "0"):
        assert connections.take(digest, now=START) is None
    assert connections.take(ticket.digest, now=START) == ticket.user_id


@pytest.mark.parametrize(("second", "good"), [(TICKET_SECONDS - 1, True), (TICKET_SECONDS, False)])
def test_a_ticket_works_until_it_expires(
    connections: Connections, ticket: Ticket, second: int, *, good: bool
) -> None:
    used = connections.take(ticket.digest, now=START + timedelta(seconds=second))
    assert used == (ticket.user_id if good else None)


def test_each_ticket_is_its_own_users(
    connections: Connections, ticket: Ticket, fresh: Fresh
) -> None:
    other = Ticket(
        digest=ticket_digest(fresh("bens")), user_id=fresh("ben"), expires_at=ticket.expires_at
    )
    connections.put(other)
    assert connections.take(other.digest, now=START) == other.user_id
    assert connections.take(ticket.digest, now=START) == ticket.user_id


@on_threads
def test_of_many_who_use_a_ticket_at_once_one_gets_in(
    connections: Connections, ticket: Ticket
) -> None:
    take = partial(connections.take, ticket.digest, now=START)
    answers = at_once([take] * USE_TICKETS_AT_ONCE)
    assert answers.count(ticket.user_id) == 1
    assert answers.count(None) == USE_TICKETS_AT_ONCE - 1


@pytest.fixture
def opened(connections: Connections, fresh: Fresh) -> Callable[..., Socket]:
    """Opens sockets."""

    def make(name: str, *, of: str = "ann", second: float = 0) -> Socket:
        socket = Socket(
            connection_id=fresh(name),
            user_id=fresh(of),
            opened_at=START + timedelta(seconds=second),
        )
        connections.add(socket)
        return socket

    return make


Open = Callable[..., Socket]


def test_a_socket_is_known_by_its_id(connections: Connections, opened: Open, fresh: Fresh) -> None:
    socket = opened("a", second=0.25)
    assert connections.get(socket.connection_id) == socket
    assert connections.get(fresh("b")) is None


def test_a_users_sockets_are_all_of_that_users_and_nobody_elses(
    connections: Connections, opened: Open
) -> None:
    own = {opened("a"), opened("b", second=1.5)}
    theirs = opened("c", of="ben")
    user_id = next(iter(own)).user_id
    assert set(connections.of_user(user_id, now=START)) == own
    assert connections.of_user(theirs.user_id, now=START) == (theirs,)


def test_a_user_without_sockets_has_none(connections: Connections, fresh: Fresh) -> None:
    assert connections.of_user(fresh("nobody"), now=START) == ()


def test_a_ticket_is_no_socket(connections: Connections, ticket: Ticket) -> None:
    assert connections.of_user(ticket.user_id, now=START) == ()
    assert connections.get(ticket.digest) is None
    assert connections.get(f"ticket#{ticket.digest}") is None


def test_a_socket_is_no_ticket(connections: Connections, opened: Open) -> None:
    socket = opened("a")
    assert connections.take(socket.connection_id, now=START) is None
    assert connections.get(socket.connection_id) == socket


@pytest.mark.parametrize(
    ("second", "open_"), [(SOCKET_SECONDS_MAX - 1, True), (SOCKET_SECONDS_MAX, False)]
)
def test_a_socket_that_must_have_been_closed_is_left_out(
    connections: Connections, opened: Open, second: int, *, open_: bool
) -> None:
    socket = opened("a")
    newer = opened("b", second=60)
    found = set(connections.of_user(socket.user_id, now=START + timedelta(seconds=second)))
    assert found == ({socket, newer} if open_ else {newer})


def test_a_socket_can_be_forgotten_more_than_once(
    connections: Connections, opened: Open, fresh: Fresh
) -> None:
    socket, other = opened("a"), opened("b")
    for _again in range(2):
        connections.remove(socket.connection_id)
        assert connections.get(socket.connection_id) is None
    connections.remove(fresh("unknown"))
    assert connections.of_user(socket.user_id, now=START) == (other,)


@pytest.mark.parametrize("backend", ["moto"], indirect=True)
def test_a_ticket_is_kept_as_a_digest_and_goes_by_itself(
    moto_aws: Aws, connections: Connections
) -> None:
    secret = "a secret of mine"
    expires_at = START + timedelta(seconds=TICKET_SECONDS)
    connections.put(Ticket(digest=ticket_digest(secret), user_id="usr_ann", expires_at=expires_at))
    connections.add(Socket(connection_id="c", user_id="usr_ann", opened_at=START))
    items = moto_aws.dynamodb.scan(TableName=CONNECTIONS_TABLE)["Items"]
    assert secret not in str(items)
    assert {item["expires_at"].get("N") for item in items} == {
        str(int(START.timestamp()) + TICKET_SECONDS),
        str(int(START.timestamp()) + SOCKET_SECONDS_MAX),
    }
