"""People, as the tables know them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from common.credits import Balance


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person, known by a verified, normalised e-mail address."""

    user_id: str
    email: str
    created_at: datetime
    balance: Balance
