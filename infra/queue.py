"""The jobs queue, and the queue of messages that nobody could deal with."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from common.sizing import SPARE_DELIVERIES, TIMEOUTS


class JobsQueue(Construct):
    """A standard queue of job ids with its dead-letter queue."""

    def __init__(
        self, scope: Construct, construct_id: str, *, attempts_max: int, tls_only: bool
    ) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters = sqs.Queue(
            self,
            "DeadLetters",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=tls_only,
            retention_period=Duration.days(14),
        )
        self.jobs = sqs.Queue(
            self,
            "Jobs",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=tls_only,
            # As long as it can be: a long outage of the model must not run messages out.
            retention_period=Duration.days(14),
            visibility_timeout=Duration.seconds(TIMEOUTS.visibility_seconds),
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=self.dead_letters, max_receive_count=attempts_max + SPARE_DELIVERIES
            ),
        )
