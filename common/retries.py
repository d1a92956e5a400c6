"""Every retry of ours: what it is for, how often, how long, and with what jitter.

botocore retries its own calls (see `common.aws.clients`), but never a model call,
since a read timeout may have cost an image.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from common.errors import ModelFailed, ModelThrottled

if TYPE_CHECKING:
    from tenacity import Retrying

BACKOFF_SECONDS_FIRST = 5
BACKOFF_SECONDS_MAX = 300


class WriteConflict(Exception):
    """Two transactions met on one item; DynamoDB asks to try again."""


def conflict_retrying(sleep: Callable[[float], None]) -> Retrying:
    """A transaction that met another: up to 10 tries in 5 seconds, quick at first."""
    import tenacity as t  # noqa: PLC0415 - who only reads starts without it

    return t.Retrying(
        retry=t.retry_if_exception_type(WriteConflict),
        stop=t.stop_after_attempt(10) | t.stop_after_delay(5),
        wait=t.wait_random_exponential(multiplier=0.02, max=0.8),
        sleep=sleep,
        reraise=True,
    )


def model_retrying(sleep: Callable[[float], None], *, seconds_max: float) -> Retrying:
    """A model call that failed or was throttled: up to 3 starts, each in a slot of its own.

    `seconds_max` bounds when the last may begin. A timeout is not tried again here: it has used up
    the function's time, and maybe paid for an image.
    """
    import tenacity as t  # noqa: PLC0415 - as above

    return t.Retrying(
        retry=t.retry_if_exception_type((ModelFailed, ModelThrottled)),
        stop=t.stop_after_attempt(3) | t.stop_after_delay(seconds_max),
        wait=t.wait_random(0, 1),
        sleep=sleep,
        reraise=True,
    )


def redelivery_seconds(attempts: int) -> int:
    """How long a job rests after its n-th attempt: 5 s, 25 s, 125 s, at most 5 minutes."""
    return min(BACKOFF_SECONDS_MAX, int(math.pow(BACKOFF_SECONDS_FIRST, attempts)))
