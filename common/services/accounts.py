"""What `functions/accounts` works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from common.ports import Clock, LedgerReader, NewId, UserStore
    from common.settings.accounts import AccountsSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountsServices:
    """What `functions/accounts` works with."""

    settings: AccountsSettings
    users: UserStore
    ledger: LedgerReader
    now: Clock
    new_id: NewId
