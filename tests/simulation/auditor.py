"""What was promised, checked by a model of its own: it shares no code with the product.

It reads what is stored and what is answered, and keeps its own account of both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from common.routes import Route
from tests.fakes import Message
from tests.simulation.audited_books import Books
from tests.simulation.audited_money import Money
from tests.simulation.gateway import Truth
from tests.simulation.schedule import US
from tests.simulation.watched import Change

RATE_TOLERANCE_US = 1_000


@dataclass(frozen=True)
class Violation:
    """A promise that was broken: which kind of promise, and how."""

    kind: str
    text: str


class Auditor:
    """Hears of everything, and keeps the first violation."""

    def __init__(
        self,
        *,
        now_us: Callable[[], int],
        now: Callable[[], datetime],
        images: Mapping[str, bytes],
        truths: Mapping[str, Truth],
    ) -> None:
        self.violation: Violation | None = None
        self._now_us = now_us
        self._images = images
        self.books = Books(self.violate, now=now, images=images)
        self.money = Money(self.violate, truths=truths)
        self._starts: defaultdict[str, list[int]] = defaultdict(list)
        self.starts = 0

    def violate(self, kind: str, text: str) -> None:
        """Keep a violation; what follows from it is not wanted."""
        if self.violation is None:
            self.violation = Violation(kind, text)

    def step(self, changes: Iterable[Change]) -> None:
        """Check what one step has written."""
        for change in changes:
            if change.table == "payments":
                self.money.payment_changed(change.before, change.after)
            elif change.table == "jobs":
                self.books.job_changed(change.before, change.after)
            elif change.table == "ledger":
                self.books.entry_changed(change.before, change.after)
                self.money.entry_changed(change.after)
            else:
                self.books.user_changed(change.before, change.after)
        self.books.check()
        self.money.check()

    def stored(self, key: str) -> None:
        """Check an image that is being stored: it is made, and paid for, once."""
        if key in self._images:
            self.violate("image", f"{key} is made and paid for twice")

    def acknowledged(self, message: Message, *, has_message: bool) -> None:
        """Check a delivery that was acknowledged: the job is over, or has another message.

        One of an earlier sending may end: whoever sent the job anew has seen to it. But nobody has
        seen to a stalled job that an operator has redriven.
        """
        job = self.books.jobs[message.job_id]
        status = str(job.status)
        latest = message.sending in (None, job.sendings)
        awaited = latest and status in ("queued", "generating")
        sent_at = message.sent_at.replace(microsecond=message.sent_at.microsecond // 1000 * 1000)
        redriven = status == "stalled" and sent_at > job.stalled_at
        if (awaited or redriven) and not has_message:
            said = f"{message.job_id[:8]} is {status}, and its last message acknowledged"
            self.violate("lost", said)

    def started(self, route: Route) -> None:
        """Check the pace of a route: each start against the one as many before as fit a second."""
        starts, now_us = self._starts[route.name], self._now_us()
        starts.append(now_us)
        self.starts += 1
        whole = max(1, int(route.rate_per_second))
        if len(starts) > whole:
            apart_us = now_us - starts[-1 - whole]
            if apart_us < whole / route.rate_per_second * US - RATE_TOLERANCE_US:
                self.violate("rate", f"{whole + 1} starts of {route.name} in {apart_us / US:.3f} s")
