"""The sweep's services."""

from __future__ import annotations

import os
from functools import cache

from common.services.sweep import SweepServices
from common.settings.sweep import SweepSettings
from common.vnpay_gateway import HttpGateway
from common.wall_clock import utc_now
from common.wiring import money_parts, parts
from common.wiring.ids import new_id


@cache
def services() -> SweepServices:
    """Made once, from the environment."""
    settings = SweepSettings.from_env(os.environ)
    return SweepServices(
        settings=settings,
        jobs=parts.jobs(settings, acts_table=settings.acts_table),
        queue=parts.queue(settings.home_region, url=settings.queue_url),
        images=parts.images(settings),
        lines=parts.lines(settings),
        payments=money_parts.payments(settings),
        gateway=HttpGateway(money_parts.merchant(settings)),
        now=utc_now,
        new_id=new_id,
    )
