"""Shortens the tape of a run that fails: cut where it can be, and calm where it need not be bad."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Fails = Callable[[Sequence[int]], bool]


def shorten(tape: Sequence[int], fails: Fails, *, runs_max: int = 400) -> list[int]:
    """A tape that still fails, with as few decisions that are not 0 as a few runs can find."""
    budget = _Budget(fails, runs_max)
    shorter = _cut(list(tape), budget)
    shorter = _becalm(shorter, budget)
    return _cut(shorter, budget)


class _Budget:
    """Runs that may still be made; when there are none left, nothing fails any more."""

    def __init__(self, fails: Fails, runs_max: int) -> None:
        self._fails = fails
        self.left = runs_max

    def fails(self, tape: Sequence[int]) -> bool:
        """Whether a run with this tape still fails in the same way."""
        if self.left == 0:
            return False
        self.left -= 1
        return self._fails(tape)


def _cut(tape: list[int], budget: _Budget) -> list[int]:
    """The shortest beginning that fails, as far as halving finds it; what follows it is calm."""
    while tape and tape[-1] == 0:
        tape = tape[:-1]
    low, high = 0, len(tape)
    while low < high:
        middle = (low + high) // 2
        if budget.fails(tape[:middle]):
            high = middle
        else:
            low = middle + 1
    return tape[:high]


def _becalm(tape: list[int], budget: _Budget) -> list[int]:
    """The tape with each block of decisions calm that is not needed, large blocks first."""
    size = len(tape)
    while size > 1 and budget.left:
        size = (size + 1) // 2
        for begin in range(0, len(tape), size):
            block = tape[begin : begin + size]
            if not any(block):
                continue
            calmer = [*tape[:begin], *[0] * len(block), *tape[begin + size :]]
            if budget.fails(calmer):
                tape = calmer
    return tape
