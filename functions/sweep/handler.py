"""The sweep, each minute: what nobody else would finish is finished here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from common.observability import logger, observed
from common.wiring.sweep import services
from functions.sweep.heal_payments import heal_payments
from functions.sweep.mend_jobs import mend_jobs
from functions.sweep.watch_models import watch_models


@observed
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 - Lambda's
    """Lambda's entry point: sweeps once, and says how much there was.

    One duty that fails does not keep the others from being done; then the whole has failed. Jobs
    come first, which take moments; VNPAY may take all the time that is left.
    """
    given = services()

    def seconds_left() -> float:
        left: float = context.get_remaining_time_in_millis() / 1000
        return left

    duties: dict[str, Callable[[], dict[str, int]]] = {
        "models": lambda: {"models_away": watch_models(given)},
        "jobs": lambda: asdict(mend_jobs(given, seconds_left=seconds_left)),
        "payments": lambda: {"payments_asked": heal_payments(given, seconds_left=seconds_left)},
    }
    swept: dict[str, Any] = {}
    failed: list[Exception] = []
    for name, do in duties.items():
        try:
            swept |= do()
        except Exception as error:  # noqa: BLE001 - raised when the others have had their turn
            logger.exception("not swept", duty=name)
            failed.append(error)
    logger.info("swept", **swept)
    if failed:
        raise failed[0]
    return swept
