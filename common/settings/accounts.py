"""Accounts'."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from common.settings.base import Settings, Text


class AccountsSettings(Settings):
    """What `functions/accounts` needs."""

    users_table: Text
    ledger_table: Text
    welcome_credits: Annotated[int, Field(ge=0)] = 10
    """What a new user is given; 0 gives nothing."""
