"""The tape: every decision of a run, drawn from a seed and recorded, or replayed."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeVar

Choice = TypeVar("Choice")


class Tape:
    """Answers each question with a number below what is asked for; 0 is always the calm choice."""

    def __init__(self, given: Sequence[int] = (), *, source: Random | None = None) -> None:
        self._given = given
        self._source = source
        self.taken: list[int] = []
        """All that was answered."""

    @classmethod
    def of_seed(cls, seed: int) -> Tape:
        """Draws from the seed without end."""
        return cls(source=Random(seed))

    def choose(self, below: int) -> int:
        """A number from 0 to `below` - 1; 0 after the end of what is replayed."""
        place = len(self.taken)
        if place < len(self._given):
            value = self._given[place] % below
        elif self._source is not None:
            value = int(self._source.random() * below)
        else:
            value = 0
        self.taken.append(value)
        return value

    def chance(self, permille: int) -> bool:
        """Whether something happens that does so often; what never happens is not asked about."""
        return permille > 0 and self.choose(1000) >= 1000 - permille

    def pick(self, choices: Sequence[Choice]) -> Choice:
        """One of them; the first is the calm one."""
        return choices[self.choose(len(choices))]

    def between(self, low: int, high: int) -> int:
        """A number from `low`, the calm one, to `high`."""
        return low + self.choose(high - low + 1)
