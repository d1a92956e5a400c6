"""Logs and metrics, the same in every function.

Log lines carry job and user ids, never prompts, addresses or tokens. Lambda itself traces each
invocation; the SDK that would add a line for each call in it costs a third of a cold start, see
docs/decisions/0018-what-a-cold-start-loads.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

logger = Logger()
metrics = Metrics()

NOT_TAKEN = "JobsNotTaken"
"""The metric of jobs that the model takes under no circumstances, which an alarm watches."""
TO_REVIEW = "PaymentsToReview"
"""The metric of money that does not fit its payment, which an alarm watches."""

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


def count(name: str, number: int = 1) -> None:
    """Add to a metric of this invocation."""
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=number)


def seconds(name: str, value: float) -> None:
    """Note a duration among the metrics of this invocation."""
    metrics.add_metric(name=name, unit=MetricUnit.Seconds, value=value)


def observed(handler: Handler) -> Handler:
    """A Lambda handler with its request id on each log line, and its metrics written."""

    @logger.inject_lambda_context(clear_state=True)
    @wraps(handler)
    def with_metrics(event: dict[str, Any], context: Any) -> dict[str, Any]:
        try:
            return handler(event, context)
        finally:
            if metrics.metric_set:
                metrics.flush_metrics()

    return cast("Handler", with_metrics)
