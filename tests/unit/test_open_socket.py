"""Tickets and the sockets that they open: who gets in, and who makes way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from common.errors import Unauthenticated
from common.feed import (
    HAND_OVER_SECONDS,
    KEEP_ALIVE_SECONDS,
    SOCKET_SECONDS_MAX,
    SOCKETS_MAX,
    TICKET_SECONDS,
    Socket,
    ticket_digest,
    to_make_way,
)
from functions.feed.open_socket import give_ticket, open_socket
from tests.fakes import START
from tests.world import World

API_GATEWAY_IDLE_SECONDS = 600
API_GATEWAY_SOCKET_SECONDS = 7200


@pytest.fixture
def world() -> World:
    return World()


def given(world: World, user_id: str = "usr_ann") -> str:
    """A ticket for the user."""
    secret = world.secrets()
    give_ticket(secret, user_id=user_id, tickets=world.connections, now=world.clock())
    return secret


def connect(world: World, connection_id: str, secret: str) -> Socket:
    feed = world.feed_services()
    return open_socket(
        connection_id,
        secret,
        tickets=feed.tickets,
        sockets=feed.sockets,
        wire=feed.wire,
        now=world.clock(),
    )


def own(world: World, user_id: str = "usr_ann") -> set[str]:
    sockets = world.connections.of_user(user_id, now=world.clock())
    return {socket.connection_id for socket in sockets}


def test_a_ticket_opens_a_socket_of_its_user(world: World) -> None:
    socket = connect(world, "c1", given(world))
    assert socket == Socket(connection_id="c1", user_id="usr_ann", opened_at=START)
    assert world.connections.get("c1") == socket
    assert world.wire.said == {}, "nothing can be sent before the handshake is over"


def test_a_ticket_opens_one_socket(world: World) -> None:
    secret = given(world)
    connect(world, "c1", secret)
    with pytest.raises(Unauthenticated):
        connect(world, "c2", secret)
    assert own(world) == {"c1"}


@pytest.mark.parametrize(("second", "good"), [(TICKET_SECONDS - 1, True), (TICKET_SECONDS, False)])
def test_a_ticket_is_good_for_a_minute(world: World, second: int, *, good: bool) -> None:
    secret = given(world)
    world.clock.advance(second)
    if good:
        assert connect(world, "c1", secret).user_id == "usr_ann"
        return
    with pytest.raises(Unauthenticated):
        connect(world, "c1", secret)
    assert own(world) == set()


def test_a_ticket_that_nobody_was_given_opens_nothing(world: World) -> None:
    secret = given(world)
    for other in ("", "secret", secret.upper(), f"{secret} ", ticket_digest(secret)):
        with pytest.raises(Unauthenticated):
            connect(world, "c1", other)
    assert connect(world, "c1", secret)


def test_what_is_kept_of_a_ticket_opens_nothing(world: World) -> None:
    secret = given(world)
    assert secret not in str(world.connections.tickets)
    (digest,) = world.connections.tickets
    assert digest == ticket_digest(secret)
    assert len(digest) == 64


def test_a_user_has_so_many_sockets_and_the_oldest_makes_way(world: World) -> None:
    oldest, *others = (f"c{number:02}" for number in range(SOCKETS_MAX, 0, -1))
    for connection_id in (oldest, *others):
        connect(world, connection_id, given(world))
        world.clock.advance(1)
    assert len(own(world)) == SOCKETS_MAX
    assert world.wire.closed == []
    connect(world, "new", given(world))
    assert world.wire.closed == [oldest]
    assert own(world) == {"new", *others}


def test_nobody_makes_way_for_another(world: World) -> None:
    for number in range(SOCKETS_MAX):
        connect(world, f"a{number}", given(world))
    connect(world, "b", given(world, "usr_ben"))
    assert world.wire.closed == []
    assert len(own(world)) == SOCKETS_MAX
    assert own(world, "usr_ben") == {"b"}


def test_a_bad_ticket_closes_nobodys_socket(world: World) -> None:
    for number in range(SOCKETS_MAX):
        connect(world, f"a{number}", given(world))
    with pytest.raises(Unauthenticated):
        connect(world, "new", "a guess")
    assert world.wire.closed == []
    assert len(own(world)) == SOCKETS_MAX


def test_a_socket_that_is_gone_already_makes_way_all_the_same(world: World) -> None:
    for number in range(SOCKETS_MAX):
        connect(world, f"c{number}", given(world))
        world.clock.advance(1)
    world.wire.gone.add("c0")
    connect(world, "new", given(world))
    assert "c0" not in own(world)
    assert "new" in own(world)


def test_a_socket_that_cannot_be_closed_is_forgotten_and_keeps_nobody_out(world: World) -> None:
    for number in range(SOCKETS_MAX):
        connect(world, f"c{number}", given(world))
        world.clock.advance(1)
    world.wire.stuck.add("c0")
    connect(world, "new", given(world))
    assert own(world) == {"new", *(f"c{number}" for number in range(1, SOCKETS_MAX))}


def test_sockets_that_must_have_ended_take_no_place(world: World) -> None:
    for number in range(SOCKETS_MAX):
        connect(world, f"old{number}", given(world))
    world.clock.advance(SOCKET_SECONDS_MAX)
    connect(world, "new", given(world))
    assert world.wire.closed == []
    assert own(world) == {"new"}


def sockets(count: int) -> list[Socket]:
    return [
        Socket(
            connection_id=f"{number:03}",
            user_id="usr_ann",
            opened_at=START + timedelta(seconds=number),
        )
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("there", "leave"), [(0, 0), (1, 0), (SOCKETS_MAX - 1, 0), (SOCKETS_MAX, 1), (30, 11)]
)
def test_as_many_make_way_as_are_too_many_for_one_more(there: int, leave: int) -> None:
    found = sockets(there)
    assert to_make_way(found[::-1]) == found[:leave]


def test_of_sockets_of_the_same_moment_always_the_same_makes_way() -> None:
    found = [replace(socket, opened_at=START) for socket in sockets(SOCKETS_MAX)]
    assert to_make_way(found[::-1]) == found[:1]


def test_a_client_speaks_and_hands_over_before_api_gateway_closes_its_socket() -> None:
    assert 2 * KEEP_ALIVE_SECONDS <= API_GATEWAY_IDLE_SECONDS
    assert SOCKET_SECONDS_MAX == API_GATEWAY_SOCKET_SECONDS
    assert HAND_OVER_SECONDS + TICKET_SECONDS < SOCKET_SECONDS_MAX
