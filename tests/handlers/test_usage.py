"""What each thing that happens takes of AWS, counted on the real handlers: `ops/costs/usage.toml`.

`make count-usage` writes that file's counts anew.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

import boto3
import pytest

from common.aws import clients
from common.indexes import WAITING_INDEX
from common.wiring import payments as payments_wiring
from common.wiring import push as push_wiring
from common.wiring import status as status_wiring
from common.wiring import submit as submit_wiring
from common.wiring import sweep as sweep_wiring
from functions.accounts import handler as accounts
from functions.feed import handler as feed
from functions.payments import handler as payments
from functions.push import handler as push
from functions.status import handler as status
from functions.submit import handler as submit
from functions.sweep import handler as sweep
from functions.worker import handler as worker
from ops.costs.usage import USAGE, Counts, read_usage
from tests.contract.backends import (
    JOBS_TABLE,
    LEDGER_TABLE,
    PAYMENTS_TABLE,
    REGION,
    ROUTES_TABLE,
    USERS_TABLE,
)
from tests.fakes_money import FakeGateway
from tests.handlers.calls import Context, event
from tests.handlers.meter import Meter
from tests.handlers.wired import FEED_API, FEED_STAGE
from tests.vnpay_by_hand import ipn

PROMPT = ("a lighthouse at dawn, watercolour, soft light, gulls over the rocks, " * 3)[:200]
"""As long as a careful person's; longer ones are rare."""
IMAGES_THERE = 24
"""What a person's page lists: the gallery shows so many."""
KEPT = (JOBS_TABLE, USERS_TABLE, LEDGER_TABLE, PAYMENTS_TABLE)
STREAMED = (JOBS_TABLE, USERS_TABLE)
LATENCIES = 32
"""As many as a line keeps."""
LOG_EVENT_BYTES = 26
"""What CloudWatch Logs adds to each event's text."""
PINGS = 3
"""What keeps a socket of 15 minutes open."""
VNPAYS = "/payments/vnpay/"
"""Where VNPAY calls, and where it sends people back to: both past CloudFront."""
APART = 0.1
"""Bytes of two counts differ by a tenth at most: ids and times are not always as long."""


class Counted:
    """Runs handlers, and counts what they take."""

    def __init__(self, meter: Meter, written: Callable[[], str]) -> None:
        self.meter = meter
        self._written = written
        self._kept = meter.stored_bytes(*KEPT)
        self.metrics: set[tuple[str, ...]] = set()

    def run(self, handler: Any, sent: Mapping[str, Any]) -> Any:
        """One invocation, in an environment that has read nothing yet."""
        for services in (submit_wiring.services, status_wiring.services, push_wiring.services):
            services.cache_clear()
        answer = handler(dict(sent), Context(seconds_left=55))
        kind = "worker" if handler is worker.handler else "api"
        self.meter.counts[f"{kind}_invocations"] += 1
        if isinstance(answer, dict) and "body" in answer:
            ways = ("",) if sent["rawPath"].startswith(VNPAYS) else ("", "edge_")
            for way in ways:
                self.meter.counts[f"{way or 'http_'}requests"] += 1
                self.meter.counts[f"{way}out_bytes"] += len(answer["body"])
        return answer

    def ask(self, handler: Any, name: str, user_id: str, path: str = "", query: str = "") -> Any:
        """A signed-in user's request; the answer's body, read."""
        sent = event(name)
        sent["requestContext"]["authorizer"]["jwt"]["claims"]["user_id"] = user_id
        if path:
            sent["rawPath"] = sent["requestContext"]["http"]["path"] = path
        if query:
            sent["rawQueryString"] = query
            sent["queryStringParameters"] = dict(part.split("=") for part in query.split("&"))
        return json.loads(self.run(handler, sent)["body"])

    def push_all(self) -> None:
        """What the streams bring of all that was written, each change by itself."""
        changes = [item for table, item in self.meter.written if table in STREAMED]
        for item in changes:
            self.run(push.handler, {"Records": [{"dynamodb": {"NewImage": item}}]})

    def taken(self) -> Counts:
        """What was taken since the last time."""
        kept = self.meter.stored_bytes(*KEPT)
        lines = [line for line in self._written().splitlines() if line]
        self.metrics = {metric for line in lines for metric in metrics_in(line)}
        counts = Counts(
            **dict(self.meter.counts),
            log_bytes=sum(len(line.encode()) + LOG_EVENT_BYTES for line in lines),
            kept_bytes=max(0, kept - self._kept),
            line_write_units=self.meter.writes[ROUTES_TABLE],
            waiting_write_units=self.meter.writes[f"{JOBS_TABLE}/{WAITING_INDEX}"],
        )
        self._kept = kept
        self.meter.reset()
        return counts


def metrics_in(line: str) -> list[tuple[str, ...]]:
    """The metrics that a line of the log writes, as they are paid for: name and dimensions."""
    said = json.loads(line)
    told = said.get("_aws", {}).get("CloudWatchMetrics", [])
    return [
        (each["Name"], *(f"{name}={said[name]}" for name in sorted(dimensions)))
        for part in told
        for dimensions in part["Dimensions"]
        for each in part["Metrics"]
    ]


@pytest.fixture
def counted(
    user_id: str, written: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Counted]:
    """A person with a page full of images and an open socket, and a line that has been used."""
    looking = boto3.client("dynamodb", region_name=REGION)
    meter = Meter(looking=looking)
    counted = Counted(meter, written)
    work(counted, submit_one(counted, user_id))
    fill(looking, user_id)
    connect(counted, user_id)
    gateway = replace(sweep_wiring.services(), gateway=FakeGateway())
    monkeypatch.setattr(sweep, "services", lambda: gateway)
    for client in (
        clients.dynamodb(REGION),
        clients.sqs(REGION),
        clients.s3(REGION),
        clients.sockets(REGION, api_id=FEED_API, stage=FEED_STAGE),
    ):
        meter.watch(client)
    counted.taken()
    yield counted
    looking.close()


def fill(looking: Any, user_id: str) -> None:
    """Copy the person's image until there are many, and give the line all its latencies."""
    (job,) = looking.scan(TableName=JOBS_TABLE)["Items"]
    for number in range(1, IMAGES_THERE):
        other = job["job_id"]["S"][:-2] + f"{number:02}"
        looking.put_item(TableName=JOBS_TABLE, Item={**job, "job_id": {"S": other}})
    (line,) = looking.scan(TableName=ROUTES_TABLE)["Items"]
    latencies = {f"latency_ms_{number}": {"N": "13750"} for number in range(LATENCIES)}
    looking.put_item(TableName=ROUTES_TABLE, Item={**line, **latencies})
    assert user_id


def submit_one(counted: Counted, user_id: str) -> str:
    sent = event("post_jobs")
    sent["body"] = json.dumps({"prompt": PROMPT})
    sent["requestContext"]["authorizer"]["jwt"]["claims"]["user_id"] = user_id
    sent["headers"]["idempotency-key"] = uuid4().hex
    job_id: str = json.loads(counted.run(submit.handler, sent)["body"])["job_id"]
    return job_id


def work(counted: Counted, job_id: str) -> None:
    sent = event("sqs")
    sent["Records"][0]["body"] = json.dumps({"job_id": job_id})
    assert counted.run(worker.handler, sent) == {"batchItemFailures": []}


def connect(counted: Counted, user_id: str, connection_id: str = "Zq3hUd1mSQ0CJ7w=") -> None:
    ticket = counted.ask(feed.handler, "post_tickets", user_id)["ticket"]
    sent = event("socket_connect")
    sent["queryStringParameters"]["ticket"] = ticket
    sent["requestContext"]["connectionId"] = connection_id
    assert counted.run(feed.handler, sent) == {"statusCode": 200}


def session(counted: Counted, user_id: str) -> Counts:
    """What the page does from its opening to its closing, without the images of it."""
    counted.run(accounts.handler, event("sign_in"))
    counted.run(status.handler, event("get_models"))
    counted.ask(accounts.handler, "get_me", user_id)
    counted.ask(status.handler, "get_jobs", user_id, query="limit=20")
    counted.ask(status.handler, "get_jobs", user_id, query="status=stalled&limit=20")
    counted.ask(status.handler, "get_jobs", user_id, query="status=succeeded&limit=24")
    connect(counted, user_id, "another=")
    sent = event("socket_message")
    sent["requestContext"]["connectionId"] = "another="
    counted.run(feed.handler, sent)
    for _ping in range(PINGS):
        counted.run(feed.handler, sent | {"body": "{}"})
    counted.meter.counts["socket_messages"] += 1 + PINGS
    closed = event("socket_disconnect")
    closed["requestContext"]["connectionId"] = "another="
    counted.run(feed.handler, closed)
    return counted.taken()


def image(counted: Counted, user_id: str) -> Counts:
    work(counted, submit_one(counted, user_id))
    counted.push_all()
    return counted.taken()


def look(counted: Counted, user_id: str) -> Counts:
    job_id = submit_one(counted, user_id)
    counted.taken()
    counted.ask(status.handler, "get_job", user_id, path=f"/jobs/{job_id}")
    return counted.taken()


def purchase(counted: Counted, user_id: str) -> Counts:
    counted.run(payments.handler, event("get_packages"))
    txn_ref = counted.ask(payments.handler, "post_payments", user_id)["txn_ref"]
    owed = payments_wiring.services().payments.get(txn_ref)
    assert owed is not None
    query = ipn(owed)
    for name in ("get_ipn", "get_return"):
        counted.run(payments.handler, {**event(name), "rawQueryString": query})
    counted.ask(payments.handler, "get_payment", user_id, path=f"/payments/{txn_ref}")
    counted.push_all()
    return counted.taken()


def sweeping(counted: Counted, _user_id: str) -> Counts:
    counted.run(sweep.handler, event("sweep"))
    return counted.taken()


EVENTS = {
    "session": session,
    "image": image,
    "look": look,
    "purchase": purchase,
    "sweep": sweeping,
}


@pytest.mark.parametrize("name", EVENTS)
def test_usage_is_what_the_handlers_take(name: str, counted: Counted, user_id: str) -> None:
    found = EVENTS[name](counted, user_id).model_dump()
    if os.environ.get("COUNT_USAGE"):
        write(name, found)
    read_usage.cache_clear()
    told = getattr(read_usage().events, name).model_dump()
    for what, number in told.items():
        apart = APART if what.endswith("_bytes") else 0
        assert number == pytest.approx(found[what], rel=apart, abs=0), what


def test_metrics_cost_in_the_hours_in_which_they_are_written(
    counted: Counted, user_id: str
) -> None:
    standing = read_usage().standing
    sweeping(counted, user_id)
    steady = counted.metrics
    assert len(steady) == standing.metrics_steady
    busy: set[tuple[str, ...]] = set()
    for happens in (session, image, purchase):
        happens(counted, user_id)
        busy |= counted.metrics
    # One image is made on one route.
    assert len(busy - steady) == standing.metrics_busy + standing.metrics_busy_a_route


def write(name: str, counts: Mapping[str, float]) -> None:
    """Put an event's counts into the file, in the place of those that are there."""
    # Full hundreds of bytes: ids and times are not always as long.
    rounded = {
        what: math.ceil(number / 100) * 100 if what.endswith("_bytes") else number
        for what, number in counts.items()
    }
    told = "".join(f"{what} = {number:_}\n" for what, number in rounded.items() if number)
    section = re.compile(rf"\[events\.{name}\]\n(?:[a-z_]+ = .*\n)*")
    text = USAGE.read_text(encoding="utf-8")
    USAGE.write_text(section.sub(f"[events.{name}]\n{told}", text), encoding="utf-8")
