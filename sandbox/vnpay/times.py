"""VNPAY's times: `yyyyMMddHHmmss` in GMT+7, whatever the machine's zone (VNPAY, page PAY)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

GMT7 = timezone(timedelta(hours=7))
_FORMAT = "%Y%m%d%H%M%S"


def now_utc() -> datetime:
    """The time, for whoever is not given another clock."""
    return datetime.now(UTC)


def stamp(at: datetime) -> str:
    """The time as VNPAY writes it; `at` has a zone."""
    return at.astimezone(GMT7).strftime(_FORMAT)


def moment(text: str) -> datetime:
    """The time that VNPAY's 14 digits mean; raises ValueError when they are none."""
    # strptime also takes "2026 1 1…" and digits of other scripts.
    if not re.fullmatch(r"[0-9]{14}", text):
        raise ValueError("not 14 digits")
    return datetime.strptime(text, _FORMAT).replace(tzinfo=GMT7)


def shown(at: datetime | None) -> str | None:
    """The time for people who read the state: ISO 8601 in GMT+7."""
    return None if at is None else at.astimezone(GMT7).isoformat(timespec="milliseconds")
