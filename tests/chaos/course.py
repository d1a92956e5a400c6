"""The time of one run, and the threads that everything in it happens in."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable

END_SECONDS = 25.0
"""How long a request that is under way may take yet."""


class Course:
    """Time from the start of the weather on; `over` ends every wait."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.settled = threading.Event()
        """Every job is at rest, so that nobody need listen any more."""
        self._threads: list[threading.Thread] = []
        self.failures: list[str] = []
        """What this program's own threads have run into; anything here is no verdict."""
        self._began = time.monotonic()

    def restart(self) -> None:
        """The run begins now."""
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long the run has lasted."""
        return time.monotonic() - self._began

    def until(self, at_seconds: float) -> bool:
        """Wait for a moment of the run; answers False when the run is over before it."""
        return not self.over.wait(max(0.0, at_seconds - self.seconds))

    def pause(self, seconds: float) -> bool:
        """Wait for so long; answers False when the run is over before that."""
        return self.until(self.seconds + seconds)

    def begin(self, name: str, act: Callable[[], None]) -> threading.Thread:
        """Let something happen beside everything else."""

        def run() -> None:
            try:
                act()
            except Exception as error:  # noqa: BLE001 - said at the end, as the run goes on
                if not self.over.is_set():
                    where = traceback.extract_tb(error.__traceback__)[-1]
                    self.failures.append(f"{name}: {error!r} at {where.name}:{where.lineno}")

        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def end(self) -> None:
        """Tell every thread that it is over, and wait for those that go on."""
        self.over.set()
        self.settled.set()
        deadline = time.monotonic() + END_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
