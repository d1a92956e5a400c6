"""The dashboard's graphs, each of which answers one question.

Titles are for whoever is woken: what it shows, with the unit at its axis, and at which level an
alarm is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_

from common import metrics
from common.metrics import Metric
from common.routes import Route
from infra.measured import FIVE_MINUTES, Measured
from infra.watches import Watched, slow_seconds

HEIGHT = 6
GREEN, BLUE, RED, ORANGE = "#2ca02c", "#1f77b4", "#d62728", "#ff7f0e"
GREY, PURPLE, OLIVE = "#7f7f7f", "#9467bd", "#bcbd22"
METRICS_MAX = 50
"""A dashboard with more metrics than that is not free of charge; each route has six lines here."""
NOT_ANSWERING = (metrics.WORKER, metrics.SWEEP, metrics.PUSH, metrics.FEED, metrics.ACCOUNTS)
"""Whose failures are not, or not only, answers of the API."""
NEVER_WAITING = (metrics.ACCOUNTS, metrics.PAYMENTS, metrics.PUSH)
"""Whose duration says how fast they are: others wait as long as they are asked to."""
MANY_AT_ONCE = (metrics.SUBMIT, metrics.STATUS, metrics.WORKER)
"""Whose concurrency is reserved."""


class Graphs:
    """The graphs of one stack."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._config = watched.config
        self._measured = Measured(watched.config.stack_name)
        self._functions = _functions(watched)

    # Are people served?

    def ends(self) -> cloudwatch.GraphWidget:
        """How many are asked for, and how they end."""
        return _graph(
            "Submits, and how jobs end",
            "jobs in five minutes",
            [
                self._count(metrics.JOBS_SUBMITTED, "submit", "submitted", GREY),
                self._count(metrics.JOBS_SUCCEEDED, "worker", "succeeded", GREEN),
                self._count(metrics.JOBS_RECALLED, "worker", "earlier image", BLUE),
                self._count(metrics.JOBS_REFUSED, "worker", "refused", PURPLE),
                self._count(metrics.JOBS_FAILED, "worker", "failed", RED),
                self._count(metrics.JOBS_STALLED, "worker", "stalled", ORANGE),
                self._count(metrics.JOBS_CANCELED, "status", "canceled", OLIVE),
            ],
            width=12,
        )

    def wait(self) -> cloudwatch.GraphWidget:
        """How long people wait."""
        return _graph(
            "From submit to start",
            "seconds",
            [
                self._measured.counted(
                    metrics.QUEUE_WAIT, "worker", statistic=statistic, label=label
                )
                for statistic, label in (("p50", "half wait less"), ("p95", "1 of 20 waits longer"))
            ],
        )

    def oldest(self) -> cloudwatch.GraphWidget:
        """Whether the queue moves."""
        return _graph(
            "Age of the oldest message",
            "seconds",
            [
                self._watched.queue.jobs.metric_approximate_age_of_oldest_message(
                    period=FIVE_MINUTES, statistic="Maximum", label="oldest"
                )
            ],
            marks={"alarm": self._config.alarms.oldest_job_seconds},
        )

    def messages(self) -> cloudwatch.GraphWidget:
        """What is in the queue."""
        queue = self._watched.queue.jobs
        return _graph(
            "The queue",
            "messages",
            [
                queue.metric_approximate_number_of_messages_visible(
                    period=FIVE_MINUTES, statistic="Maximum", label="waiting"
                ),
                queue.metric_approximate_number_of_messages_delayed(
                    period=FIVE_MINUTES, statistic="Maximum", label="delayed"
                ),
            ],
            width=12,
        )

    def set_aside(self) -> cloudwatch.GraphWidget:
        """What waits for an operator."""
        return _graph(
            "Set aside, for an operator",
            "messages, jobs",
            [
                self._watched.queue.dead_letters.metric_approximate_number_of_messages_visible(
                    period=FIVE_MINUTES, statistic="Maximum", label="dead letters"
                ),
                self._measured.counted(
                    metrics.STALLED_JOBS, "sweep", statistic="Maximum", label="stalled jobs"
                ),
            ],
            marks={"alarm": self._config.alarms.dead_letters},
        )

    def pushes(self) -> cloudwatch.GraphWidget:
        """What open pages are told."""
        return _graph(
            "Pushes to open pages",
            "pushes in five minutes",
            [
                self._count(metrics.PUSHES_TAKEN, "push", "taken", GREEN),
                self._count(metrics.PUSHES_FAILED, "push", "failed", RED),
            ],
        )

    # The model

    def latency(self) -> cloudwatch.GraphWidget:
        """What a call takes, beside what the workers are sized for."""
        routes = self._config.routes
        return _graph(
            "Latency of a call",
            "seconds",
            [
                self._measured.of_route(
                    metrics.MODEL_LATENCY,
                    route,
                    statistic=statistic,
                    label=f"{said}, {self._name(route)}",
                )
                for route in routes
                for statistic, said in (("p50", "typical"), ("p95", "1 of 20"))
            ],
            marks={
                f"{what}, {self._name(route)}" if len(routes) > 1 else what: seconds
                for route in routes
                for what, seconds in (
                    ("sized for", route.p95_seconds),
                    ("alarm", slow_seconds(self._config, route)),
                )
            },
        )

    def starts(self) -> cloudwatch.GraphWidget:
        """How much of the quota is used."""
        routes = self._config.routes
        return _graph(
            "Starts, and the quota",
            "starts a minute",
            [
                self._measured.of_route(
                    metrics.MODEL_ERRORS,
                    route,
                    statistic="SampleCount",
                    period=Duration.minutes(1),
                    label=self._name(route),
                )
                for route in routes
            ],
            marks={
                f"quota {rate:g}/s": rate * 60
                for rate in sorted({route.rate_per_second for route in routes})
            },
        )

    def model_errors(self) -> cloudwatch.GraphWidget:
        """How many of a hundred starts fail."""
        return _graph(
            "Starts that fail",
            "share of starts",
            [
                self._measured.of_route(
                    metrics.MODEL_ERRORS, route, statistic="Average", label=self._name(route)
                )
                for route in self._config.routes
            ],
            marks={"alarm": self._config.alarms.model_error_percent / 100},
            most=1,
        )

    def model_throttles(self) -> cloudwatch.GraphWidget:
        """Whether the quota is kept."""
        return _graph(
            "Starts that are throttled",
            "starts in five minutes",
            [
                self._measured.of_route(
                    metrics.MODEL_THROTTLES, route, statistic="Sum", label=self._name(route)
                )
                for route in self._config.routes
            ],
        )

    # Money

    def payments(self) -> cloudwatch.GraphWidget:
        """Who buys, and how it ends."""
        return _graph(
            "Payments",
            "payments in five minutes",
            [
                self._count(metrics.PAYMENTS_BEGUN, "payments", "begun", GREY),
                self._count(metrics.PAYMENTS_PAID, "payments", "paid", GREEN),
                self._count(metrics.PAYMENTS_HEALED, "sweep", "paid, found by asking", BLUE),
                self._count(metrics.PAYMENTS_FAILED, "payments", "failed", RED),
            ],
            width=12,
        )

    def discrepancies(self) -> cloudwatch.GraphWidget:
        """Money that a person has to look into."""
        return _graph(
            "What does not add up",
            "in five minutes",
            [
                self._count(metrics.PAYMENTS_TO_REVIEW, "payments", "to review, told", RED),
                self._count(metrics.PAYMENTS_TO_REVIEW, "sweep", "to review, found", ORANGE),
                self._count(metrics.NOTIFICATIONS_FAILED, "payments", "not booked", PURPLE),
            ],
            marks={"alarm": self._config.alarms.payments_to_review},
        )

    def cost(self) -> cloudwatch.GraphWidget:
        """What Bedrock will ask for, by the catalogue's prices."""
        return _graph(
            "What the images cost",
            "USD an hour",
            [
                self._measured.of_route(
                    metrics.MODEL_USD,
                    route,
                    statistic="Sum",
                    period=Duration.hours(1),
                    label=self._name(route),
                )
                for route in self._config.routes
            ],
        )

    # The machine

    def errors(self) -> cloudwatch.GraphWidget:
        """Invocations that did not come to their end."""
        return _graph(
            "Invocations that fail",
            "in five minutes",
            [
                self._functions[name].metric_errors(
                    period=FIVE_MINUTES, statistic="Sum", label=name
                )
                for name in NOT_ANSWERING
            ],
        )

    def durations(self) -> cloudwatch.GraphWidget:
        """How long people wait for an answer."""
        return _graph(
            "Duration, 1 of 20 is longer",
            "milliseconds",
            [
                self._functions[name].metric_duration(
                    period=FIVE_MINUTES, statistic="p95", label=name
                )
                for name in NEVER_WAITING
            ],
        )

    def concurrency(self) -> cloudwatch.GraphWidget:
        """How much of the account's concurrency is used."""
        return _graph(
            "At the same time",
            "environments at work",
            [
                self._functions[name].metric(
                    "ConcurrentExecutions", period=FIVE_MINUTES, statistic="Maximum", label=name
                )
                for name in MANY_AT_ONCE
            ],
            marks={"workers": self._config.workers},
        )

    def cold_starts(self) -> cloudwatch.GraphWidget:
        """How often an environment is started."""
        return _graph(
            "Cold starts",
            "in five minutes",
            [
                self._measured.counted(metrics.COLD_STARTS, name, label=name)
                for name in MANY_AT_ONCE
            ],
            marks={"alarm, of submit": self._config.alarms.cold_starts},
        )

    def answers(self) -> cloudwatch.GraphWidget:
        """What the API answers."""
        api = self._watched.api.http
        return _graph(
            "Answers of the API",
            "requests in five minutes",
            [
                api.metric_count(period=FIVE_MINUTES, statistic="Sum", label="all"),
                api.metric_client_error(period=FIVE_MINUTES, statistic="Sum", label="4xx"),
                api.metric_server_error(period=FIVE_MINUTES, statistic="Sum", label="5xx"),
            ],
            width=8,
        )

    def throttles(self) -> cloudwatch.GraphWidget:
        """Whether we ask DynamoDB too much."""
        return _graph(
            "DynamoDB refuses us for our rate",
            "answers in five minutes",
            [self._measured.throttles("dynamodb", label="dynamodb")],
            width=8,
            marks={"alarm": self._config.alarms.table_throttles},
        )

    def mended(self) -> cloudwatch.GraphWidget:
        """What nobody else has finished."""
        return _graph(
            "What the sweep had to do",
            "jobs in five minutes",
            [
                self._count(metrics.JOBS_SENT_AGAIN, "sweep", "sent again", BLUE),
                self._count(metrics.LEASES_LAPSED, "sweep", "worker died", ORANGE),
                self._count(metrics.JOBS_NOT_MENDED, "sweep", "not mended", PURPLE),
            ],
            width=8,
        )

    def _name(self, route: Route) -> str:
        """A route by its region alone, where that tells it from the others."""
        regions = [each.region for each in self._config.routes]
        return route.region if regions.count(route.region) == 1 else route.name

    def _count(self, metric: Metric, service: str, label: str, color: str) -> cloudwatch.IMetric:
        counted = self._measured.counted(metric, service, label=label)
        return counted.with_(color=color)


def _functions(watched: Watched) -> Mapping[str, lambda_.Function]:
    """Each function by the name that its metrics and logs have."""
    made, feed = watched.functions, watched.feed
    return {
        metrics.SUBMIT: made.submit,
        metrics.WORKER: made.worker,
        metrics.STATUS: made.status,
        metrics.ACCOUNTS: made.accounts,
        metrics.PAYMENTS: made.payments,
        metrics.SWEEP: made.sweep,
        metrics.FEED: feed.function,
        metrics.PUSH: feed.push,
    }


def _graph(
    title: str,
    unit: str,
    lines: Sequence[cloudwatch.IMetric],
    *,
    width: int = 6,
    marks: Mapping[str, float] | None = None,
    most: float | None = None,
) -> cloudwatch.GraphWidget:
    """Lines over time from zero on; marks are levels across, such as an alarm's threshold."""
    return cloudwatch.GraphWidget(
        title=title,
        left=lines,
        left_y_axis=cloudwatch.YAxisProps(label=unit, min=0, max=most, show_units=False),
        left_annotations=[
            cloudwatch.HorizontalAnnotation(
                label=label, value=value, color=RED if "alarm" in label else GREY
            )
            for label, value in (marks or {}).items()
        ],
        width=width,
        height=HEIGHT,
    )
