"""What `functions/feed` works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from common.ports import ActiveLister, Clock, NewId, SocketStore, TicketStore, UserReader, Wire
    from common.snapshots import Snapshots


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedServices:
    """What `functions/feed` works with."""

    tickets: TicketStore
    sockets: SocketStore
    wire: Wire
    jobs: ActiveLister
    users: UserReader
    snapshots: Snapshots
    now: Clock
    new_secret: NewId
