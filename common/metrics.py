"""Every metric that the functions send, declared once: nothing else can be counted.

The namespace is the stack's name. A metric has one of three sets of dimensions, none of which can
grow with the number of people or jobs: those are in the logs. Each combination of a name and its
dimensions is one that CloudWatch charges for, in the hours in which it is sent. docs/MONITORING.md
has the same list for people.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from common.routes import Route

Dimensions = tuple[tuple[str, str], ...]
"""Names and values, in order."""

SUBMIT, WORKER, STATUS, ACCOUNTS = "submit", "worker", "status", "accounts"
PAYMENTS, SWEEP, FEED, PUSH = "payments", "sweep", "feed", "push"
FUNCTIONS = (SUBMIT, WORKER, STATUS, ACCOUNTS, PAYMENTS, SWEEP, FEED, PUSH)
"""The functions, as metrics and logs name them."""
HTTP = (SUBMIT, STATUS, ACCOUNTS, PAYMENTS, FEED)
"""Those behind the HTTP API."""
STORES = ("dynamodb", "sqs", "s3", "ssm")
"""The AWS services whose throttles are counted, as botocore's events name them."""


class By(StrEnum):
    """What a metric is told apart by; the values are the dimensions, as docs write them."""

    FUNCTION = "service"
    """The function that sends it."""
    ROUTE = "service, model, region"
    """The model and the region that the worker called."""
    STORE = "service = the AWS service"
    """The AWS service that refused, whichever function asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric."""

    name: str
    senders: tuple[str, ...]
    what: str
    """What it says, for people."""
    unit: Literal["Count", "Seconds", "None"] = "Count"
    by: By = By.FUNCTION

    def series(self, routes: int) -> int:
        """How many metrics CloudWatch charges for, with so many routes, if all are sent."""
        number = {By.FUNCTION: len(self.senders), By.ROUTE: routes, By.STORE: len(STORES)}
        return number[self.by]


# Are people served?
JOBS_SUBMITTED = Metric(
    name="JobsSubmitted", senders=(SUBMIT,), what="submits that were answered with a job"
)
QUEUE_WAIT = Metric(
    name="QueueWait",
    senders=(WORKER,),
    unit="Seconds",
    what="from a job's submit to its first claim, up to 30 s before its start",
)
JOBS_SUCCEEDED = Metric(name="JobsSucceeded", senders=(WORKER,), what="images stored and paid for")
JOBS_RECALLED = Metric(
    name="JobsRecalled", senders=(WORKER,), what="answered free of charge with an earlier image"
)
JOBS_REFUSED = Metric(
    name="JobsRefused", senders=(WORKER,), what="failed, as the model's filter refused"
)
JOBS_FAILED = Metric(name="JobsFailed", senders=(WORKER,), what="failed for any other reason")
JOBS_NOT_TAKEN = Metric(
    name="JobsNotTaken", senders=(WORKER,), what="of those, failures that no prompt is to blame for"
)
JOBS_STALLED = Metric(name="JobsStalled", senders=(WORKER,), what="attempts used up")
JOBS_CANCELED = Metric(name="JobsCanceled", senders=(STATUS,), what="canceled by their owners")
JOBS_DELAYED = Metric(
    name="JobsDelayed", senders=(WORKER,), what="deliveries that wait in the queue as a new message"
)
STALLED_JOBS = Metric(
    name="StalledJobs", senders=(SWEEP,), what="jobs that are stalled now, each minute"
)

# The model
MODEL_LATENCY = Metric(
    name="ModelLatency",
    senders=(WORKER,),
    unit="Seconds",
    by=By.ROUTE,
    what="from a start to the whole image, of calls that made one",
)
MODEL_ERRORS = Metric(
    name="ModelErrors",
    senders=(WORKER,),
    by=By.ROUTE,
    what="1 for a start that failed or timed out, else 0: its average is the error rate, its "
    "sample count the starts",
)
MODEL_THROTTLES = Metric(
    name="ModelThrottles",
    senders=(WORKER,),
    by=By.ROUTE,
    what="1 for a start that was throttled, else 0",
)
MODEL_USD = Metric(
    name="ModelUsd",
    senders=(WORKER,),
    unit="None",
    by=By.ROUTE,
    what="the catalogue's price of each image that came, in USD",
)
MODELS_AWAY = Metric(
    name="ModelsAway", senders=(SWEEP,), what="models without a route in order, each minute"
)

# Money
PAYMENTS_BEGUN = Metric(name="PaymentsBegun", senders=(PAYMENTS,), what="payments begun")
PAYMENTS_PAID = Metric(
    name="PaymentsPaid", senders=(PAYMENTS, SWEEP), what="payments booked, credits given"
)
PAYMENTS_FAILED = Metric(
    name="PaymentsFailed", senders=(PAYMENTS, SWEEP), what="payments that VNPAY says failed"
)
PAYMENTS_EXPIRED = Metric(
    name="PaymentsExpired", senders=(SWEEP,), what="payments that nobody finished"
)
PAYMENTS_TO_REVIEW = Metric(
    name="PaymentsToReview",
    senders=(PAYMENTS, SWEEP),
    what="money that does not fit its payment, or a refund without an end",
)
PAYMENTS_HEALED = Metric(
    name="PaymentsHealed",
    senders=(SWEEP,),
    what="paid at VNPAY and not booked until the sweep asked",
)
PAYMENTS_NOT_HEALED = Metric(
    name="PaymentsNotHealed", senders=(SWEEP,), what="questions that VNPAY did not answer"
)
NOTIFICATIONS_FAILED = Metric(
    name="NotificationsFailed", senders=(PAYMENTS,), what="VNPAY's calls that we could not book"
)
NOTIFICATIONS_REFUSED = Metric(
    name="NotificationsRefused", senders=(PAYMENTS,), what="calls that were not VNPAY's"
)
REFUNDS_DONE = Metric(name="RefundsDone", senders=(SWEEP,), what="refunds that VNPAY has paid")
REFUNDS_REFUSED = Metric(
    name="RefundsRefused", senders=(SWEEP,), what="refunds that VNPAY refused, credits given again"
)

# The machine
COLD_STARTS = Metric(
    name="ColdStarts", senders=FUNCTIONS, what="invocations that had to start their environment"
)
UNEXPECTED_ERRORS = Metric(
    name="UnexpectedErrors", senders=(*HTTP, WORKER, SWEEP), what="bugs, each with a line of log"
)
THROTTLES = Metric(
    name="Throttles",
    senders=FUNCTIONS,
    by=By.STORE,
    what="answers of an AWS service that say we ask too much, repeats included",
)
JOBS_SENT_AGAIN = Metric(
    name="JobsSentAgain", senders=(SWEEP,), what="queued jobs that were sent once more"
)
LEASES_LAPSED = Metric(
    name="LeasesLapsed", senders=(SWEEP,), what="jobs whose worker died, sent once more"
)
JOBS_GIVEN_UP = Metric(
    name="JobsGivenUp", senders=(SWEEP,), what="stalled jobs that nobody decided about, discarded"
)
JOBS_NOT_MENDED = Metric(
    name="JobsNotMended", senders=(SWEEP,), what="jobs that the sweep could not see to"
)
PUSHES_TAKEN = Metric(name="PushesTaken", senders=(PUSH, FEED), what="pushes that a socket took")
PUSHES_FAILED = Metric(name="PushesFailed", senders=(PUSH, FEED), what="pushes that it did not")
SOCKETS_GONE = Metric(name="SocketsGone", senders=(PUSH, FEED), what="sockets found closed")
SOCKETS_OPENED = Metric(name="SocketsOpened", senders=(FEED,), what="sockets opened")

METRICS: tuple[Metric, ...] = tuple(
    each for each in list(vars().values()) if isinstance(each, Metric)
)
"""All of them, in order."""


def function_dimensions(service: str) -> Dimensions:
    """Of what a function counts, and of what an AWS service is counted for."""
    return (("service", service),)


def route_dimensions(route: Route) -> Dimensions:
    """Of what is counted by route."""
    return (("service", WORKER), ("model", route.model), ("region", route.region))


def series(metrics: Iterable[Metric], *, routes: int) -> int:
    """How many metrics CloudWatch charges for in an hour in which all of them are sent."""
    return sum(metric.series(routes) for metric in metrics)
