"""What is watched: for each alarm a metric, a threshold of the configuration, and what to do.

Alarms fire at their threshold or above it, and not without data: nothing happens on a quiet night.
The one exception is what must always happen, which is missed below its threshold. What nobody has
to act on is not here but on the dashboard.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from common import metrics
from common.config import Config
from common.routes import Route
from infra.api import Api
from infra.feed import Feed
from infra.functions import Functions
from infra.measured import Measured
from infra.queue import JobsQueue

PERIOD_MINUTES = 5
_FIVE_MINUTES = Duration.minutes(PERIOD_MINUTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """One alarm."""

    section: str
    """The title of its section in the runbook."""
    says: str
    """What it means and what to do first, for the one who is told."""
    metric: cloudwatch.Metric
    threshold: float
    periods: int = 1
    """How many periods in a row."""
    expected: bool = False
    """Whether so much must always be there: then less, or no data, is what fires."""
    apart: str = ""
    """What it is about, of several with the same section: a route."""

    @property
    def name(self) -> str:
        """The construct's name."""
        return f"{self.section}@{self.apart}" if self.apart else self.section

    def description(self, runbook_url: str) -> str:
        """What whoever is told reads, with where to read on."""
        about = f"{self.apart}: " if self.apart else ""
        return f"{about}{self.says} {runbook_url}#{self.section.lower()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What there is to watch."""

    config: Config
    queue: JobsQueue
    api: Api
    feed: Feed
    functions: Functions


def watches(watched: Watched) -> tuple[Watch, ...]:
    """Every alarm of the stack, by what it is about."""
    measured = Measured(watched.config.stack_name)
    return (
        *_jobs(watched, measured),
        *_model(watched.config, measured),
        *_money(watched.config, measured),
        *_machine(watched, measured),
        *_pushes(watched.config, watched.feed),
        *_sweep(watched, measured),
    )


def _jobs(watched: Watched, measured: Measured) -> Iterator[Watch]:
    when, queue = watched.config.alarms, watched.queue
    yield Watch(
        section="DeadLetters",
        says="Messages that nobody could deal with: `imagify dlq list`; leftovers: `dlq tidy`.",
        metric=queue.dead_letters.metric_approximate_number_of_messages_visible(
            period=Duration.minutes(1), statistic="Maximum"
        ),
        threshold=when.dead_letters,
    )
    yield Watch(
        section="StalledJobs",
        says="Jobs have stalled, their credits held: `imagify dlq list`, then redrive or discard.",
        metric=measured.counted(metrics.STALLED_JOBS, "sweep", statistic="Maximum"),
        threshold=when.stalled_jobs,
    )
    yield Watch(
        section="OldestJob",
        says="Messages are not taken: the worker is broken, throttled, or asked for far too much.",
        metric=queue.jobs.metric_approximate_age_of_oldest_message(
            period=_FIVE_MINUTES, statistic="Maximum"
        ),
        threshold=when.oldest_job_seconds,
    )
    yield Watch(
        section="JobsNotTaken",
        says="A model takes no job: its access, its end of life or the routes in cdk.json.",
        metric=measured.counted(metrics.JOBS_NOT_TAKEN, "worker"),
        threshold=when.jobs_not_taken,
    )


def _model(config: Config, measured: Measured) -> Iterator[Watch]:
    when = config.alarms
    yield Watch(
        section="ModelAway",
        says="No route of a model works; jobs wait: `imagify status`.",
        metric=measured.counted(metrics.MODELS_AWAY, "sweep", statistic="Minimum"),
        threshold=when.models_away,
        periods=when.model_away_minutes // PERIOD_MINUTES,
    )
    for route in config.routes:
        yield Watch(
            section="ModelErrors",
            says="Too many calls fail, though the route is used: `imagify logs worker`.",
            metric=measured.of_route(metrics.MODEL_ERRORS, route, statistic="Average"),
            threshold=when.model_error_percent / 100,
            periods=when.model_minutes // PERIOD_MINUTES,
            apart=route.name,
        )
        yield Watch(
            section="ModelSlow",
            says="Calls take longer than the workers are sized for: raise the route's p95_seconds.",
            metric=measured.of_route(metrics.MODEL_LATENCY, route, statistic="p95"),
            threshold=slow_seconds(config, route),
            periods=when.model_minutes // PERIOD_MINUTES,
            apart=route.name,
        )


def slow_seconds(config: Config, route: Route) -> float:
    """From what latency on a route is slow."""
    return round(route.p95_seconds * config.alarms.model_slow_percent / 100, 2)


def _money(config: Config, measured: Measured) -> Iterator[Watch]:
    when = config.alarms
    for service in metrics.PAYMENTS_TO_REVIEW.senders:
        yield Watch(
            section=f"MoneyThatDoesNotFit{service.title()}",
            says="Money came that is not booked, or a refund does not end: `imagify payments list` "
            "with --status review or refunding names them, confirm or close decides them.",
            metric=measured.counted(metrics.PAYMENTS_TO_REVIEW, service),
            threshold=when.payments_to_review,
        )
    yield Watch(
        section="NotificationsFail",
        says="VNPAY's word on payments is not booked: read payments' logs; the sweep asks later.",
        metric=measured.counted(metrics.NOTIFICATIONS_FAILED, "payments"),
        threshold=when.notifications_failed,
    )
    yield Watch(
        section="PaidNotCredited",
        says="VNPAY's notifications do not come: people have paid and waited for the sweep.",
        metric=measured.counted(metrics.PAYMENTS_HEALED, "sweep", period=Duration.hours(1)),
        threshold=when.payments_healed,
    )
    yield Watch(
        section="PaymentsNotHealed",
        says="VNPAY does not answer questions about payments: read the logs of the sweep.",
        metric=measured.counted(metrics.PAYMENTS_NOT_HEALED, "sweep"),
        threshold=when.payments_not_healed,
    )


def _machine(watched: Watched, measured: Measured) -> Iterator[Watch]:
    when = watched.config.alarms
    yield Watch(
        section="ServerErrors",
        says="The API answers with 5xx: read the logs of the function behind it.",
        metric=watched.api.http.metric_server_error(period=_FIVE_MINUTES, statistic="Sum"),
        threshold=when.server_errors,
    )
    yield Watch(
        section="SignInsFail",
        says="People cannot sign in, or not see their balance: read the logs of accounts.",
        metric=watched.functions.accounts.metric_errors(period=_FIVE_MINUTES, statistic="Sum"),
        threshold=when.account_errors,
    )
    yield Watch(
        section="TablesThrottled",
        says="DynamoDB refuses requests for their rate: see which table in its own metrics.",
        metric=measured.throttles("dynamodb"),
        threshold=when.table_throttles,
    )
    yield Watch(
        section="ColdStarts",
        says="Submits keep starting their environment while people wait: it dies, or bursts come.",
        metric=measured.counted(metrics.COLD_STARTS, "submit"),
        threshold=when.cold_starts,
        periods=when.cold_starts_minutes // PERIOD_MINUTES,
    )


def _pushes(config: Config, feed: Feed) -> Iterator[Watch]:
    yield Watch(
        section="PushesFail",
        says="Clients are told nothing of what changes and have to look: read the logs of push.",
        metric=feed.push.metric_errors(period=_FIVE_MINUTES, statistic="Sum"),
        threshold=config.alarms.push_errors,
    )
    yield Watch(
        section="PushesLate",
        says="Clients are told late: push cannot keep up, or its sockets do not read.",
        metric=feed.push.metric("IteratorAge", period=_FIVE_MINUTES, statistic="Maximum"),
        threshold=config.alarms.push_late_seconds * 1000,
    )


def _sweep(watched: Watched, measured: Measured) -> Iterator[Watch]:
    when = watched.config.alarms
    yield Watch(
        section="SweepErrors",
        says="The sweep met something unexpected, and went on with the rest: read its logs.",
        metric=measured.counted(metrics.UNEXPECTED_ERRORS, "sweep"),
        threshold=when.sweep_unexpected_errors,
    )
    yield Watch(
        section="JobsNotMended",
        says="Jobs without a message or a worker are not sent again: read the sweep's logs.",
        metric=measured.counted(metrics.JOBS_NOT_MENDED, "sweep"),
        threshold=when.jobs_not_mended,
    )
    yield Watch(
        section="SweepFails",
        says="Nobody looks after lost jobs and payments without news: read the sweep's logs.",
        metric=watched.functions.sweep.metric_errors(period=_FIVE_MINUTES, statistic="Sum"),
        threshold=when.sweep_errors,
    )
    yield Watch(
        section="SweepGone",
        says="The sweep is not even begun: look at its schedule, `imagify doctor`.",
        metric=watched.functions.sweep.metric_invocations(period=_FIVE_MINUTES, statistic="Sum"),
        threshold=when.sweeps_begun,
        periods=2,
        expected=True,
    )
