"""Push what has changed to the sockets of whoever it concerns, and to nobody else's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial

from common.api import balance_view
from common.api_feed import BalanceMessage, JobMessage, Message
from common.changes import Change, JobChanged
from common.errors import ServiceFailed
from common.feed import Socket
from common.observability import count, logger
from common.push import Pushed, push
from common.services.push import PushServices


def push_changes(changes: Sequence[Change], pushing: PushServices) -> None:
    """Tell each user's sockets of that user's changes, all sockets at the same time.

    Of several changes of the same thing only the last is told: it says all that the others said.
    Whatever fails is left, since a push that comes late is worth less than one that comes next.
    """
    latest = {change.subject: change for change in changes}
    by_user: defaultdict[str, list[Change]] = defaultdict(list)
    for change in latest.values():
        by_user[change.user_id].append(change)
    pushes: list[Callable[[], Pushed]] = []
    for user_id, own in by_user.items():
        sockets = _sockets_of(user_id, pushing)
        if sockets:
            messages = [_message(change, pushing) for change in own]
            pushes += [_push_to(socket, messages, pushing) for socket in sockets]
    for outcome in pushing.together(pushes):
        count(outcome.value)


def _sockets_of(user_id: str, pushing: PushServices) -> tuple[Socket, ...]:
    try:
        return pushing.sockets.of_user(user_id, now=pushing.now())
    except ServiceFailed as error:
        count(Pushed.FAILED.value)
        logger.warning("no sockets could be read", user_id=user_id, reason=error.message)
        return ()


def _message(change: Change, pushing: PushServices) -> Message:
    if isinstance(change, JobChanged):
        return JobMessage(job=pushing.snapshots.of(change.job))
    return BalanceMessage(balance=balance_view(change.balance))


def _push_to(
    socket: Socket, messages: Sequence[Message], pushing: PushServices
) -> Callable[[], Pushed]:
    return partial(push, socket.connection_id, messages, wire=pushing.wire, sockets=pushing.sockets)
