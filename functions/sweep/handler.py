"""The sweep, each minute: what nobody else would finish is finished here."""

from __future__ import annotations

from typing import Any

from common import wiring
from common.observability import logger, observed
from functions.sweep.heal_payments import heal_payments

services = wiring.sweep_services


@observed
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 - Lambda's
    """Lambda's entry point: sweeps once, and says how much there was."""
    number = heal_payments(
        services(), seconds_left=lambda: context.get_remaining_time_in_millis() / 1000
    )
    logger.info("swept", payments_asked=number)
    return {"payments_asked": number}
