"""Tickets to the feed, and the sockets that they open."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from common.errors import ServiceFailed, Unauthenticated
from common.feed import TICKET_SECONDS, Socket, Ticket, ticket_digest, to_make_way

if TYPE_CHECKING:
    from common.ports import SocketStore, TicketStore, Wire


def give_ticket(secret: str, *, user_id: str, tickets: TicketStore, now: datetime) -> Ticket:
    """Keep a ticket for the user, who is given the `secret` itself."""
    expires_at = now + timedelta(seconds=TICKET_SECONDS)
    ticket = Ticket(digest=ticket_digest(secret), user_id=user_id, expires_at=expires_at)
    tickets.put(ticket)
    return ticket


def open_socket(
    connection_id: str,
    secret: str,
    *,
    tickets: TicketStore,
    sockets: SocketStore,
    wire: Wire,
    now: datetime,
) -> Socket:
    """Use the ticket up for this connection; raises Unauthenticated for one that is no good.

    A user who has as many sockets as one may have loses the oldest: it is likely to be one whose
    client has gone without a word.
    """
    user_id = tickets.take(ticket_digest(secret), now=now)
    if user_id is None:
        raise Unauthenticated("The ticket is used, expired, or none of ours.")
    for old in to_make_way(sockets.of_user(user_id, now=now)):
        sockets.remove(old.connection_id)
        with suppress(ServiceFailed):
            # Forgotten is enough: the next refresh on it closes it.
            wire.close(old.connection_id)
    socket = Socket(connection_id=connection_id, user_id=user_id, opened_at=now)
    sockets.add(socket)
    return socket
