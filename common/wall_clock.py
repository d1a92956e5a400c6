"""The machine's clock; whoever needs the time is given one, and outside tests it is this."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def utc_now() -> datetime:
    """Now, aware and in UTC."""
    return datetime.now(UTC)


def now_us() -> int:
    """Now, in microseconds since the epoch."""
    return time.time_ns() // 1000
