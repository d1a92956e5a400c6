"""The worker's services."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from functools import cache

from common.aws import clients
from common.aws.bedrock import BedrockModels
from common.pacing import Pacer
from common.services.worker import WorkerServices
from common.settings.worker import WorkerSettings
from common.wall_clock import now_us, utc_now
from common.wiring import parts
from common.wiring.ids import new_id


def aside(do: Callable[[], None]) -> None:
    """Do it on a thread of its own; it ends long before the model call that goes on beside it."""
    threading.Thread(target=do, name="aside").start()


@cache
def services() -> WorkerServices:
    """Made once, from the environment, with a Bedrock client for each route's region."""
    settings = WorkerSettings.from_env(os.environ)
    bedrock = {
        route.region: clients.bedrock_runtime(route.region, settings.model_read_seconds)
        for route in settings.routes
    }
    return WorkerServices(
        settings=settings,
        jobs=parts.jobs(settings),
        queue=parts.queue(settings.home_region, url=settings.queue_url),
        images=parts.images(settings),
        models=BedrockModels(bedrock),
        pacer=Pacer(
            parts.lines(settings),
            now_us=now_us,
            sleep=time.sleep,
            aside=aside,
            wait_seconds_max=settings.slot_wait_seconds_max,
        ),
        now=utc_now,
        new_id=new_id,
        sleep=time.sleep,
    )
