"""The dead-letter queue as an operator reads it.

SQS shows a message only to whoever receives it, and hides it from everybody else for a while. So a
reading receives all there are, and gives those that it has not deleted back when it ends. Should it
die before, they come back by themselves.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from common.aws.errors import service_errors
from common.errors import ServiceFailed

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

LETTERS_MAX = 10_000
"""Messages that one reading takes at most."""
HIDDEN_SECONDS = 300
"""How long a message is kept from other readers: enough to read 10,000 from far away."""
WAIT_SECONDS = 1
EMPTY_MAX = 2
"""How often in a row SQS must have nothing new: one answer may leave out another server's."""
BATCH = 10
"""What SQS takes and gives at a time."""

_JOB_ID = re.compile(r"job_[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message in the dead-letter queue, as it was received."""

    message_id: str
    receipt_handle: str = field(repr=False, compare=False)
    """What this reading, and no other, deletes it by."""
    body: str
    sent_at: datetime
    """When it was first sent, to whichever queue."""

    @property
    def job_id(self) -> str | None:
        """The job that it brings; None: it is no message of ours."""
        try:
            values = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        job_id = values.get("job_id") if isinstance(values, dict) else None
        return job_id if isinstance(job_id, str) and _JOB_ID.fullmatch(job_id) else None


class Reading(Protocol):
    """What was read, and may be deleted until the reading ends."""

    @property
    def letters(self) -> Sequence[Letter]:
        """The messages, the oldest first."""

    @property
    def complete(self) -> bool:
        """Whether that is all of them, but those that another reader has."""

    def delete(self, letters: Collection[Letter]) -> frozenset[str]:
        """Delete messages; answers the ids of those that were.

        Another reader may have deleted one, or have it now: that is no error. Raises ServiceFailed.
        """


class LetterBox(Protocol):
    """The dead-letter queue."""

    def reading(self) -> AbstractContextManager[Reading]:
        """Read all of it, and give back at the end what is left. Raises ServiceFailed."""


class DeadLetters:
    """The dead-letter queue on SQS."""

    def __init__(self, client: SQSClient, *, queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    @contextmanager
    def reading(self) -> Iterator[SqsReading]:
        """Receive until nothing new comes, and make visible again what is left, come what may."""
        held: dict[str, Letter] = {}
        try:
            complete = self._receive_all(held)
            yield SqsReading(self._client, self._queue_url, held, complete=complete)
        finally:
            # Whatever cannot be given back comes back by itself.
            with contextlib.suppress(ServiceFailed):
                self._give_back(held)

    def _receive_all(self, held: dict[str, Letter]) -> bool:
        """Fill `held`, by message id; answers whether that is all."""
        empty = 0
        while empty < EMPTY_MAX:
            if len(held) >= LETTERS_MAX:
                return False
            with service_errors("Reading the dead-letter queue"):
                answer = self._client.receive_message(
                    QueueUrl=self._queue_url,
                    MaxNumberOfMessages=BATCH,
                    VisibilityTimeout=HIDDEN_SECONDS,
                    WaitTimeSeconds=WAIT_SECONDS,
                    MessageSystemAttributeNames=["SentTimestamp"],
                )
            known = len(held)
            # One that comes twice is deleted by the receipt of the last time.
            held.update({each["MessageId"]: _letter(each) for each in answer.get("Messages", [])})
            empty = empty + 1 if len(held) == known else 0
        return True

    def _give_back(self, held: dict[str, Letter]) -> None:
        for some in _batches(held.values()):
            with service_errors("Giving messages back"):
                self._client.change_message_visibility_batch(
                    QueueUrl=self._queue_url,
                    Entries=[
                        {
                            "Id": str(number),
                            "ReceiptHandle": letter.receipt_handle,
                            "VisibilityTimeout": 0,
                        }
                        for number, letter in enumerate(some)
                    ],
                )


class SqsReading:
    """Messages of the queue on SQS that nobody else sees at the moment."""

    def __init__(
        self, client: SQSClient, queue_url: str, held: dict[str, Letter], *, complete: bool
    ) -> None:
        """`held` is what is still to be given back: what is deleted here leaves it."""
        self._client = client
        self._queue_url = queue_url
        self._held = held
        self.letters = oldest_first(held.values())
        self.complete = complete

    def delete(self, letters: Collection[Letter]) -> frozenset[str]:
        """Delete in batches; a receipt that is no good any more is another reader's now."""
        deleted: set[str] = set()
        for some in _batches(letters):
            with service_errors("Deleting a message"):
                answer = self._client.delete_message_batch(
                    QueueUrl=self._queue_url,
                    Entries=[
                        {"Id": str(number), "ReceiptHandle": letter.receipt_handle}
                        for number, letter in enumerate(some)
                    ],
                )
            done = {some[int(each["Id"])].message_id for each in answer.get("Successful", [])}
            deleted |= done
            for message_id in done:
                self._held.pop(message_id, None)
            broken = [each for each in answer.get("Failed", []) if not each["SenderFault"]]
            if broken:
                raise ServiceFailed(f"Deleting a message did not work: {broken[0]['Code']}.")
        return frozenset(deleted)


def oldest_first(letters: Collection[Letter]) -> tuple[Letter, ...]:
    """The order in which messages are shown and dealt with."""
    return tuple(sorted(letters, key=lambda letter: (letter.sent_at, letter.message_id)))


def _batches(letters: Collection[Letter]) -> Iterator[Sequence[Letter]]:
    left = list(letters)
    while left:
        yield left[:BATCH]
        left = left[BATCH:]


def _letter(message: MessageTypeDef) -> Letter:
    sent_ms = int(message["Attributes"]["SentTimestamp"])
    return Letter(
        message_id=message["MessageId"],
        receipt_handle=message["ReceiptHandle"],
        body=message["Body"],
        sent_at=datetime.fromtimestamp(sent_ms / 1000, UTC),
    )
