"""Payments' services."""

from __future__ import annotations

import os
from functools import cache

from common.services.payments import PaymentsServices
from common.settings.payments import PaymentsSettings
from common.wall_clock import utc_now
from common.wiring import money_parts
from common.wiring.ids import new_id


@cache
def services() -> PaymentsServices:
    """Made once, from the environment."""
    settings = PaymentsSettings.from_env(os.environ)
    return PaymentsServices(
        settings=settings,
        payments=money_parts.payments(settings),
        merchant=money_parts.merchant(settings),
        now=utc_now,
        new_id=new_id,
    )
