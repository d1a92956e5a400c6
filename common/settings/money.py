"""What those functions are told that book payments."""

from __future__ import annotations

from common.settings.base import Settings, Text


class MoneySettings(Settings):
    """Where payments and the credits that they buy are, and whose account they go to."""

    payments_table: Text
    users_table: Text
    ledger_table: Text
    vnpay_parameter: Text
    """The name of the SecureString in Parameter Store that holds the merchant's account."""
