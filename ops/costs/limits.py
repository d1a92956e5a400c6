"""How many images a stage can make: each limit, and what would move the lowest of them.

AWS's figures: a DynamoDB partition takes 1,000 write units a second, and neither an item nor, while
it is small, what an index has under one key is in two; a queue has about 120,000 messages in
flight; an account shares 10,000 requests a second in a region among its APIs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from common.config import Config
from common.routes import Route
from common.sizing import worker_concurrency
from ops.costs.usage import Usage

PARTITION_WRITES = 1_000
QUEUE_IN_FLIGHT = 120_000
ACCOUNT_REQUESTS = 10_000
UNRESERVED_LEFT = 100
"""What AWS leaves of an account's concurrency for functions without a share of their own.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html"""
HOUR = 3600
DAY = 24 * HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What bounds the images that can be made."""

    name: str
    images_per_second: float
    why: str
    """The arithmetic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """All limits of a stage, and what it takes from an account."""

    workers: int
    limits: Sequence[Limit]
    concurrency_reserved: int
    """What the deploy takes out of the account's concurrency."""
    deploys: bool
    """Whether the account has so much to reserve."""
    submits_per_second: float
    """What is taken in at most; it waits in the queue for its turn."""

    @property
    def bottleneck(self) -> Limit:
        """The lowest limit."""
        return min(self.limits, key=lambda limit: limit.images_per_second)

    def images(self, seconds: int) -> int:
        """What can be made in so many seconds, with a backlog."""
        # Rounded first: 28 / 14 × 3600 is not quite 7,200 in floating point for every latency.
        return int(round(self.bottleneck.images_per_second * seconds, 6))


def left_unreserved(account_concurrency: int) -> int:
    """What no function may reserve: everything, of an account that may run less than the usual.

    Accounts that may run 10 are told `below its minimum value of [10]`.
    """
    return min(UNRESERVED_LEFT, account_concurrency)


def capacity(config: Config, usage: Usage, *, account_concurrency: int) -> Capacity:
    """What the stage can make in an account whose functions may run so often at once."""
    assumed, events = usage.assumptions, usage.events
    routes, workers = config.routes, config.workers
    rate = sum(route.rate_per_second for route in routes)
    latency = sum(route.rate_per_second * route.p95_seconds for route in routes) / rate
    sessions = 1 / assumed.images_per_session
    looks = assumed.polling_share * assumed.polls
    requests = events.image.http_requests + looks + sessions * events.session.http_requests
    messages = events.image.socket_messages + sessions * events.session.socket_messages
    busy = latency + assumed.worker_seconds + events.image.api_invocations * assumed.api_seconds
    line, waiting = events.image.line_write_units, events.image.waiting_write_units
    models = len({route.model for route in routes})
    limits = (
        Limit(name="the models' rate", images_per_second=rate, why=_sum_of(routes)),
        Limit(
            name="workers",
            images_per_second=workers / latency,
            why=f"{workers} workers / {latency:g} s",
        ),
        Limit(
            name="the account's concurrency",
            images_per_second=account_concurrency / busy,
            why=f"{account_concurrency:,} / {busy:.1f} s of functions an image",
        ),
        Limit(
            name="the API's throttle",
            images_per_second=config.requests_per_second / requests,
            why=f"{config.requests_per_second}/s / {requests:.1f} requests an image",
        ),
        Limit(
            name="API Gateway in the account",
            images_per_second=ACCOUNT_REQUESTS / (requests + messages),
            why=f"{ACCOUNT_REQUESTS:,}/s / {requests + messages:.1f} requests and messages",
        ),
        Limit(
            name="DynamoDB: a route's line",
            images_per_second=PARTITION_WRITES / line * len(routes),
            why=f"{PARTITION_WRITES:,}/s / {line} writes to one item × {len(routes)}",
        ),
        Limit(
            name="DynamoDB: WaitingIndex",
            images_per_second=PARTITION_WRITES / waiting * models,
            why=f"{PARTITION_WRITES:,}/s / {waiting} writes to a model's key × {models}",
        ),
        Limit(
            name="SQS: messages in flight",
            images_per_second=QUEUE_IN_FLIGHT / (latency + assumed.worker_seconds),
            why=f"{QUEUE_IN_FLIGHT:,} / {latency + assumed.worker_seconds:g} s in flight",
        ),
    )
    reserved = workers + 2 * config.looks_at_once if config.reserve_concurrency else 0
    reservable = account_concurrency - left_unreserved(account_concurrency)
    return Capacity(
        workers=workers,
        limits=limits,
        concurrency_reserved=reserved,
        deploys=reserved <= reservable,
        submits_per_second=min(
            config.requests_per_second, config.looks_at_once / assumed.api_seconds
        ),
    )


def _sum_of(routes: Sequence[Route]) -> str:
    return " + ".join(f"{route.rate_per_second:g}/s" for route in routes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something that an operator could do."""

    name: str
    config: Config
    account_concurrency: int
    remark: str


def changes(config: Config, *, account_concurrency: int) -> Sequence[Change]:
    """What could be changed, the present first."""
    route = config.routes[0]

    def change(name: str, remark: str, *routes: Route, account: int | None = None) -> Change:
        changed = config.model_copy(update={"routes": routes or config.routes})
        account = account_concurrency if account is None else account
        return Change(name=name, config=changed, account_concurrency=account, remark=remark)

    def quota(rate: float) -> Change:
        raised = route.model_copy(update={"rate_per_second": rate})
        remark = f"{worker_concurrency((raised,))} workers; the same price an image"
        return change(f"a quota of {rate:g}/s", remark, raised)

    second = route.model_copy(update={"region": "us-east-1"})
    quick = route.model_copy(update={"p95_seconds": route.p95_seconds / 2})
    return (
        change("as configured", ""),
        quota(10),
        quota(50),
        change("a second route as fast", "today one region has these models", route, second),
        change(
            "provisioned throughput, half the latency",
            "images come sooner and take half the workers; the rate is the quota's",
            quick,
        ),
        change("a new account's concurrency of 10", "ask AWS for more", account=10),
    )
