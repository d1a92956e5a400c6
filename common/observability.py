"""Logs and metrics, the same in every function.

Log lines carry job and user ids, never prompts, addresses or tokens, and metrics less than that.
Lambda traces each invocation by itself, and botocore sends the trace along with each call: SQS
keeps it with a message, and Lambda links the worker's trace to it. A log line has the trace's id
beside the job's. The SDK that would add a line for each call costs a third of a cold start
(docs/decisions/0018-what-a-cold-start-loads.md).
https://docs.aws.amazon.com/xray/latest/devguide/xray-services-sqs.html
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import EphemeralMetrics

from common.metrics import (
    COLD_STARTS,
    MODEL_ERRORS,
    MODEL_LATENCY,
    MODEL_THROTTLES,
    MODEL_USD,
    THROTTLES,
    Dimensions,
    Metric,
    function_dimensions,
    route_dimensions,
)
from common.routes import Route

logger = Logger()
metrics = Metrics()

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]

_apart: dict[Dimensions, EphemeralMetrics] = {}
"""What is counted under other dimensions than the function's own name."""
_cold = iter((True,))
"""True for an environment's first invocation, and nothing more after it."""


def add(metric: Metric, value: float, dimensions: Dimensions | None = None) -> None:
    """Add a value to a metric of this invocation, under the function's name or other dimensions."""
    kept: Any = metrics
    if dimensions is not None:
        if dimensions not in _apart:
            _apart[dimensions] = EphemeralMetrics(default_dimensions=dict(dimensions))
        kept = _apart[dimensions]
    kept.add_metric(name=metric.name, unit=metric.unit, value=value)


def count(metric: Metric, number: int = 1) -> None:
    """Add to a metric of this invocation."""
    add(metric, number)


def seconds(metric: Metric, value: float) -> None:
    """Note a duration among the metrics of this invocation."""
    add(metric, value)


def count_start(
    route: Route,
    *,
    failed: bool = False,
    throttled: bool = False,
    took_seconds: float | None = None,
    usd: float | None = None,
) -> None:
    """Note how a start of a model ended; what it took and cost, if it made an image."""
    values = {
        MODEL_ERRORS: float(failed),
        MODEL_THROTTLES: float(throttled),
        MODEL_LATENCY: took_seconds,
        MODEL_USD: usd,
    }
    for metric, value in values.items():
        if value is not None:
            add(metric, value, route_dimensions(route))


def count_throttle(store: str) -> None:
    """Note that an AWS service has said that we ask too much; botocore may ask again."""
    add(THROTTLES, 1, function_dimensions(store))


def about(**ids: str) -> None:
    """Put ids on each further log line of this invocation; nothing but ids."""
    logger.append_keys(**ids)


def observed(handler: Handler) -> Handler:
    """A Lambda handler with its request id on each log line, and its metrics written."""

    @logger.inject_lambda_context(clear_state=True)
    @wraps(handler)
    def with_metrics(event: dict[str, Any], context: Any) -> dict[str, Any]:
        if next(_cold, False):
            count(COLD_STARTS)
        try:
            return handler(event, context)
        finally:
            _flush()

    return cast("Handler", with_metrics)


def _flush() -> None:
    every: list[Any] = [metrics, *_apart.values()]
    for kept in every:
        if kept.metric_set:
            kept.flush_metrics()
