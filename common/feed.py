"""The feed: who listens on which socket, by which ticket it came, and what is said on it.

A browser cannot send a header with a WebSocket's handshake, and a token in a URL ends up in logs:
so it fetches a ticket over HTTPS, which opens one socket, once, within a minute. Pushes are a
convenience that may be lost; what `GET /jobs/{job_id}` says is the truth, and each push of a job is
just that, with its version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

TICKET_SECONDS = 60
"""How long a ticket may be used."""
KEEP_ALIVE_SECONDS = 300
"""How often a client is to speak; API Gateway closes a socket after ten minutes of silence."""
SOCKET_SECONDS_MAX = 2 * 60 * 60
"""How long API Gateway lets a socket live …"""
HAND_OVER_SECONDS = SOCKET_SECONDS_MAX - 10 * 60
"""… and when a client is to open the next."""
SOCKETS_MAX = 20
"""Sockets that one user may have; the oldest makes way for one more."""
ACTIVE_SHOWN_MAX = 50
"""Jobs that a refresh shows at most, the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """The right to open one socket, known by the digest of what its holder has."""

    digest: str
    user_id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Socket:
    """An open socket and whose it is."""

    connection_id: str
    user_id: str
    opened_at: datetime

    @property
    def expires_at(self) -> datetime:
        """When API Gateway has closed it, whatever happened."""
        return self.opened_at + timedelta(seconds=SOCKET_SECONDS_MAX)


def ticket_digest(ticket: str) -> str:
    """What is kept of a ticket: whoever reads the table cannot use it."""
    return hashlib.sha256(ticket.encode()).hexdigest()


def to_make_way(sockets: Sequence[Socket]) -> list[Socket]:
    """The oldest of a user's sockets, as many as are too many for one more."""
    ordered = sorted(sockets, key=lambda socket: (socket.opened_at, socket.connection_id))
    return ordered[: max(0, len(ordered) - SOCKETS_MAX + 1)]
