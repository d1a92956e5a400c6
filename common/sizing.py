"""How many workers, and how long each may take.

Little's law says how many calls are in flight when starts come at the routes' rates and each lasts
its latency: `L = λ × W`. That many workers use the whole quota; more would only wait.

The timeouts nest, each inside the next, so that whoever gives up first is the one who can still
say so: model read timeout < function timeout < lease < visibility timeout.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from common.routes import Route

CONCURRENCY_MIN = 2
"""SQS event sources take no lower maximum concurrency than 2."""


def worker_concurrency(routes: Sequence[Route]) -> int:
    """`ceil(sum of rate × p95 latency)`; 2/s × 14 s = 28."""
    in_flight = sum(route.rate_per_second * route.p95_seconds for route in routes)
    # Rounded first: 1.1/s × 10 s is a little more than 11 in floating point, and no 12th worker.
    return max(CONCURRENCY_MIN, math.ceil(round(in_flight, 6)))


SPARE_DELIVERIES = 2
"""How much oftener than a job has attempts a message is delivered before it is a dead letter: for
deliveries that die before they can say so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """The nested limits of one delivery of one job, in seconds."""

    slot_wait_seconds_max: int = 30
    """How long a worker sleeps for its start slot before it gives the job back."""
    model_read_seconds: int = 60
    function_seconds: int = 120
    """Covers the wait, one whole model call, the store and the settlement."""
    lease_seconds: int = 130
    """After this nobody can still be working on the job, so another may take it."""
    visibility_seconds: int = 140

    def __post_init__(self) -> None:
        nested = (
            self.slot_wait_seconds_max + self.model_read_seconds,
            self.function_seconds,
            self.lease_seconds,
            self.visibility_seconds,
        )
        if list(nested) != sorted(set(nested)):
            raise ValueError(f"timeouts must nest, each shorter than the next: {nested}")


TIMEOUTS = Timeouts()
