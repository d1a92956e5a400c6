"""Those who keep the service going: pollers, streams, the sweep; and a forger."""

from __future__ import annotations

import json

from common.changes import BalanceChanged, JobChanged
from tests.fakes import Message
from tests.handlers.calls import event
from tests.simulation.gateway import forged
from tests.simulation.run_parts import Parts
from tests.simulation.schedule import US, Task
from tests.simulation.watched import Change

SWEEP_SECONDS = 60
STREAM_TRIES = 3


class Pollers:
    """Lambda's pollers: each takes a message, has the worker work on it, and acknowledges it."""

    def __init__(self, parts: Parts, *, number: int) -> None:
        self._parts = parts
        self._idle: list[Task] = []
        parts.world.sqs.on_send = self._wake
        for place in range(number):
            parts.schedule.start(f"worker {place}", self._live)

    def _live(self) -> None:
        queue, schedule = self._parts.world.sqs, self._parts.schedule
        while True:
            message = queue.receive()
            if message is not None:
                # There may be more of them.
                self._wake()
                self._deliver(message)
                continue
            seconds = queue.next_visible_seconds()
            self._idle.append(schedule.current)
            schedule.park(None if seconds is None else schedule.now_us + round(seconds * US))
            if schedule.current in self._idle:
                self._idle.remove(schedule.current)

    def _deliver(self, message: Message) -> None:
        sent = event("sqs")
        record = sent["Records"][0]
        record["messageId"] = message.message_id
        record["receiptHandle"] = message.receipt_handle
        body = {"job_id": message.job_id, "sending": message.sending}
        record["body"] = json.dumps(body)
        record["attributes"] |= {
            "ApproximateReceiveCount": str(message.receive_count),
            "SentTimestamp": str(int(message.sent_at.timestamp() * 1000)),
            "MessageGroupId": message.user_id,
        }
        self._parts.note(f"has {message.job_id[:8]} in {message.message_id}")
        answer = self._parts.world.invoke("worker", sent)
        self._parts.note(f"answers {answer}, the job is {self._parts.status_of(message.job_id)}")
        if answer is not None and not answer["batchItemFailures"]:
            queue = self._parts.world.sqs
            queue.delete(message.receipt_handle)
            self._parts.auditor.acknowledged(
                message, has_message=queue.has_message_of(message.job_id)
            )

    def _wake(self) -> None:
        """Let one poller look again, and see when the next look is due."""
        if self._idle:
            self._parts.schedule.wake(self._idle.pop(0))


class Stream:
    """A table's stream: its changes in their order, to the push function, in batches."""

    def __init__(self, parts: Parts, table: str) -> None:
        self._parts = parts
        self._table = table
        self._pending: list[Change] = []
        self._task = parts.schedule.start(f"stream of {table}", self._live)
        self._waits = False

    def changed(self, change: Change) -> None:
        """One more change."""
        if change.table == self._table:
            self._pending.append(change)
            if self._waits:
                self._waits = False
                self._parts.schedule.wake(self._task)

    def _live(self) -> None:
        while True:
            if not self._pending:
                self._waits = True
                self._parts.schedule.park(None)
            self._parts.schedule.sleep_us(200_000)
            batch, self._pending = self._pending, []
            self._deliver(batch)

    def _deliver(self, batch: list[Change]) -> None:
        changes = [_told(change) for change in batch]
        for _try in range(STREAM_TRIES):
            answer = self._parts.world.invoke("push", {"changes": changes})
            if answer is not None and not self._parts.weather.happens("stream repeats"):
                return


def _told(change: Change) -> object:
    """A change as the push function reads it."""
    if change.table == "jobs":
        return JobChanged(change.after)
    return BalanceChanged(change.after.user_id, change.after.balance)


class Sweeper:
    """The schedule that runs the sweep each minute, now and then two at once."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        parts.schedule.start("sweep", self._live)

    def _live(self) -> None:
        while True:
            self._parts.schedule.sleep_us(self._pause_us())
            if self._parts.weather.happens("second sweep"):
                self._parts.schedule.start("second sweep", self._sweep)
            self._sweep()

    def _sweep(self) -> None:
        answer = self._parts.world.invoke("sweep", event("sweep"))
        self._parts.note(f"swept: {answer}")

    def _pause_us(self) -> int:
        """To the next minute; when it is calm to the next one that has something to do."""
        now_us = self._parts.schedule.now_us
        minutes = 1
        if self._parts.weather.calm:
            due_us = self._parts.due_us()
            wait_us = 10 * SWEEP_SECONDS * US if due_us is None else due_us - now_us
            minutes = max(1, -(-wait_us // (SWEEP_SECONDS * US)))
        return minutes * SWEEP_SECONDS * US


class Forger:
    """Somebody who tells us that payments were made that were not."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        parts.schedule.start("forger", self._live)

    def _live(self) -> None:
        tape = self._parts.tape
        while True:
            self._parts.schedule.sleep_us(tape.between(5, 600) * US)
            if self._parts.weather.calm:
                return
            truths = list(self._parts.world.vnpay.truths.values())
            if truths:
                code = self._parts.notify(forged(tape.pick(truths), tape))
                if code in ("00", "02"):
                    self._parts.auditor.violate("forgery", f"a forged IPN was answered {code}")
