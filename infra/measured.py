"""Our own metrics, as CloudWatch knows them: what `common.metrics` declares, with its dimensions.

Alarms and the dashboard name them through here, so that none can name what nobody sends.
"""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from common.metrics import (
    STORES,
    THROTTLES,
    By,
    Dimensions,
    Metric,
    function_dimensions,
    route_dimensions,
)
from common.routes import Route

FIVE_MINUTES = Duration.minutes(5)


class Measured:
    """The metrics of one stack."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace

    def counted(
        self,
        metric: Metric,
        service: str,
        *,
        statistic: str = "Sum",
        period: Duration = FIVE_MINUTES,
        label: str | None = None,
    ) -> cloudwatch.Metric:
        """What a function has counted of that. Raises ValueError if it never does."""
        if metric.by is not By.FUNCTION or service not in metric.senders:
            raise ValueError(f"{service} does not send {metric.name}")
        return self._metric(
            metric, function_dimensions(service), statistic=statistic, period=period, label=label
        )

    def of_route(
        self,
        metric: Metric,
        route: Route,
        *,
        statistic: str,
        period: Duration = FIVE_MINUTES,
        label: str | None = None,
    ) -> cloudwatch.Metric:
        """What the worker has measured of that on a route. Raises ValueError if it never does."""
        if metric.by is not By.ROUTE:
            raise ValueError(f"{metric.name} is not told apart by route")
        return self._metric(
            metric, route_dimensions(route), statistic=statistic, period=period, label=label
        )

    def throttles(self, store: str, *, label: str | None = None) -> cloudwatch.Metric:
        """How often an AWS service has said that we ask too much. Raises ValueError."""
        if store not in STORES:
            raise ValueError(f"the throttles of {store} are not counted")
        return self._metric(
            THROTTLES,
            function_dimensions(store),
            statistic="Sum",
            period=FIVE_MINUTES,
            label=label,
        )

    def _metric(
        self,
        metric: Metric,
        dimensions: Dimensions,
        *,
        statistic: str,
        period: Duration,
        label: str | None,
    ) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=self._namespace,
            metric_name=metric.name,
            dimensions_map=dict(dimensions),
            statistic=statistic,
            period=period,
            label=label,
        )
