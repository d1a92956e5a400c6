"""The push's services."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from common.aws.clients import PUSHES_AT_ONCE
from common.aws.streams import changes
from common.services.push import PushServices
from common.settings.push import PushSettings
from common.wall_clock import utc_now
from common.wiring import feed_parts, parts

Result = TypeVar("Result")


def together(to_do: Sequence[Callable[[], Result]]) -> list[Result]:
    """Do all of it on threads, a few at a time; raises what the first that fails raises."""
    with ThreadPoolExecutor(PUSHES_AT_ONCE, "push") as threads:
        return list(threads.map(lambda do: do(), to_do))


@cache
def services() -> PushServices:
    """Made once, from the environment."""
    settings = PushSettings.from_env(os.environ)
    return PushServices(
        read=changes,
        sockets=feed_parts.connections(settings),
        wire=feed_parts.wire(settings),
        snapshots=parts.snapshots(settings),
        together=together,
        now=utc_now,
    )
