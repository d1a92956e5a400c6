"""What has happened on a stack of late, as the worker has logged it: starts, and jobs that failed.

The log is the same on the local run, whose emulator makes no metrics of it, and in AWS, where
CloudWatch's graphs have the longer view.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from common.aws.errors import service_errors
from common.metrics import MODEL_ERRORS
from common.routes import Route
from ops.watching.log_lines import log_lines

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

STARTS_MINUTES = 5
"""How far back starts are counted."""
FAILURES_MINUTES = 60
"""How far back failures are looked for."""
FAILURES_MAX = 5
ENDED_BADLY = ("failed", "stalled")
"""The worker's words for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """How much of a route's quota was used in the last minutes."""

    route: str
    starts: int
    starts_max: int
    """What the configured rate allows in that time."""

    @property
    def percent(self) -> int:
        """The share of it, rounded."""
        return round(100 * self.starts / self.starts_max)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A job that failed or stalled."""

    job_id: str
    status: str
    code: str
    age_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recent:
    """What has happened of late."""

    use: Sequence[Use]
    failures: Sequence[Failure]
    """The latest first, a few at most."""


def recent(
    logs: CloudWatchLogsClient, group: str, *, routes: Sequence[Route], now: datetime
) -> Recent:
    """Read the worker's log. Raises ServiceFailed."""
    starts = Counter(_starts(logs, group, since=now - timedelta(minutes=STARTS_MINUTES)))
    return Recent(
        use=[
            Use(
                route=route.name,
                starts=starts[route.name],
                starts_max=max(1, round(route.rate_per_second * 60 * STARTS_MINUTES)),
            )
            for route in routes
        ],
        failures=_failures(logs, group, now),
    )


def _starts(logs: CloudWatchLogsClient, group: str, *, since: datetime) -> Iterator[str]:
    """The name of the route of each start."""
    with service_errors("Reading logs"):
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=group,
            startTime=int(since.timestamp() * 1000),
            filterPattern=f'"{MODEL_ERRORS.name}"',
        )
        for page in pages:
            for event in page["events"]:
                told = _metrics(event["message"])
                for _start in told.get(MODEL_ERRORS.name, ()):
                    yield f"{told['model']}@{told['region']}"


def _metrics(text: str) -> dict[str, Any]:
    """A line of metrics; empty for any other."""
    try:
        told = json.loads(text)
    except ValueError:
        return {}
    return told if isinstance(told, dict) and "_aws" in told else {}


def _failures(logs: CloudWatchLogsClient, group: str, now: datetime) -> list[Failure]:
    since = now - timedelta(minutes=FAILURES_MINUTES)
    lines = log_lines(logs, group, since=since, level="INFO", about=None, terms=("job_id", "code"))
    found = [
        Failure(
            job_id=line.facts["job_id"],
            status=line.message,
            code=line.facts["code"],
            age_seconds=max(0, round((now - line.at).total_seconds())),
        )
        for line in lines
        if line.message in ENDED_BADLY
    ]
    return found[: -FAILURES_MAX - 1 : -1]
