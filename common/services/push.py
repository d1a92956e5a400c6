"""What `functions/push` works with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from common.changes import Change
    from common.ports import Clock, SocketStore, Wire
    from common.push import Pushed
    from common.snapshots import Snapshots


@dataclass(frozen=True, slots=True, kw_only=True)
class PushServices:
    """What `functions/push` works with."""

    read: Callable[[Mapping[str, Any]], Sequence[Change]]
    """What a stream's event says has changed."""
    sockets: SocketStore
    wire: Wire
    snapshots: Snapshots
    together: Callable[[Sequence[Callable[[], Pushed]]], list[Pushed]]
    """Does all of it, none waiting for another."""
    now: Clock
