"""What the feed says, and the ticket to it: bodies of the API, like those in `common.api`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from common.api import BalanceView, Body, JobView


class TicketView(Body):
    """A ticket: connect to the feed with `?ticket=` and this, once, until it expires."""

    ticket: str
    expires_at: datetime
    keep_alive_seconds: int
    """Send something at least this often, or the socket is closed."""
    hand_over_seconds: int
    """Open the next socket when one is so old."""


class JobMessage(Body):
    """A job as it is now."""

    type: Literal["job"] = "job"
    job: JobView


class BalanceMessage(Body):
    """The user's balance as it is now."""

    type: Literal["balance"] = "balance"
    balance: BalanceView


class RefreshedMessage(Body):
    """The end of an answer to `refresh`."""

    type: Literal["refreshed"] = "refreshed"
    active: list[str]
    """The ids of the user's latest jobs that are not terminal; any other that a client follows has
    ended, most likely, and is worth a look."""


Message = JobMessage | BalanceMessage | RefreshedMessage
