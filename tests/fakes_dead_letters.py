"""The dead-letter queue in memory, and a world in which jobs stall at will."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from common import jobs as lifecycle
from common.errors import ServiceFailed
from common.jobs import Job, JobError
from common.ports import Clock
from ops.stalled import dead_letters
from ops.stalled.dead_letters import Letter, Reading, oldest_first
from ops.stalled.decisions import Order
from ops.stalled.stalled_jobs import Desk, Found, look
from tests.fakes import CountedIds, MemoryActs
from tests.fakes_model import FakeModel
from tests.fate import Fate, mortal
from tests.world import World

WHY = "the model is back"
ORDER = Order(by="arn:aws:iam::111111111111:user/eve", why=WHY)
TIMED_OUT = JobError(code="model_timed_out", message="The model's answer did not arrive in time.")


@dataclass(frozen=True)
class _Kept:
    letter: Letter
    visible_at: datetime


class MemoryReading:
    """Messages that nobody else sees at the moment."""

    def __init__(
        self, box: MemoryDeadLetters, letters: Sequence[Letter], *, complete: bool
    ) -> None:
        self._box = box
        self.letters = letters
        self.complete = complete

    def delete(self, letters: Collection[Letter]) -> frozenset[str]:
        if self._box.broken:
            raise ServiceFailed("Deleting a message did not work.")
        return frozenset(each.message_id for each in letters if self._box.take(each))


class MemoryDeadLetters:
    """Messages in a dict, hidden from others while one reads them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._ids = CountedIds("letter")
        self._receipts = CountedIds("receipt")
        self.broken = False
        """Whether nothing can be deleted."""

    @contextmanager
    def reading(self) -> Iterator[MemoryReading]:
        now = self._clock()
        visible = [kept.letter for kept in self._kept.values() if kept.visible_at <= now]
        taken = visible[: dead_letters.LETTERS_MAX]
        hidden_until = now + timedelta(seconds=dead_letters.HIDDEN_SECONDS)
        letters = [replace(each, receipt_handle=self._receipts()) for each in taken]
        for letter in letters:
            self._kept[letter.message_id] = _Kept(letter, hidden_until)
        try:
            yield MemoryReading(self, oldest_first(letters), complete=len(taken) == len(visible))
        finally:
            for letter in letters:
                if self._holds(letter):
                    self._kept[letter.message_id] = _Kept(letter, self._clock())

    def put(
        self, body: str, *, message_id: str | None = None, sent_at: datetime | None = None
    ) -> str:
        """A message comes in."""
        letter = Letter(
            message_id=message_id or self._ids(),
            receipt_handle="",
            body=body,
            sent_at=sent_at or self._clock(),
        )
        self._kept[letter.message_id] = _Kept(letter, self._clock())
        return letter.message_id

    def take(self, letter: Letter) -> bool:
        """Delete by receipt; answers whether it was good."""
        held = self._holds(letter)
        if held:
            del self._kept[letter.message_id]
        return held

    def purge(self) -> None:
        """Delete everything, as the console does."""
        self._kept.clear()

    @property
    def bodies(self) -> list[str]:
        """What all messages say, seen or not."""
        return [kept.letter.body for kept in self._kept.values()]

    @property
    def ids(self) -> list[str]:
        """The ids of all messages."""
        return list(self._kept)

    def _holds(self, letter: Letter) -> bool:
        kept = self._kept.get(letter.message_id)
        return kept is not None and kept.letter.receipt_handle == letter.receipt_handle


@dataclass
class Meddling(Fate):
    """A fate that fails a call about a job, or lets others act between two calls."""

    failures: dict[tuple[str, str], Exception] = field(default_factory=dict)
    afterwards: dict[tuple[str, str], Callable[[], None]] = field(default_factory=dict)

    def call(self, name: str, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        about = (name, str(getattr(args[0], "job_id", args[0])) if args else "")
        if about in self.failures:
            raise self.failures.pop(about)
        answer = super().call(name, method, *args, **kwargs)
        if about in self.afterwards:
            self.afterwards.pop(about)()
        return answer


class StallingWorld(World):
    """A world with an operator in it."""

    fate: Meddling

    def __init__(self, *, model: FakeModel | None = None) -> None:
        super().__init__(model=model)
        self.fate = Meddling()
        self.box = MemoryDeadLetters(self.clock)
        self.acts = MemoryActs(self.tables)
        self.person()

    def die(self, at: int, *, after: bool) -> None:
        """Let the operator's process die at its so manieth call from now on."""
        self.fate.at, self.fate.after = len(self.fate.calls) + at, after

    @property
    def desk(self) -> Desk:
        """What the operator decides with."""
        return Desk(
            jobs=mortal("jobs", self.jobs, self.fate),
            queue=mortal("queue", self.queue, self.fate),
            images=mortal("images", self.images, self.fate),
            acts=mortal("acts", self.acts, self.fate),
            letters=self.box,
            now=self.clock,
            sleep=self.clock.sleep,
        )

    def stalled(self, key: str = "key-1", *, error: JobError = TIMED_OUT) -> Job:
        """A job whose attempts are used up, and whose message has come to the dead letters."""
        job = self.submit(key=key)
        message = self.next_message()
        assert message.job_id == job.job_id
        claimed = lifecycle.claim(
            job,
            lease_id=self.ids(),
            sent_at=message.sent_at,
            now=self.clock(),
            lease_seconds=self.worker_settings.lease_seconds,
        )
        self.jobs.save(claimed)
        self.clock.advance(1)
        stalled = lifecycle.stall(
            claimed, error=error, message_id=message.message_id, now=self.clock()
        )
        self.jobs.save(stalled)
        self.queue.delete(message.receipt_handle)
        body = json.dumps({"job_id": job.job_id, "sending": message.sending})
        self.box.put(body, message_id=message.message_id, sent_at=message.sent_at)
        self.clock.advance(1)
        return stalled

    def console_redrive(self) -> None:
        """Move all dead letters back into the queue, as the console does: each is a new message."""
        for body in map(json.loads, self.box.bodies):
            self.queue.send(body["job_id"], "usr_ann", sending=body["sending"])
        self.box.purge()

    def look(self, error: str | None = None) -> Found:
        """What waits for a decision."""
        with self.box.reading() as reading:
            return self.look_at(reading, error)

    def look_at(self, reading: Reading, error: str | None = None) -> Found:
        """The same of what has been read."""
        return look(self.desk, reading.letters, complete=reading.complete, error=error)

    def after(self, call: str, job_id: str, happens: Callable[[], None]) -> None:
        """Let something happen once, when such a call about the job has been made."""
        self.fate.afterwards[call, job_id] = happens

    def instead(self, call: str, job_id: str, error: Exception) -> None:
        """Fail the next such call about the job, such as `jobs.save`."""
        self.fate.failures[call, job_id] = error
