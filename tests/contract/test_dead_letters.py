"""The dead-letter queue as an operator reads it: whole, and as it was when they are done."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from common.errors import ServiceFailed
from ops.stalled import dead_letters
from ops.stalled.dead_letters import DeadLetters, Letter, LetterBox
from tests.contract.backends import MOTO, Aws
from tests.fakes import ManualClock
from tests.fakes_dead_letters import MemoryDeadLetters

JOB_ID = "job_" + "0f" * 16
OURS = json.dumps({"job_id": JOB_ID})


@dataclass(frozen=True)
class Box:
    """The queue, what is done to it from outside, and its time."""

    letters: LetterBox
    put: Callable[[str], object]
    purge: Callable[[], None]
    wait: Callable[[float], None]
    now: Callable[[], datetime]


@pytest.fixture
def box(backend: Aws | None, fresh: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Box:
    if backend is None:
        clock = ManualClock()
        memory = MemoryDeadLetters(clock)
        return Box(memory, memory.put, memory.purge, clock.advance, clock)
    monkeypatch.setattr(dead_letters, "WAIT_SECONDS", 0)
    sqs, url = backend.sqs, backend.new_queue(fresh("dead"))
    return Box(
        DeadLetters(sqs, queue_url=url),
        lambda body: sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="ann"),
        lambda: (sqs.purge_queue(QueueUrl=url), None)[1],
        time.sleep,
        lambda: datetime.now(UTC),
    )


def bodies(box: Box) -> list[str]:
    with box.letters.reading() as reading:
        assert reading.complete
        return [letter.body for letter in reading.letters]


def test_everything_is_read_however_much_it_is(box: Box) -> None:
    sent = [f"message {number:02}" for number in range(25)]
    for body in sent:
        box.put(body)
    with box.letters.reading() as reading:
        assert sorted(letter.body for letter in reading.letters) == sent
        assert len({letter.message_id for letter in reading.letters}) == 25
        assert reading.complete
        moments = [letter.sent_at for letter in reading.letters]
    assert moments == sorted(moments)
    assert abs(moments[0] - box.now()) < timedelta(seconds=30)


def test_an_empty_queue_is_nothing_to_worry_about(box: Box) -> None:
    assert bodies(box) == []
    with box.letters.reading() as reading:
        assert reading.delete([]) == frozenset()


def test_what_was_only_read_is_there_for_the_next_reader_at_once(box: Box) -> None:
    for number in range(12):
        box.put(str(number))
    assert bodies(box) == bodies(box)
    assert len(bodies(box)) == 12


def test_only_what_was_deleted_is_gone(box: Box) -> None:
    for number in range(13):
        box.put(f"{number:02}")
    with box.letters.reading() as reading:
        unwanted = [each for each in reading.letters if each.body != "07"]
        deleted = reading.delete(unwanted)
    assert deleted == {each.message_id for each in unwanted}
    assert bodies(box) == ["07"]


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit, ValueError])
def test_whatever_ends_a_reading_gives_the_messages_back(
    box: Box, end: type[BaseException]
) -> None:
    box.put("one")
    with pytest.raises(end), box.letters.reading():
        raise end
    assert bodies(box) == ["one"]


def test_what_one_reader_has_another_does_not_see_and_cannot_give_back(box: Box) -> None:
    box.put("one")
    with box.letters.reading() as first:
        for _again in range(2):
            assert bodies(box) == []
        assert first.delete(first.letters)
    assert bodies(box) == []


def test_a_message_that_is_gone_is_no_error(box: Box) -> None:
    box.put("one")
    with box.letters.reading() as reading:
        box.purge()
        box.put("two")
        reading.delete(reading.letters)
        reading.delete(reading.letters)
    assert bodies(box) == ["two"]


def test_a_reading_that_took_too_long_ends_without_an_error(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "HIDDEN_SECONDS", 1)
    box.put("one")
    with box.letters.reading() as slow:
        box.wait(1.2)
        with box.letters.reading() as other:
            assert other.delete(other.letters)
        slow.delete(slow.letters)
    assert bodies(box) == []


def test_more_than_is_read_at_once_is_said_and_stays(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(25):
        box.put(str(number))
    monkeypatch.setattr(dead_letters, "LETTERS_MAX", 10)
    with box.letters.reading() as reading:
        assert (len(reading.letters), reading.complete) == (10, False)
    monkeypatch.setattr(dead_letters, "LETTERS_MAX", 100)
    assert len(bodies(box)) == 25


@pytest.mark.parametrize("backend", [MOTO], indirect=True)
def test_a_queue_that_does_not_answer_is_one_error_of_ours(backend: Aws) -> None:
    url = "https://sqs.ap-southeast-1.amazonaws.com/123456789012/nothing-here"
    letters = DeadLetters(backend.sqs, queue_url=url)
    with (
        pytest.raises(ServiceFailed, match="Reading the dead-letter queue"),
        letters.reading(),
    ):
        pytest.fail("there is nothing to read")


@pytest.mark.parametrize("backend", [MOTO], indirect=True)
def test_a_delete_that_aws_could_not_do_is_said_and_the_message_stays(
    backend: Aws, box: Box
) -> None:
    def broken(parsed: dict[str, Any], **_: object) -> None:
        """The answer of a queue that has troubles of its own."""
        box.put("one")  # for the one that moto has deleted
        failed = {"Id": "0", "SenderFault": False, "Code": "InternalError"}
        parsed.update({"Successful": [], "Failed": [failed]})

    backend.sqs.meta.events.register("after-call.sqs.DeleteMessageBatch", broken)
    box.put("one")
    with (
        pytest.raises(ServiceFailed, match="InternalError"),
        box.letters.reading() as reading,
    ):
        reading.delete(reading.letters)
    assert bodies(box) == ["one"]


@pytest.mark.parametrize("backend", [MOTO], indirect=True)
def test_one_answer_with_nothing_in_it_does_not_end_a_reading(backend: Aws, box: Box) -> None:
    answers = iter("12345")

    def another_server_has_one(**_: object) -> None:
        if next(answers) == "1":
            box.put("one")

    backend.sqs.meta.events.register("after-call.sqs.ReceiveMessage", another_server_has_one)
    assert bodies(box) == ["one"]


@pytest.mark.parametrize("backend", [MOTO], indirect=True)
def test_where_everything_was_deleted_nothing_is_given_back(backend: Aws, box: Box) -> None:
    def not_again(**_: object) -> None:
        pytest.fail("AWS is asked to give back what is gone")

    backend.sqs.meta.events.register("before-call.sqs.ChangeMessageVisibilityBatch", not_again)
    box.put("one")
    with box.letters.reading() as reading:
        reading.delete(reading.letters)
    assert bodies(box) == []


@pytest.mark.parametrize("backend", [MOTO], indirect=True)
def test_what_cannot_be_given_back_comes_back_by_itself(
    backend: Aws, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(**_: object) -> None:
        raise EndpointConnectionError(endpoint_url="sqs")

    monkeypatch.setattr(dead_letters, "HIDDEN_SECONDS", 1)
    backend.sqs.meta.events.register("before-call.sqs.ChangeMessageVisibilityBatch", unreachable)
    box.put("one")
    assert bodies(box) == ["one"]
    assert bodies(box) == []
    box.wait(1.2)
    assert bodies(box) == ["one"]


@pytest.mark.parametrize(
    ("body", "job_id"),
    [
        (OURS, JOB_ID),
        (json.dumps({"job_id": JOB_ID, "more": 1}), JOB_ID),
        ("", None),
        ("hello", None),
        ('{"job_id": ""}', None),
        ('{"job_id": "job_1"}', None),
        (json.dumps({"job_id": JOB_ID + "0"}), None),
        (json.dumps({"job_id": JOB_ID + "\n"}), None),
        ('{"job_id": 7}', None),
        ('["job_id"]', None),
        ("[" * 100_000, None),
        ("null", None),
    ],
)
def test_a_message_brings_a_job_only_if_it_is_ours(body: str, job_id: str | None) -> None:
    letter = Letter(message_id="m", receipt_handle="", body=body, sent_at=datetime.now(UTC))
    assert letter.job_id == job_id
