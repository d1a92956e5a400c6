"""The job queue on SQS: a message holds a job id, and which sending of the job it belongs to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from common.aws.errors import service_errors

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

DELAY_SECONDS_MAX = 900


class SqsJobQueue:
    """A standard queue whose message groups are users, so that fair queues can tell them apart."""

    def __init__(self, client: SQSClient, *, queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def send(
        self, job_id: str, user_id: str, *, sending: int | None, delay_seconds: int = 0
    ) -> None:
        """Send the job id."""
        body = {"job_id": job_id} if sending is None else {"job_id": job_id, "sending": sending}
        with service_errors("Sending a job"):
            self._client.send_message(
                QueueUrl=self._queue_url,
                MessageBody=json.dumps(body),
                MessageGroupId=user_id,
                DelaySeconds=min(DELAY_SECONDS_MAX, delay_seconds),
            )

    def hide(self, receipt_handle: str, *, seconds: int) -> None:
        """Change how long the message stays invisible."""
        with service_errors("Hiding a message"):
            self._client.change_message_visibility(
                QueueUrl=self._queue_url,
                ReceiptHandle=receipt_handle,
                VisibilityTimeout=seconds,
            )
