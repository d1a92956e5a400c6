"""The queue as SQS is: at least once, in any order, with a dead-letter queue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from common.errors import ServiceFailed
from tests.fakes import ManualClock, MemoryQueue, Message
from tests.simulation.tape import Tape
from tests.simulation.weather import Weather

DELAY_SECONDS_MAX = 900


@dataclass(frozen=True, kw_only=True)
class Dead:
    """A message in the dead-letter queue."""

    job_id: str
    user_id: str
    sending: int | None


class SimulatedQueue(MemoryQueue):
    """Delivers what was not acknowledged again, and now and then what was."""

    def __init__(
        self,
        clock: ManualClock,
        tape: Tape,
        weather: Weather,
        *,
        visibility_seconds: int,
        receives_max: int,
    ) -> None:
        super().__init__(clock, visibility_seconds=visibility_seconds)
        self._tape = tape
        self._weather = weather
        self._receives_max = receives_max
        self._delivered: dict[str, str] = {}
        """The message of each delivery, by its receipt."""
        self.dead: list[Dead] = []
        self.on_send: Callable[[], None] = lambda: None
        """Called when a message may have become visible earlier than was known."""

    def send(
        self, job_id: str, user_id: str, *, sending: int | None, delay_seconds: int = 0
    ) -> None:
        super().send(
            job_id, user_id, sending=sending, delay_seconds=min(delay_seconds, DELAY_SECONDS_MAX)
        )
        self.on_send()

    def hide(self, receipt_handle: str, *, seconds: int) -> None:
        message = self._held_by(receipt_handle)
        if message is None or message.visible_at <= self._clock():
            raise ServiceFailed("Hiding a message did not work: it is not in flight.")
        super().hide(receipt_handle, seconds=seconds)
        self.on_send()

    def receive(self) -> Message | None:
        """Any of the visible messages; one that was received too often is set aside instead."""
        now = self._clock()
        while visible := [each for each in self._messages.values() if each.visible_at <= now]:
            message = self._tape.pick(visible) if len(visible) > 1 else visible[0]
            if message.receive_count >= self._receives_max:
                del self._messages[message.message_id]
                self.dead.append(
                    Dead(job_id=message.job_id, user_id=message.user_id, sending=message.sending)
                )
                continue
            hidden = self._visibility
            if self._weather.happens("second delivery"):
                hidden = timedelta(seconds=self._tape.between(0, 40))
            delivery = replace(
                message,
                receipt_handle=self._receipts(),
                receive_count=message.receive_count + 1,
                visible_at=now + hidden,
            )
            self._messages[message.message_id] = delivery
            self._delivered[delivery.receipt_handle] = message.message_id
            return delivery
        return None

    def delete(self, receipt_handle: str) -> None:
        """Acknowledge a delivery; this may get lost, and then the message comes again.

        That of an earlier delivery of the same message may count, or may not.
        """
        message_id = self._delivered[receipt_handle]
        message = self._messages.get(message_id)
        if message is None or self._weather.happens("acknowledgement lost"):
            return
        if message.receipt_handle == receipt_handle or self._tape.choose(2):
            del self._messages[message_id]

    def redrive(self) -> None:
        """Move all dead letters back, as the console does: each is a new message."""
        dead, self.dead = self.dead, []
        for letter in dead:
            self.send(letter.job_id, letter.user_id, sending=letter.sending)

    def purge_dead(self) -> None:
        """Delete all dead letters."""
        self.dead.clear()

    def next_visible_seconds(self) -> float | None:
        """How long until a message can be received; None while there is none."""
        moments = [each.visible_at for each in self._messages.values()]
        return (min(moments) - self._clock()).total_seconds() if moments else None

    @property
    def empty(self) -> bool:
        """Whether there are no messages but dead ones."""
        return not self._messages

    def has_message_of(self, job_id: str) -> bool:
        """Whether a message brings that job, dead or not."""
        living = any(each.job_id == job_id for each in self._messages.values())
        return living or any(letter.job_id == job_id for letter in self.dead)

    def _held_by(self, receipt_handle: str) -> Message | None:
        """The message of that delivery, unless a later one or an acknowledgement has ended it."""
        for message in self._messages.values():
            if message.receipt_handle == receipt_handle:
                return message
        return None
