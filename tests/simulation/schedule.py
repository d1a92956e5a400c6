"""One thread, one virtual time: tasks take turns where they sleep, in an order that the tape picks.

A task is a greenlet. It runs until it sleeps or parks; then whoever is due next goes on, and of
several that are due at the same moment the tape picks one. When nobody is due, time jumps.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]

from tests.fate import ProcessDied
from tests.simulation.tape import Tape

US = 1_000_000


class Process:
    """One invocation of a function: it ends when it is done, dies, or its time is over."""

    def __init__(self, name: str, deadline_us: int) -> None:
        self.name = name
        self.deadline_us = deadline_us

    def die(self, why: str) -> ProcessDied:
        """What is raised where it dies."""
        return ProcessDied(f"{self.name} {why}")


class Task:
    """Somebody who does one thing after another."""

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        self.name = name
        self.greenlet = greenlet(work)
        self.turn = 0
        """How often it was resumed; an appointment from before the last time is void."""
        self.process: Process | None = None
        self.environment: dict[str, Any] = {}
        """What the functions that it calls keep between invocations."""


class Schedule:
    """Owns the time and whose turn it is."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._due: list[tuple[int, int, int, Task]] = []
        self._ready: list[tuple[int, Task]] = []
        self._order = 0
        self._tasks: list[Task] = []
        self._current: Task | None = None
        self._hub = getcurrent()
        self.now_us = 0
        self.steps = 0
        self.after_step: Callable[[], bool] = lambda: False
        """Called after each step; answers whether to stop."""

    @property
    def current(self) -> Task:
        """Whose turn it is."""
        assert self._current is not None
        return self._current

    def start(self, name: str, work: Callable[[], None], *, after_us: int = 0) -> Task:
        """Begin a task."""
        task = Task(name, work)
        task.greenlet.parent = self._hub
        self._tasks.append(task)
        self._appoint(task, self.now_us + after_us)
        return task

    def sleep_us(self, duration_us: int) -> None:
        """Let the others run until so much later, or until this process's time is over."""
        task = self.current
        process = task.process
        wake_us = self.now_us + max(0, duration_us)
        if process is not None and wake_us >= process.deadline_us:
            self._appoint(task, process.deadline_us)
            self._hub.switch()
            raise process.die("ran out of time")
        self._appoint(task, wake_us)
        self._hub.switch()

    def park(self, until_us: int | None) -> None:
        """Let the others run until then, or until somebody wakes this task."""
        if until_us is not None:
            self._appoint(self.current, max(until_us, self.now_us))
        self._hub.switch()

    def wake(self, task: Task) -> None:
        """Let a parked task go on."""
        self._appoint(task, self.now_us)

    def next_us(self) -> int | None:
        """When something happens next."""
        if any(turn == task.turn for turn, task in self._ready):
            return self.now_us
        while self._due and self._due[0][2] != self._due[0][3].turn:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def run(self, *, until_us: int) -> bool:
        """Let time pass until then; answers whether it was stopped before."""
        while True:
            self._gather(until_us)
            if not self._ready:
                self.now_us = max(self.now_us, until_us)
                return False
            place = self._tape.choose(len(self._ready)) if len(self._ready) > 1 else 0
            turn, task = self._ready.pop(place)
            if turn != task.turn or task.greenlet.dead:
                continue
            task.turn += 1
            self.steps += 1
            self._current = task
            task.greenlet.switch()
            if self.after_step():
                return True

    def close(self) -> None:
        """End every task where it is."""
        for task in self._tasks:
            self._current = task
            # Whatever it does on its way out is cut short too.
            while task.greenlet:
                task.greenlet.throw()

    def _appoint(self, task: Task, moment_us: int) -> None:
        self._order += 1
        heapq.heappush(self._due, (moment_us, self._order, task.turn, task))

    def _gather(self, until_us: int) -> None:
        """Move on to the next moment, unless somebody is ready now, and see who is due then."""
        due = self._due
        while due and (due[0][0] <= self.now_us or (not self._ready and due[0][0] <= until_us)):
            moment_us, _order, turn, task = heapq.heappop(due)
            if turn == task.turn:
                self.now_us = max(self.now_us, moment_us)
                self._ready.append((turn, task))
