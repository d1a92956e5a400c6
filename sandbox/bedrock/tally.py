"""What has been asked of the simulator and how it answered, in all and by route."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from itertools import pairwise
from statistics import median

from sandbox.bedrock.behaviour import Behaviour
from sandbox.bedrock.quota import Arrival, Quota, starts_in_window_max

Summary = dict[str, object]


@dataclass(slots=True)
class Counts:
    """How many calls went which way; a call to a model that is not served has no start."""

    calls: int = 0
    starts: int = 0
    """Calls that the quota let in."""
    violations: int = 0
    """Calls over the quota, turned away or, without enforcement, let in."""
    throttles: int = 0
    """Answers that said ThrottlingException, over the quota or told to."""
    successes: int = 0
    refusals: int = 0
    """Calls that a content filter refused."""
    failures: int = 0
    """Calls that ended otherwise: another error, a hang, a cut connection."""
    in_flight: int = 0
    in_flight_max: int = 0


class Line:
    """One route's quota and counts."""

    def __init__(self) -> None:
        self.quota = Quota()
        self.counts = Counts()
        self.errors: Counter[str] = Counter()


class Tally:
    """All routes' quotas and counts; a route is `model@region`."""

    def __init__(self) -> None:
        self.lines: dict[str, Line] = {}
        self.in_all = Counts()

    def line(self, route: str) -> Line:
        """The route's line, new at its first call."""
        return self.lines.setdefault(route, Line())

    def add(self, line: Line | None, **counts: int) -> None:
        """Add to the total and, for a served model, to its route's counts."""
        for held in (self.in_all, line.counts) if line else (self.in_all,):
            for name, count in counts.items():
                setattr(held, name, getattr(held, name) + count)
            held.in_flight_max = max(held.in_flight_max, held.in_flight)

    def summary(self, behaviour: Behaviour, *, arrivals_max: int) -> Summary:
        """Counts, gaps and the last arrivals, as JSON."""
        return {
            **asdict(self.in_all),
            "routes": {
                route: {
                    **asdict(line.counts),
                    "errors": dict(line.errors),
                    "rate_per_second": behaviour.rate(route),
                    **_gaps(list(line.quota.arrivals), behaviour.rate(route)),
                }
                for route, line in self.lines.items()
            },
            "arrivals": self._arrivals(arrivals_max),
        }

    def _arrivals(self, most: int) -> list[Summary]:
        every = [
            (arrival.at_ns, route, arrival)
            for route, line in self.lines.items()
            for arrival in line.quota.arrivals
        ]
        every.sort(key=lambda one: one[0])
        return [
            {
                "route": route,
                "at_seconds": arrival.at_ns / 1e9,
                "violation": arrival.violation,
                "early_seconds": arrival.early_ns / 1e9,
            }
            for _, route, arrival in every[max(0, len(every) - most) :]
        ]


def _gaps(arrivals: list[Arrival], rate_per_second: float) -> Summary:
    """How the arrivals were spaced."""
    gaps = [(later.at_ns - earlier.at_ns) / 1e9 for earlier, later in pairwise(arrivals)]
    return {
        "starts_in_window_max": starts_in_window_max(arrivals, rate_per_second),
        "gap_seconds": {
            "min": min(gaps, default=None),
            "median": median(gaps) if gaps else None,
            "max": max(gaps, default=None),
        },
        "early_seconds_max": max((arrival.early_ns for arrival in arrivals), default=0) / 1e9,
    }
