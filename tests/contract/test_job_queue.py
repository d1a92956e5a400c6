from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import pytest

from common.aws.sqs_queue import SqsJobQueue
from common.ports import JobQueue
from tests.contract.backends import VISIBILITY_SECONDS, Aws
from tests.fakes import ManualClock, MemoryQueue

LONG_SECONDS = 5
"""Longer than any delay below, and much shorter than the queue's visibility timeout."""
assert LONG_SECONDS < VISIBILITY_SECONDS


@dataclass(frozen=True)
class Delivery:
    job_id: str
    user_id: str
    receipt_handle: str
    receive_count: int
    sending: int | None


class Receiver(Protocol):
    """What takes messages from the queue, as the event source does."""

    def receive(self, within_seconds: float = LONG_SECONDS) -> Delivery | None: ...

    def delete(self, receipt_handle: str) -> None: ...


class MemoryReceiver:
    def __init__(self, queue: MemoryQueue, clock: ManualClock) -> None:
        self._queue = queue
        self._clock = clock

    def receive(self, within_seconds: float = LONG_SECONDS) -> Delivery | None:
        message = self._queue.receive()
        if message is None and within_seconds:
            self._clock.advance(within_seconds)
            message = self._queue.receive()
        if message is None:
            return None
        return Delivery(
            message.job_id,
            message.user_id,
            message.receipt_handle,
            message.receive_count,
            message.sending,
        )

    def delete(self, receipt_handle: str) -> None:
        self._queue.delete(receipt_handle)


class SqsReceiver:
    def __init__(self, aws: Aws, queue_url: str) -> None:
        self._sqs = aws.sqs
        self._queue_url = queue_url

    def receive(self, within_seconds: float = LONG_SECONDS) -> Delivery | None:
        give_up = time.monotonic() + within_seconds
        while True:
            answer = self._sqs.receive_message(
                QueueUrl=self._queue_url, MessageSystemAttributeNames=["All"], WaitTimeSeconds=0
            )
            for message in answer.get("Messages", []):
                body = json.loads(message["Body"])
                assert list(body) in (["job_id"], ["job_id", "sending"])
                return Delivery(
                    body["job_id"],
                    message["Attributes"]["MessageGroupId"],
                    message["ReceiptHandle"],
                    int(message["Attributes"]["ApproximateReceiveCount"]),
                    body.get("sending"),
                )
            if time.monotonic() >= give_up:
                return None
            time.sleep(0.05)

    def delete(self, receipt_handle: str) -> None:
        self._sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=receipt_handle)


@dataclass(frozen=True)
class Ends:
    """Both ends of one queue."""

    queue: JobQueue
    receiver: Receiver


@pytest.fixture
def ends(backend: Aws | None, fresh: Callable[[str], str]) -> Ends:
    if backend is None:
        clock = ManualClock()
        queue = MemoryQueue(clock, visibility_seconds=VISIBILITY_SECONDS)
        return Ends(queue, MemoryReceiver(queue, clock))
    queue_url = backend.new_queue(fresh("jobs"))
    return Ends(SqsJobQueue(backend.sqs, queue_url=queue_url), SqsReceiver(backend, queue_url))


def test_a_job_id_is_delivered_with_its_user_as_group(ends: Ends) -> None:
    ends.queue.send("job_1", "ann", sending=1)
    delivery = ends.receiver.receive()
    assert delivery is not None
    assert (delivery.job_id, delivery.user_id, delivery.receive_count) == ("job_1", "ann", 1)


@pytest.mark.parametrize("sending", [1, 7, None])
def test_a_message_says_which_sending_of_its_job_it_belongs_to(
    ends: Ends, sending: int | None
) -> None:
    ends.queue.send("job_1", "ann", sending=sending)
    delivery = ends.receiver.receive()
    assert delivery is not None
    assert delivery.sending == sending


def test_what_is_acknowledged_does_not_come_back(ends: Ends) -> None:
    ends.queue.send("job_1", "ann", sending=1)
    delivery = ends.receiver.receive()
    assert delivery is not None
    ends.queue.hide(delivery.receipt_handle, seconds=0)
    again = ends.receiver.receive()
    assert again is not None
    ends.receiver.delete(again.receipt_handle)
    assert ends.receiver.receive(0) is None


def test_each_send_is_delivered(ends: Ends) -> None:
    for job_id in ("job_1", "job_2", "job_1"):
        ends.queue.send(job_id, "ann", sending=1)
    found: list[str] = []
    while len(found) < 3 and (delivery := ends.receiver.receive()):
        found.append(delivery.job_id)
    assert sorted(found) == ["job_1", "job_1", "job_2"]


def test_a_delayed_job_is_not_delivered_before_its_time(ends: Ends) -> None:
    ends.queue.send("job_1", "ann", sending=1, delay_seconds=2)
    assert ends.receiver.receive(0) is None
    delivery = ends.receiver.receive()
    assert delivery is not None
    assert delivery.job_id == "job_1"


@pytest.mark.parametrize("delay_seconds", [900, 901, 6 * 3600])
def test_the_longest_delay_is_taken_for_any_that_is_longer(ends: Ends, delay_seconds: int) -> None:
    ends.queue.send("job_1", "ann", sending=1, delay_seconds=delay_seconds)
    assert ends.receiver.receive(0) is None
    if isinstance(ends.receiver, MemoryReceiver):
        assert ends.receiver.receive(899) is None
        assert ends.receiver.receive(1) is not None


def test_a_received_job_is_hidden_from_others(ends: Ends) -> None:
    ends.queue.send("job_1", "ann", sending=1)
    assert ends.receiver.receive() is not None
    assert ends.receiver.receive(0) is None


def test_a_job_hidden_briefly_comes_back_soon(ends: Ends) -> None:
    ends.queue.send("job_1", "ann", sending=1)
    first = ends.receiver.receive()
    assert first is not None
    ends.queue.hide(first.receipt_handle, seconds=2)
    assert ends.receiver.receive(0) is None
    second = ends.receiver.receive()
    assert second is not None
    assert (second.job_id, second.receive_count) == ("job_1", 2)
