"""Telling one socket something."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import TYPE_CHECKING

from pydantic import BaseModel

from common.errors import ServiceFailed, SocketGone
from common.metrics import PUSHES_FAILED, PUSHES_TAKEN, SOCKETS_GONE
from common.observability import logger

if TYPE_CHECKING:
    from common.ports import SocketStore, Wire


class Pushed(Enum):
    """What became of it; the values are metrics."""

    TAKEN = PUSHES_TAKEN
    GONE = SOCKETS_GONE
    """The socket was closed, and is forgotten."""
    FAILED = PUSHES_FAILED
    """It was not taken: a buffer is full, or AWS does not answer. The socket is left."""


def push(
    connection_id: str, messages: Iterable[BaseModel], *, wire: Wire, sockets: SocketStore
) -> Pushed:
    """Send the messages in order, as far as they are taken.

    Raises for nothing that AWS does: nothing depends on a push, since polling tells the same.
    """
    try:
        for message in messages:
            wire.send(connection_id, message.model_dump_json())
    except SocketGone:
        return _forget(connection_id, sockets)
    except ServiceFailed as error:
        logger.warning("a push was not taken", connection_id=connection_id, reason=error.message)
        return Pushed.FAILED
    return Pushed.TAKEN


def _forget(connection_id: str, sockets: SocketStore) -> Pushed:
    try:
        sockets.remove(connection_id)
    except ServiceFailed as error:
        # The next push meets it again.
        logger.warning("not forgotten", connection_id=connection_id, reason=error.message)
    return Pushed.GONE
