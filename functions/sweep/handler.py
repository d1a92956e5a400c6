"""The sweep, each minute: what nobody else would finish is finished here."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from common import wiring
from common.observability import logger, observed
from functions.sweep.heal_payments import heal_payments
from functions.sweep.mend_jobs import mend_jobs

services = wiring.sweep_services


@observed
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 - Lambda's
    """Lambda's entry point: sweeps once, and says how much there was.

    Jobs come first, which take moments; VNPAY may take all the time that is left.
    """
    given = services()

    def seconds_left() -> float:
        left: float = context.get_remaining_time_in_millis() / 1000
        return left

    try:
        mended = mend_jobs(given, seconds_left=seconds_left)
    finally:
        asked = heal_payments(given, seconds_left=seconds_left)
    swept = {**asdict(mended), "payments_asked": asked}
    logger.info("swept", **swept)
    return swept
