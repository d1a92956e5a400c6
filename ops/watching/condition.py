"""How a stack is doing: its routes, its queues, and the jobs that are not over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from common.aws.errors import service_errors
from common.jobs import JobStatus
from common.lines import US, Line, LineReader, interval_us
from common.routes import Route

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

OPEN = (JobStatus.QUEUED, JobStatus.GENERATING, JobStatus.STALLED)


class JobCounter(Protocol):
    """Knows how many jobs there are."""

    def count(self, status: JobStatus) -> int:
        """How many jobs of that status there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteCondition:
    """How one route is doing."""

    route: str
    rate_per_second: float
    """What it is configured for."""
    pace_per_second: float
    """What it is slowed down to after throttles."""
    state: str
    """`in order`, `out of order` or `trying`: whether anybody, nobody, or one probe may start."""
    failures: int
    """Calls in a row that failed."""
    retry_at: str | None
    """While out of order: when it is tried again. While trying: when that try is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueCondition:
    """How many messages there are, about."""

    waiting: int
    delayed: int
    in_work: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """How a stack is doing."""

    routes: Sequence[RouteCondition]
    queue: QueueCondition
    dead_letters: int
    jobs: Mapping[str, int]
    """How many are queued, generating, stalled."""


def condition(
    routes: Sequence[Route],
    *,
    lines: LineReader,
    jobs: JobCounter,
    sqs: SQSClient,
    queue_url: str,
    dead_letter_queue_url: str,
    now: datetime,
) -> Condition:
    """Look. Raises ServiceFailed."""
    found = lines.read(routes)
    dead = _queue(sqs, dead_letter_queue_url)
    return Condition(
        routes=[route_condition(route, found[route.name], now) for route in routes],
        queue=_queue(sqs, queue_url),
        dead_letters=dead.waiting + dead.delayed + dead.in_work,
        jobs={str(status): jobs.count(status) for status in OPEN},
    )


def route_condition(route: Route, line: Line, now: datetime) -> RouteCondition:
    """What a route's line says."""
    state = "in order"
    if not line.in_order:
        due = line.probing or line.takes(int(now.timestamp() * US))
        state = "trying" if due else "out of order"
    retry_at = None if line.in_order else datetime.fromtimestamp(line.retry_us / US, UTC)
    return RouteCondition(
        route=route.name,
        rate_per_second=route.rate_per_second,
        pace_per_second=round(US / interval_us(route, line.slowdown_permille), 2),
        state=state,
        failures=line.failures,
        retry_at=retry_at.isoformat(timespec="seconds") if retry_at else None,
    )


def _queue(sqs: SQSClient, url: str) -> QueueCondition:
    with service_errors("Looking at a queue"):
        found = sqs.get_queue_attributes(
            QueueUrl=url,
            AttributeNames=[
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesDelayed",
                "ApproximateNumberOfMessagesNotVisible",
            ],
        )["Attributes"]
    return QueueCondition(
        waiting=int(found["ApproximateNumberOfMessages"]),
        delayed=int(found["ApproximateNumberOfMessagesDelayed"]),
        in_work=int(found["ApproximateNumberOfMessagesNotVisible"]),
    )
