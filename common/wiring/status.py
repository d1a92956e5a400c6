"""Status's services."""

from __future__ import annotations

import os
import time
from functools import cache

from common.services.status import StatusServices
from common.settings.status import StatusSettings
from common.wall_clock import utc_now
from common.wiring import parts


@cache
def services() -> StatusServices:
    """Made once, from the environment."""
    settings = StatusSettings.from_env(os.environ)
    return StatusServices(
        settings=settings,
        jobs=parts.jobs(settings),
        snapshots=parts.snapshots(settings),
        now=utc_now,
        sleep=time.sleep,
    )
