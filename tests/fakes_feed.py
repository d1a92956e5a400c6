"""The feed's ports in memory: tickets and sockets, and a wire that keeps what is said on it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Lock
from typing import Any, TypeVar

from common.errors import ServiceFailed, SocketGone
from common.feed import Socket, Ticket

Result = TypeVar("Result")


class MemoryConnections:
    """Tickets and sockets in dicts; moments count in whole seconds, as in DynamoDB."""

    def __init__(self) -> None:
        self.tickets: dict[str, Ticket] = {}
        self.sockets: dict[str, Socket] = {}
        self._lock = Lock()

    def put(self, ticket: Ticket) -> None:
        with self._lock:
            self.tickets[ticket.digest] = ticket

    def take(self, digest: str, *, now: datetime) -> str | None:
        with self._lock:
            ticket = self.tickets.get(digest)
            if ticket is None or _second(ticket.expires_at) <= _second(now):
                return None
            del self.tickets[digest]
            return ticket.user_id

    def add(self, socket: Socket) -> None:
        with self._lock:
            self.sockets[socket.connection_id] = socket

    def get(self, connection_id: str) -> Socket | None:
        return self.sockets.get(connection_id)

    def remove(self, connection_id: str) -> None:
        with self._lock:
            self.sockets.pop(connection_id, None)

    def of_user(self, user_id: str, *, now: datetime) -> tuple[Socket, ...]:
        with self._lock:
            own = [socket for socket in self.sockets.values() if socket.user_id == user_id]
        return tuple(socket for socket in own if _second(socket.expires_at) > _second(now))


class MemoryWire:
    """A wire that keeps what was said on each socket; some of them are gone or do not take it."""

    def __init__(self) -> None:
        self.said: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self.closed: list[str] = []
        self.gone: set[str] = set()
        self.stuck: set[str] = set()

    def send(self, connection_id: str, text: str) -> None:
        if connection_id in self.gone:
            raise SocketGone(f"{connection_id} is closed.")
        if connection_id in self.stuck:
            raise ServiceFailed("A push did not work.")
        self.said[connection_id].append(json.loads(text))

    def close(self, connection_id: str) -> None:
        if connection_id in self.stuck:
            raise ServiceFailed("Closing a socket did not work.")
        self.closed.append(connection_id)
        self.gone.add(connection_id)


def one_by_one(to_do: Sequence[Callable[[], Result]]) -> list[Result]:
    """All of it, in order, on this thread."""
    return [do() for do in to_do]


def _second(moment: datetime) -> int:
    return int(moment.timestamp())
