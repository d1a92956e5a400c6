"""SQS deliveries: what is acknowledged, what comes again, and when."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from common.errors import ModelThrottled, ModelTimedOut, ServiceFailed
from common.jobs import JobStatus
from functions.worker.handler import handler
from tests.fakes import MemoryImages, MemoryJobStore, MemoryQueue, Message
from tests.fakes_model import FakeModel
from tests.handlers.calls import Context, event
from tests.world import World

ACKNOWLEDGED: dict[str, Any] = {"batchItemFailures": []}


def delivered(message: Message | None, **changes: str) -> dict[str, Any]:
    """The handler's answer to the delivery of a message."""
    sent = event("sqs")
    (record,) = sent["Records"]
    if message is not None:
        record["messageId"] = message.message_id
        record["receiptHandle"] = message.receipt_handle
        record["body"] = json.dumps({"job_id": message.job_id})
    record.update(changes)
    return handler(sent, Context())


def failed(*message_ids: str) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": name} for name in message_ids]}


def test_a_job_that_is_done_is_acknowledged(world: World, written: Callable[[], str]) -> None:
    job = world.submitted()
    assert delivered(world.next_message()) == ACKNOWLEDGED
    assert world.job(job.job_id).status is JobStatus.SUCCEEDED
    logged = written()
    assert "JobsSucceeded" in logged
    assert "ModelLatency" in logged
    assert job.request.prompt not in logged


def test_an_attempt_that_failed_comes_again_after_its_rest(world: World) -> None:
    world.model = FakeModel(ModelTimedOut("No answer."))
    job = world.submitted()
    message = world.next_message()
    assert delivered(message) == failed(message.message_id)
    asked = world.clock()
    again = world.next_message()
    assert again.message_id == message.message_id
    assert (world.clock() - asked).total_seconds() == pytest.approx(5, abs=1)
    assert delivered(again) == ACKNOWLEDGED
    assert world.job(job.job_id).status is JobStatus.SUCCEEDED


def test_a_job_that_waits_is_acknowledged_and_comes_as_another_message(world: World) -> None:
    world.model = FakeModel(*[ModelThrottled("Too many.", retry_after_seconds=5)] * 3)
    world.submitted()
    message = world.next_message()
    assert delivered(message) == ACKNOWLEDGED
    world.queue.delete(message.receipt_handle)
    assert world.next_message().message_id != message.message_id


@pytest.mark.parametrize(
    "body", ["", "no json", "[]", "{}", "null", '{"job_id": 7}', '{"job_id": "job_none"}']
)
def test_a_message_that_makes_no_sense_fails_and_harms_nothing(world: World, body: str) -> None:
    assert delivered(None, body=body) == failed("message-1")
    assert world.model.calls == []


class BuggyImages(MemoryImages):
    """A store with a bug in it."""

    def put(self, *_args: object, **_kwargs: object) -> None:  # type: ignore[override]
        raise RuntimeError("a bug")


def test_a_bug_fails_the_message_and_the_job_can_be_finished_later(
    world: World, written: Callable[[], str]
) -> None:
    job = world.submitted()
    images, world.images = world.images, BuggyImages()
    message = world.next_message()
    assert delivered(message) == failed(message.message_id)
    assert "a bug" in written()
    world.images = images
    assert world.work_until_terminal(job.job_id).status is JobStatus.SUCCEEDED
    world.audit()


class BrokenJobs(MemoryJobStore):
    """A store that does not answer."""

    def get(self, job_id: str) -> None:
        raise ServiceFailed(f"Reading {job_id} did not work.")


def test_a_store_that_does_not_answer_puts_the_message_off_without_end(world: World) -> None:
    job = world.submitted()
    jobs, world.jobs = world.jobs, BrokenJobs(world.tables)
    for _outage in range(20):
        message = world.next_message()
        assert message.receive_count == 1, "nothing brings it nearer to the dead letters"
        assert delivered(message) == ACKNOWLEDGED
        world.queue.delete(message.receipt_handle)
    world.jobs = jobs
    assert world.work_until_terminal(job.job_id).status is JobStatus.SUCCEEDED


class StuckQueue(MemoryQueue):
    """A queue whose messages cannot be hidden."""

    def hide(self, receipt_handle: str, *, seconds: int) -> None:  # noqa: ARG002 - the port's
        raise ServiceFailed("Hiding a message did not work.")


def test_a_message_that_cannot_be_hidden_comes_again_at_its_usual_time(world: World) -> None:
    world.model = FakeModel(ModelTimedOut("No answer."))
    world.queue = StuckQueue(world.clock)
    world.submitted()
    message = world.next_message()
    assert delivered(message) == failed(message.message_id)
    asked = world.clock()
    assert world.next_message().message_id == message.message_id
    assert (world.clock() - asked).total_seconds() > 100


class FullQueue(MemoryQueue):
    """A queue that takes no more messages after the first."""

    def send(
        self, job_id: str, user_id: str, *, sending: int | None, delay_seconds: int = 0
    ) -> None:
        if self.sent:
            raise ServiceFailed("Sending a job did not work.")
        super().send(job_id, user_id, sending=sending, delay_seconds=delay_seconds)


def test_a_job_that_cannot_be_put_off_keeps_its_message(
    world: World, written: Callable[[], str]
) -> None:
    world.queue = FullQueue(world.clock)
    job = world.submitted()
    message = world.next_message()
    jobs, world.jobs = world.jobs, BrokenJobs(world.tables)
    assert delivered(message) == failed(message.message_id)
    world.jobs = jobs
    assert "not put off" in (logged := written())
    assert "unexpected error" not in logged
    assert world.work_until_terminal(job.job_id).status is JobStatus.SUCCEEDED


def test_of_several_messages_only_the_failed_ones_come_again(world: World) -> None:
    world.submitted()
    good = world.next_message()
    sent = event("sqs")
    (record,) = sent["Records"]
    sent["Records"] = [
        {**record, "messageId": "bad-1", "body": "no json"},
        {**record, "messageId": good.message_id, "receiptHandle": good.receipt_handle},
        {**record, "messageId": "bad-2", "body": "{}"},
    ]
    assert handler(sent, Context()) == failed("bad-1", "bad-2")
    assert len(world.model.calls) == 1


def test_one_invocation_leaves_nothing_for_the_next(
    world: World, written: Callable[[], str]
) -> None:
    world.submitted()
    delivered(world.next_message())
    written()
    delivered(None, body="{}")
    assert "job_5e247afc" not in written()
