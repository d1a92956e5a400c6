"""What the product takes of AWS, counted on its handlers or assumed: `ops/costs/usage.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

USAGE = Path(__file__).with_name("usage.toml")
FUNCTION_GB = 0.5
"""The memory of every function."""
MONTH_HOURS = 720
"""A month has 30 days here."""

Some = Annotated[float, Field(ge=0)]
Many = Annotated[float, Field(gt=0)]


class BadAssumption(Exception):
    """An assumption that makes no sense; the message says which there are."""


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Counts(_Read):
    """What one event takes, each thing in its own unit."""

    http_requests: int = 0
    api_invocations: int = 0
    worker_invocations: int = 0
    write_units: int = 0
    read_units: float = 0
    queue_requests: int = 0
    image_puts: int = 0
    socket_messages: int = 0
    """Messages both ways."""
    out_bytes: int = 0
    """Of answers and messages to clients; images are not among them."""
    edge_requests: int = 0
    """Those of the requests that pass CloudFront when it is the page that makes them."""
    edge_out_bytes: int = 0
    """Those of the bytes out that answer them."""
    log_bytes: int = 0
    """What the functions write; what Lambda adds is assumed."""
    kept_bytes: int = 0
    """What the tables keep for good, with their indexes."""
    line_write_units: int = 0
    """Those of the write units that go to a route's line, which is one item."""
    waiting_write_units: int = 0
    """Those that go to WaitingIndex, which has one key for each model."""


class Assumptions(_Read):
    """What cannot be counted here; `ops/costs/usage.toml` says why each is what it is."""

    image_bytes: Many
    looks_at_image: Some
    months_kept: Many
    images_per_user: Many
    images_per_session: Many
    images_per_purchase: Many
    session_minutes: Some
    polling_share: Annotated[float, Field(ge=0, le=1)]
    polls: Some
    model_seconds: Many | None = None
    """None: the 95th percentile of the route that is configured."""
    api_seconds: Some
    start_share: Annotated[float, Field(ge=0, le=1)]
    start_seconds: Some
    restored_seconds: Some
    worker_seconds: Some
    sweep_seconds: Some
    lambda_log_bytes: Some
    queue_requests_each: Some
    queue_polls_a_minute: Some
    page_bytes: Some
    page_files: Some
    page_share: Annotated[float, Field(ge=0, le=1)]


class Standing(_Read):
    """What is there whatever the volume."""

    alarms: Some
    alarms_a_route: Some
    dashboards: Some
    metrics_steady: Some
    metrics_busy: Some
    metrics_busy_a_route: Some
    metrics_rare: Some
    rare_hours: Annotated[float, Field(ge=0, le=MONTH_HOURS)]
    snapshots: Some
    sweeps_a_minute: Some
    alarm_mails: Some


class Events(_Read):
    """What happens, and what it takes each time."""

    session: Counts
    """A visit: signing in, the page's first reads, a socket opened, refreshed, kept and closed."""
    image: Counts
    """A submit, its job done at the first attempt, and all that is pushed of it to one socket."""
    look: Counts
    """A look at a job that is generating."""
    purchase: Counts
    """A payment begun, told by VNPAY, returned from, and looked at."""
    sweep: Counts
    """A sweep that finds nothing to do."""


class Usage(_Read):
    """All of `ops/costs/usage.toml`."""

    assumptions: Assumptions
    standing: Standing
    events: Events

    def assuming(self, others: Sequence[str]) -> Usage:
        """The same with other assumptions, each as `name=number`. Raises BadAssumption."""
        given = dict(other.partition("=")[::2] for other in others)
        try:
            assumed = Assumptions.model_validate({**self.assumptions.model_dump(), **given})
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            known = ", ".join(Assumptions.model_fields)
            raise BadAssumption(
                f"{first['loc'][0]}: {first['msg']}. What can be assumed, as name=number: {known}."
            ) from error
        return self.model_copy(update={"assumptions": assumed})


@cache
def read_usage() -> Usage:
    """What the file says."""
    return Usage.model_validate(tomllib.loads(USAGE.read_text(encoding="utf-8")))
