"""What a person sees: steps with their times, on standard error; results are on standard output."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.status import Status

OUT = Console(highlight=False, soft_wrap=True)
ERR = Console(stderr=True, highlight=False, soft_wrap=True)


def credits_text(number: int) -> str:
    """A number of credits, for people."""
    return f"{number} credit" if number == 1 else f"{number} credits"


class Steps:
    """Says each step as it begins, and how long it took when the next one does."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._step: tuple[str, float] | None = None
        self._status: Status | None = None

    @property
    def seconds(self) -> float:
        """Since the first step."""
        return time.monotonic() - self._began

    def __call__(self, text: str) -> None:
        """Begin a step."""
        self._finish(done=True)
        self._step = (text, time.monotonic())
        if ERR.is_terminal:
            self._status = ERR.status(f"{text} …", spinner="dots")
            self._status.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _where: TracebackType | None,
    ) -> None:
        self._finish(done=kind is None)

    def _finish(self, *, done: bool) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None
        if self._step is not None:
            text, began = self._step
            mark = "[green]✓[/]" if done else "[red]✗[/]"
            ERR.print(f"{mark} {text}  [dim]{time.monotonic() - began:.1f} s[/]")
            self._step = None
