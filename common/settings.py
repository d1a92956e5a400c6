"""What each function is told by its environment: one class a function, one variable a field.

The variable is the field's name in upper case. Values are read when a function is first used,
never at import, and a missing or malformed one is named in the error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator, model_validator

from common.routes import ROUTES, Route
from common.vnpay_codes import PRICE_VND_MAX, PRICE_VND_MIN

EMAIL_INDEX = "EmailIndex"
"""The index of the Users table by address."""
USER_INDEX = "UserIndex"
"""The indexes by user: of the Jobs and Payments tables by time too, and of Connections."""
WAITING_INDEX = "WaitingIndex"
"""The sparse index of the Jobs table: the queued jobs of each model, in order."""
TIME_INDEX = "TimeIndex"
"""The index of the Ledger table by user and time; a local one, so that it is read consistently."""
DUE_INDEX = "DueIndex"
"""The sparse indexes of what the sweep is to see to, and when: of the Payments table what the
gateway is to be asked about, of the Jobs table what to look at. The stack makes all of them, the
adapters query them."""

Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1)]


class Settings(BaseModel):
    """Settings read from environment variables named after the fields."""

    # Each function reads one of these classes, so the others are never built.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    home_region: Text
    """Where the tables, the queue and the bucket are."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read the fields' variables from `env`; raises pydantic's ValidationError."""
        return cls.model_validate(
            {field: env[name] for field, name in cls.variables().items() if name in env}
        )

    @classmethod
    def variables(cls) -> dict[str, str]:
        """Each field's environment variable."""
        return {field: field.upper() for field in cls.model_fields}


class JobSettings(Settings):
    """Where jobs, their credits and their images are."""

    jobs_table: Text
    users_table: Text
    ledger_table: Text
    images_bucket: Text


class RoutedSettings(JobSettings):
    """Job settings, and the routes that models are called on."""

    routes: Annotated[tuple[Route, ...], Field(min_length=1)]
    """JSON: `[{"model", "region", "rate_per_second", "p95_seconds"}, …]`; the first is default."""

    @model_validator(mode="before")
    @classmethod
    def _read_routes(cls, values: dict[str, Any]) -> dict[str, Any]:
        if isinstance(values.get("routes"), str):
            return {**values, "routes": ROUTES.validate_json(values["routes"])}
        return values


class ImageLinks(BaseModel):
    """How CloudFront hands out images."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    origin: Text
    """Where, such as `https://imagify.example.com`; the path there is the image's key."""
    key_pair_id: Text
    """CloudFront's name of the public key."""
    key_parameter: Text
    """The name of the SecureString in Parameter Store that holds the private key, as PEM."""


class OutlookSettings(RoutedSettings):
    """What it takes to show a job."""

    routes_table: Text
    """The pacing lines, an item a route."""
    workers: Count
    """How many jobs are worked on at once, at most."""
    image_url_seconds: Count = 900
    """How long a signed image URL works."""
    image_links: ImageLinks | None = None
    """JSON: `{"origin", "key_pair_id", "key_parameter"}`; empty: S3 hands images out itself."""

    @field_validator("image_links", mode="before")
    @classmethod
    def _read_links(cls, value: Any) -> Any:
        if isinstance(value, str):
            return ImageLinks.model_validate_json(value) if value else None
        return value


class SubmitSettings(OutlookSettings):
    """What `functions/submit` needs."""

    queue_url: Text
    active_jobs_max: Count = 10
    """Jobs one user may have in flight."""


class WorkerSettings(RoutedSettings):
    """What `functions/worker` needs."""

    queue_url: Text
    routes_table: Text
    """The pacing lines, an item a route."""
    attempts_max: Count = 3
    """Attempts before a job stalls."""
    slot_wait_seconds_max: Count
    model_read_seconds: Count
    lease_seconds: Count


class StatusSettings(OutlookSettings):
    """What `functions/status` needs."""


class FeedSettings(OutlookSettings):
    """What `functions/feed` needs."""

    connections_table: Text
    """The open sockets and the tickets to them."""
    feed_api_id: Text
    feed_stage: Text
    """The WebSocket API and its stage, where sockets are spoken on."""


class PushSettings(FeedSettings):
    """What `functions/push` needs."""


class Package(BaseModel):
    """Credits that can be bought."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    package: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$")]
    """Its name in the API."""
    credits: Annotated[int, Field(ge=1, le=1_000_000)]
    price_vnd: Annotated[int, Field(ge=PRICE_VND_MIN, le=PRICE_VND_MAX)]


PACKAGES = TypeAdapter(tuple[Package, ...], config=ConfigDict(defer_build=True))
"""Reads and writes a list of packages as JSON."""


class MoneySettings(Settings):
    """Where payments and the credits that they buy are, and whose account they go to."""

    payments_table: Text
    users_table: Text
    ledger_table: Text
    vnpay_parameter: Text
    """The name of the SecureString in Parameter Store that holds the merchant's account."""


class PaymentsSettings(MoneySettings):
    """What `functions/payments` needs."""

    packages: tuple[Package, ...]
    """JSON: `[{"package", "credits", "price_vnd"}, …]`."""
    page_url: str
    """Where people go after paying; empty: to a plain page of ours."""

    @model_validator(mode="before")
    @classmethod
    def _read_packages(cls, values: dict[str, Any]) -> dict[str, Any]:
        if isinstance(values.get("packages"), str):
            return {**values, "packages": PACKAGES.validate_json(values["packages"])}
        return values


class SweepSettings(MoneySettings, RoutedSettings):
    """What `functions/sweep` needs."""

    routes_table: Text
    """The pacing lines, an item a route."""

    acts_table: Text
    """Who has decided what about stalled jobs."""
    queue_url: Text
    stalled_hold_hours: Count = 48
    """How long a stalled job waits for an operator."""


class AccountsSettings(Settings):
    """What `functions/accounts` needs."""

    users_table: Text
    ledger_table: Text
    welcome_credits: Annotated[int, Field(ge=0)] = 10
    """What a new user is given; 0 gives nothing."""
