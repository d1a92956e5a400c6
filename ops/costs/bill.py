"""A month's bill: what so many images take, times what each thing costs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from ops.costs.prices import Price, Prices
from ops.costs.usage import FUNCTION_GB, MONTH_HOURS, Counts, Usage

GB = 1e9
"""Bytes; AWS bills some of it by 2**30, which is 7% less than what is reckoned here."""
INFREQUENT_MONTHS = 1.0
ARCHIVE_MONTHS = 3.0
"""When Intelligent-Tiering moves what nobody has looked at for 30, and for 90 days."""


class Part(StrEnum):
    """Why a line is on the bill."""

    FIXED = "fixed"
    """It is there whatever the volume."""
    VARIABLE = "variable"
    MODEL = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be paid for."""

    images: int
    """A month's."""
    model: str
    """Its id, which is also its price's name."""
    model_seconds: float
    """How long a worker waits for it."""
    log_months: float
    """How long logs are kept."""
    snap_start: bool
    domain: bool
    """Whether CloudFront hands out the images too, which it does under a domain."""
    routes: int
    """How many there are: each has alarms and metrics of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One kind of thing on the bill: `quantity × price`."""

    name: str
    """The price's."""
    what: str
    part: Part
    quantity: float
    price: Price
    free: float = 0
    """How much of the quantity AWS's always-free allowance covers."""

    @property
    def usd(self) -> float:
        """What it costs without any allowance."""
        return self.quantity * self.price.usd_each

    @property
    def billed_usd(self) -> float:
        """What it costs in an account that uses the allowances for nothing else."""
        return (self.quantity - self.free) * self.price.usd_each


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """A month's lines. `billed` is what AWS asks for; else without the always-free allowances."""

    images: int
    lines: Sequence[Line]

    def usd(self, *parts: Part, billed: bool) -> float:
        """The sum of some parts' lines, or of all."""
        of = parts or tuple(Part)
        return sum(
            line.billed_usd if billed else line.usd for line in self.lines if line.part in of
        )

    def per_image(self, *, billed: bool) -> float:
        """USD an image, all in all."""
        return self.usd(billed=billed) / self.images

    def per_thousand(self, *parts: Part, billed: bool) -> float:
        """USD for 1,000 images, of these parts, or of all but the model."""
        of = parts or (Part.FIXED, Part.VARIABLE)
        return self.usd(*of, billed=billed) / self.images * 1000


def bill(plan: Plan, usage: Usage, prices: Prices) -> Bill:
    """The month's bill. What is there anyway uses up the allowances before the images do."""
    left = {name: price.free for name, price in prices.items()}
    lines = []
    for line in _lines(plan, usage, prices):
        free = min(left[line.name], line.quantity)
        left[line.name] -= free
        if line.quantity:
            lines.append(replace(line, free=free))
    return Bill(images=plan.images, lines=lines)


def _lines(plan: Plan, usage: Usage, prices: Prices) -> Iterator[Line]:
    parts = {
        Part.FIXED: _fixed(plan, usage),
        Part.VARIABLE: _variable(plan, usage),
        Part.MODEL: [(plan.model, "images", plan.images)],
    }
    for part, quantities in parts.items():
        for name, what, quantity in quantities:
            yield Line(name=name, what=what, part=part, quantity=quantity, price=prices[name])


Quantity = tuple[str, str, float]
"""A price's name, what is paid for, and how much of it."""


def _fixed(plan: Plan, usage: Usage) -> Iterator[Quantity]:
    assumed, standing, sweep = usage.assumptions, usage.standing, usage.events.sweep
    minutes = MONTH_HOURS * 60
    sweeps = standing.sweeps_a_minute * minutes
    yield "alarms", "alarms", standing.alarms + standing.alarms_a_route * plan.routes
    yield "custom_metrics", "the sweep's metrics", standing.metrics_steady
    rare = standing.metrics_rare * standing.rare_hours / MONTH_HOURS
    yield "custom_metrics", "metrics of failures", rare
    yield "dashboards", "dashboards", standing.dashboards
    if plan.snap_start:
        cached = standing.snapshots * FUNCTION_GB * minutes * 60
        yield "snapshot_cache", "snapshots kept", cached
    yield "schedule_runs", "sweeps", sweeps
    yield "lambda_requests", "sweeps", sweeps
    yield "lambda_seconds", "sweeps", sweeps * assumed.sweep_seconds * FUNCTION_GB
    yield "table_reads", "sweeps", sweeps * sweep.read_units
    yield "traces", "sweeps", sweeps
    yield from _logs(plan, sweeps * (sweep.log_bytes + assumed.lambda_log_bytes), "sweeps")
    yield "queue_requests", "asking an idle queue", assumed.queue_polls_a_minute * minutes
    yield "alarm_mails", "mails of alarms", standing.alarm_mails


def _variable(plan: Plan, usage: Usage) -> Iterator[Quantity]:
    assumed, events = usage.assumptions, usage.events
    sessions = plan.images / assumed.images_per_session
    taken = _sum(
        (events.image, plan.images),
        (events.look, plan.images * assumed.polling_share * assumed.polls),
        (events.session, sessions),
        (events.purchase, plan.images / assumed.images_per_purchase),
    )
    busy = 1 - math.exp(-plan.images / MONTH_HOURS)
    standing = usage.standing
    metrics = standing.metrics_busy + standing.metrics_busy_a_route * plan.routes
    yield "custom_metrics", "metrics, in hours with images", metrics * busy
    yield from _functions(plan, usage, taken)
    yield "http_requests", "requests", taken["http_requests"]
    yield "socket_messages", "messages of the feed", taken["socket_messages"]
    yield "socket_minutes", "minutes of sockets", sessions * assumed.session_minutes
    yield "table_writes", "writes", taken["write_units"]
    yield "table_reads", "reads", taken["read_units"]
    kept = taken["kept_bytes"] * assumed.months_kept / GB
    yield "table_storage", "what tables keep", kept
    yield "table_recovery", "point-in-time recovery", kept
    messages = taken["queue_requests"] * (1 + assumed.queue_requests_each)
    yield "queue_requests", "sent, received, deleted", messages
    yield from _images(plan, usage)
    # A model answers with its image in base64, which takes a third more.
    yield "data_between_regions", "models' answers", plan.images * assumed.image_bytes * 4 / 3 / GB
    yield "active_users", "users", plan.images / assumed.images_per_user
    yield "edge_out", "the page", sessions * assumed.page_bytes / GB
    yield "edge_requests", "the page", sessions * assumed.page_files
    yield from _ways_to_the_api(usage, taken)


def _ways_to_the_api(usage: Usage, taken: dict[str, float]) -> Iterator[Quantity]:
    """What the page asks passes CloudFront and its function; the feed and programs go past it."""
    share = usage.assumptions.page_share
    asked, answered = taken["edge_requests"] * share, taken["edge_out_bytes"] * share
    yield "edge_requests", "the page's requests to the API", asked
    yield "edge_functions", "the page's requests to the API", asked
    yield "edge_out", "answers to the page", answered / GB
    yield "data_out", "the feed, and other answers", (taken["out_bytes"] - answered) / GB


def _functions(plan: Plan, usage: Usage, taken: dict[str, float]) -> Iterator[Quantity]:
    """What functions take to run, to start, to be traced and to log."""
    assumed = usage.assumptions
    asked, worked = taken["api_invocations"], taken["worker_invocations"]
    started = asked * assumed.start_share
    start_seconds = assumed.restored_seconds if plan.snap_start else assumed.start_seconds
    yield "lambda_requests", "invocations", asked + worked
    yield "lambda_seconds", "requests and pushes", asked * assumed.api_seconds * FUNCTION_GB
    yield "lambda_seconds", "cold starts", started * start_seconds * FUNCTION_GB
    if plan.snap_start:
        yield "snapshot_restore", "snapshots restored", started * FUNCTION_GB
    seconds = worked * (plan.model_seconds + assumed.worker_seconds)
    yield "lambda_seconds", "workers", seconds * FUNCTION_GB
    yield "traces", "invocations", asked + worked
    logged = taken["log_bytes"] + (asked + worked) * assumed.lambda_log_bytes
    yield from _logs(plan, logged, "invocations")


def _logs(plan: Plan, logged_bytes: float, what: str) -> Iterator[Quantity]:
    yield "log_ingest", f"logs of {what}", logged_bytes / GB
    yield "log_storage", f"logs of {what}, kept", logged_bytes / GB * plan.log_months


def _images(plan: Plan, usage: Usage) -> Iterator[Quantity]:
    """What images take that are stored, kept for some months, and looked at."""
    assumed = usage.assumptions
    size = plan.images * assumed.image_bytes / GB
    months = assumed.months_kept
    frequent = min(months, INFREQUENT_MONTHS)
    infrequent = max(0, min(months, ARCHIVE_MONTHS) - INFREQUENT_MONTHS)
    looks = plan.images * assumed.looks_at_image
    yield "image_puts", "images stored", plan.images
    yield "image_transitions", "moved to Intelligent-Tiering", plan.images
    yield "image_monitoring", "watched by Intelligent-Tiering", plan.images * months
    yield "image_storage_frequent", "images, first month", size * frequent
    yield "image_storage_infrequent", "images, to the third month", size * infrequent
    yield "image_storage_archive", "images, later", size * max(0, months - ARCHIVE_MONTHS)
    yield "image_gets", "looks at images", looks
    if plan.domain:
        yield "edge_requests", "looks at images", looks
    out = "edge_out" if plan.domain else "data_out"
    yield out, "looks at images", looks * assumed.image_bytes / GB


def _sum(*happened: tuple[Counts, float]) -> dict[str, float]:
    """What all that happened takes, each so many times."""
    return {
        name: sum(getattr(counts, name) * times for counts, times in happened)
        for name in Counts.model_fields
    }
