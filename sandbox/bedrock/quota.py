"""The quota: at most so many starts in any rolling window, and no burst beside it.

A whole rate R allows R starts in any second; another rate, such as 2.5, allows 25 in any ten
seconds. A window is half open, so a start exactly one window after another is free. A call over
the quota is a violation whether or not it is turned away; turned away, it takes no place.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

SECOND_NS = 1_000_000_000
ARRIVALS_MAX = 20_000
"""How many arrivals a route remembers."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A call that asked for a start; `at_ns` is on the monotonic clock."""

    at_ns: int
    early_ns: int
    """How much too soon it came; 0 when it kept the quota."""

    @property
    def violation(self) -> bool:
        """Whether it broke the quota."""
        return self.early_ns > 0


def window_of(rate_per_second: float) -> tuple[int, int]:
    """How many starts are allowed in how many nanoseconds."""
    if rate_per_second == int(rate_per_second):
        return int(rate_per_second), SECOND_NS
    return max(1, int(rate_per_second * 10 + 1e-9)), 10 * SECOND_NS


class Quota:
    """One route's quota, and all that came to it."""

    def __init__(self) -> None:
        self.arrivals: deque[Arrival] = deque(maxlen=ARRIVALS_MAX)
        self._starts: deque[int] = deque()

    def arrive(self, at_ns: int, *, rate_per_second: float, enforce: bool) -> Arrival:
        """Judge a call; it takes a place in the window unless it is turned away.

        Calls must be brought in the order of their `at_ns`.
        """
        limit, window_ns = window_of(rate_per_second)
        # The widest window is kept, so that the rate may change at any time.
        while self._starts and self._starts[0] <= at_ns - 10 * SECOND_NS:
            self._starts.popleft()
        # The limit-th start back must have left the window by now.
        early_ns = 0
        if len(self._starts) >= limit:
            early_ns = max(0, self._starts[-limit] + window_ns - at_ns)
        if not (early_ns and enforce):
            self._starts.append(at_ns)
        arrival = Arrival(at_ns, early_ns)
        self.arrivals.append(arrival)
        return arrival


def starts_in_window_max(arrivals: list[Arrival], rate_per_second: float) -> int:
    """The most calls that came within any one window, turned away or not."""
    _, window_ns = window_of(rate_per_second)
    most, first = 0, 0
    for last, arrival in enumerate(arrivals):
        while arrivals[first].at_ns <= arrival.at_ns - window_ns:
            first += 1
        most = max(most, last - first + 1)
    return most
