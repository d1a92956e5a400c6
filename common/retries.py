"""Every retry of ours: what it is for, how often, how long, and with what jitter.

botocore retries its own calls (see `common.aws.clients`), but never a model call,
since a read timeout may have cost an image.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_random,
    wait_random_exponential,
)

from common.errors import ModelFailed, ModelThrottled

BACKOFF_SECONDS_FIRST = 5
BACKOFF_SECONDS_MAX = 300


class WriteConflict(Exception):
    """Two transactions met on one item; DynamoDB asks to try again."""


def conflict_retrying(sleep: Callable[[float], None]) -> Retrying:
    """A transaction that met another: up to 10 tries in 5 seconds, quick at first."""
    return Retrying(
        retry=retry_if_exception_type(WriteConflict),
        stop=stop_after_attempt(10) | stop_after_delay(5),
        wait=wait_random_exponential(multiplier=0.02, max=0.8),
        sleep=sleep,
        reraise=True,
    )


def model_retrying(sleep: Callable[[float], None], *, seconds_max: float) -> Retrying:
    """A model call that failed or was throttled: up to 3 starts, each in a slot of its own.

    `seconds_max` bounds when the last may begin. A timeout is not tried again here: it has used up
    the function's time, and maybe paid for an image.
    """
    return Retrying(
        retry=retry_if_exception_type((ModelFailed, ModelThrottled)),
        stop=stop_after_attempt(3) | stop_after_delay(seconds_max),
        wait=wait_random(0, 1),
        sleep=sleep,
        reraise=True,
    )


def redelivery_seconds(attempts: int) -> int:
    """How long a job rests after its n-th attempt: 5 s, 25 s, 125 s, at most 5 minutes."""
    return min(BACKOFF_SECONDS_MAX, int(math.pow(BACKOFF_SECONDS_FIRST, attempts)))
