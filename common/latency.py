"""How long an image takes, from what was seen lately: how much is left, and how far it has come.

A route's line keeps its last latencies, from the start of a call to the stored image. Call times
have a long tail, so they are taken for log-normal, given by their median and 95th percentile. What
is left of a call that has lasted `e` is the median of those that last longer, less `e`: it falls
while all is well, and grows again when a call becomes a straggler, as it does in truth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

LATENCIES_KEPT = 32
"""How many a line keeps: the last quarter of a minute at two starts a second."""
P95_AMONG = 20
"""Fewer latencies than this have no 95th percentile: their largest is taken."""
MEDIAN_OF_P95 = 0.6
"""What part of the 95th percentile the median is taken for while nothing was seen."""
SPREAD_MIN = 1.1
"""A 95th percentile is at least this many medians: no call is a clockwork."""
PERCENT_MAX = 99
"""What a job has come to at most while its image is not there."""

_NORMAL = NormalDist()
_P95 = _NORMAL.inv_cdf(0.95)


@dataclass(frozen=True, slots=True)
class Latency:
    """A log-normal latency by two of its percentiles, in seconds."""

    p50_seconds: float
    p95_seconds: float

    def left_seconds(self, elapsed_seconds: float) -> float:
        """What is left, in the middle of all cases, of a call that has lasted so long; above 0."""
        if elapsed_seconds <= 0:
            return self.p50_seconds - elapsed_seconds
        mu, sigma = math.log(self.p50_seconds), self._sigma
        z = (math.log(elapsed_seconds) - mu) / sigma
        # Of those that last longer the middle one: half of what is left of the distribution.
        # `erfc` keeps its digits out there, where 1 - cdf has none left.
        longer = math.erfc(z / math.sqrt(2)) / 4
        if longer < _TAIL_MIN:
            return elapsed_seconds * math.expm1(sigma * math.log(2) / z)
        middle = math.exp(mu - sigma * _NORMAL.inv_cdf(longer))
        return max(middle - elapsed_seconds, 0.0)

    def percent(self, elapsed_seconds: float) -> int:
        """How far a call has come that has lasted so long: from 0 to 99."""
        if elapsed_seconds <= 0:
            return 0
        whole = elapsed_seconds + self.left_seconds(elapsed_seconds)
        return min(PERCENT_MAX, int(100 * elapsed_seconds / whole))

    @property
    def _sigma(self) -> float:
        return math.log(self.p95_seconds / self.p50_seconds) / _P95


_TAIL_MIN = 1e-300
"""Beyond this there are no numbers left; the tail's own slope is as good."""


def observed(latencies_ms: Sequence[int], *, p95_seconds: float) -> Latency:
    """What the latencies of a route say, or before there are any its configured percentile."""
    if not latencies_ms:
        return Latency(MEDIAN_OF_P95 * p95_seconds, p95_seconds)
    ordered = sorted(latency / 1000 for latency in latencies_ms)
    median = max(_at(ordered, 0.5), 0.001)
    high = _at(ordered, 0.95) if len(ordered) >= P95_AMONG else ordered[-1]
    return Latency(median, max(high, median * SPREAD_MIN))


def _at(ordered: Sequence[float], share: float) -> float:
    """The value below which that share lies, between two of them if need be."""
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
