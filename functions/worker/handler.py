"""SQS deliveries, one job each."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from common.errors import ServiceFailed
from common.metrics import UNEXPECTED_ERRORS
from common.observability import about, count, logger, observed
from common.wiring.worker import services
from functions.worker.generate_image import Again, Delivery, generate_image


class DeliveryFailed(Exception):
    """Tells the batch processor that the message is to come again."""


def handle(record: SQSRecord) -> None:
    """Work on one message. Raises DeliveryFailed, or whatever a bug raises, to see it again."""
    given = services()
    try:
        delivery = _delivery(record)
        about(job_id=delivery.job_id)
        outcome = generate_image(delivery, given)
    except Exception:
        # The batch processor fails the message and says nothing of why.
        logger.exception("unexpected error")
        count(UNEXPECTED_ERRORS)
        raise
    if isinstance(outcome, Again):
        try:
            given.queue.hide(record.receipt_handle, seconds=outcome.seconds)
        except ServiceFailed as error:
            # It comes again at its usual time, or not at all if another delivery acknowledged it.
            logger.warning("not hidden", reason=error.message)
        raise DeliveryFailed(f"again in {outcome.seconds} s")


def _delivery(record: SQSRecord) -> Delivery:
    body = json.loads(record.body)
    job_id: str = body["job_id"]
    sent_ms = int(record.attributes.sent_timestamp)
    return Delivery(
        job_id=job_id,
        user_id=record.attributes.message_group_id or job_id,
        sending=body.get("sending"),
        message_id=record.message_id,
        sent_at=datetime.fromtimestamp(sent_ms / 1000, UTC),
    )


@observed
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Lambda's entry point: names the messages that failed, acknowledges the others."""
    # One for each invocation: it keeps what failed.
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    return dict(
        process_partial_response(
            event=event, record_handler=handle, processor=processor, context=context
        )
    )
