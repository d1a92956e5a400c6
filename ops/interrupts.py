"""Ctrl-C between two things, never in the midst of one."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

Thing = TypeVar("Thing")


@contextmanager
def finishing() -> Iterator[None]:
    """Let what is inside end before Ctrl-C interrupts; a second Ctrl-C does not wait."""
    before = signal.getsignal(signal.SIGINT)
    came = False

    def note(_number: int, _frame: FrameType | None) -> None:
        nonlocal came
        if came:
            raise KeyboardInterrupt
        came = True

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        raise KeyboardInterrupt


def each_to_its_end(things: Iterator[Thing], done: Callable[[Thing], None]) -> bool:
    """Take one thing after another, and tell of each; answers whether Ctrl-C ended it early."""
    try:
        while True:
            with finishing():
                try:
                    thing = next(things)
                except StopIteration:
                    return False
                done(thing)
    except KeyboardInterrupt:
        return True
