"""Answer a client that wants to know how things are: after connecting, and whenever it asks.

A client asks first, as nothing can be sent to a socket before its handshake has been answered.
"""

from __future__ import annotations

from collections.abc import Iterator

from common.api import balance_view
from common.api_feed import BalanceMessage, JobMessage, Message, RefreshedMessage
from common.feed import ACTIVE_SHOWN_MAX
from common.observability import count
from common.push import push
from common.services.feed import FeedServices


def refresh(connection_id: str, feed: FeedServices) -> None:
    """Send the user's active jobs, the balance, and then that this was all.

    A socket that is not known is closed, so that its client comes again with a ticket.
    """
    socket = feed.sockets.get(connection_id)
    if socket is None:
        feed.wire.close(connection_id)
        return
    messages = _state_of(socket.user_id, feed)
    outcome = push(connection_id, messages, wire=feed.wire, sockets=feed.sockets)
    count(outcome.value)


def _state_of(user_id: str, feed: FeedServices) -> Iterator[Message]:
    active = feed.jobs.active(user_id, limit=ACTIVE_SHOWN_MAX)
    for job in active:
        yield JobMessage(job=feed.snapshots.of(job))
    user = feed.users.get(user_id)
    if user is not None:
        yield BalanceMessage(balance=balance_view(user.balance))
    yield RefreshedMessage(active=[job.job_id for job in active])
