"""Submit's services."""

from __future__ import annotations

import os
import time
from functools import cache

from common.services.submit import SubmitServices
from common.settings.submit import SubmitSettings
from common.wall_clock import utc_now
from common.wiring import parts
from common.wiring.ids import new_id


@cache
def services() -> SubmitServices:
    """Made once, from the environment."""
    settings = SubmitSettings.from_env(os.environ)
    return SubmitServices(
        settings=settings,
        jobs=parts.jobs(settings),
        queue=parts.queue(settings.home_region, url=settings.queue_url),
        snapshots=parts.snapshots(settings),
        now=utc_now,
        new_id=new_id,
        sleep=time.sleep,
    )
