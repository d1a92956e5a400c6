"""Many workers in one virtual time: each runs until it sleeps, then the next one due.

Each worker is a thread, but only one runs at a time, and who wakes first is told by the time alone,
so a run with the same seed is the same run.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Sequence
from threading import Event, Thread, local

US = 1_000_000


class VirtualTime:
    """A clock that jumps to whoever is to wake next."""

    def __init__(self, start_us: int = 1_800_000_000 * US) -> None:
        self._now_us = start_us
        self._due: list[tuple[int, int, Event]] = []
        self._order = itertools.count()
        self._mine = local()
        self._idle = Event()
        self._errors: list[BaseException] = []

    def now_us(self) -> int:
        return self._now_us

    def sleep_us(self, duration_us: int) -> None:
        """Let the others run until so much later."""
        woken: Event = self._mine.woken
        self._wake_at(self._now_us + max(0, duration_us), woken)
        woken.clear()
        self._idle.set()
        woken.wait()

    def start(self, work: Callable[[], None]) -> None:
        """Begin another worker now; it runs when those before it sleep."""
        woken = Event()
        Thread(target=self._live, args=(work, woken), daemon=True).start()
        self._wake_at(self._now_us, woken)

    def run(self, workers: Sequence[Callable[[], None]]) -> None:
        """Start them all now; come back when all are done. Raises what one of them raised."""
        for work in workers:
            self.start(work)
        while self._due and not self._errors:
            self._now_us, _order, woken = heapq.heappop(self._due)
            self._idle.clear()
            woken.set()
            self._idle.wait()
        if self._errors:
            raise self._errors[0]

    def _live(self, work: Callable[[], None], woken: Event) -> None:
        self._mine.woken = woken
        woken.wait()
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - `run` raises it
            self._errors.append(error)
        self._idle.set()

    def _wake_at(self, moment_us: int, woken: Event) -> None:
        heapq.heappush(self._due, (moment_us, next(self._order), woken))
