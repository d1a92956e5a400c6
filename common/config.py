"""What an operator may set, in cdk.json under `imagify` or as `cdk -c imagify='{"…": …}'`.

What stands beside `stages` holds for every stage, what stands in `stages` under a stage's name for
that one alone, and goes before it. Every field has a default. A value that makes no sense, and a
route that Bedrock would refuse, stop the synthesis with a sentence that says what to put instead.
Whoever wants to know how a stage is configured reads it here: the stack, and the commands that tell
what it costs, what it can do and whether it can be deployed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from common.models.catalogue import MODELS, find
from common.models.spec import ModelSpec
from common.packages import Package
from common.routes import Route
from common.sizing import worker_concurrency

CDK_JSON = Path(__file__).resolve().parent.parent / "cdk.json"
CONFIG_KEY = "imagify"
STAGES_KEY = "stages"
ALARMS_KEY = "alarms"
"""The one setting that is several: a stage need only name those of its own."""
FORCE_KEY = "imagify-force"
"""`true` in the CDK's context does for one run what `force_retired_models` does for all."""
USUAL_STAGE = "dev"
"""What is meant when nobody names a stage; the local run is that one too."""
PROD = "prod"
"""The stage that keeps what people have paid for, whatever is set."""

DEFAULT_ROUTES = (Route(model="stability.stable-image-core-v1:1", region="us-west-2"),)
"""The cheapest model that can be invoked, in the only region that has it."""

DEFAULT_PACKAGES = (
    Package(package="small", credits=20, price_vnd=26_000),
    Package(package="medium", credits=100, price_vnd=130_000),
    Package(package="large", credits=400, price_vnd=520_000),
)
"""The seed's 0.10 USD for an image of 2 credits, at 26,000 VND to the dollar: set your own."""

PRESIGNED_SECONDS_MAX = 3600
"""How long S3 keeps to what a function has signed: its credentials may not live much longer."""
SIGNED_SECONDS_MAX = 7 * 24 * 3600
"""How long a link may work that CloudFront checks, by a key that stays."""

CONCURRENCY_MAX = 1000
"""SQS event sources take no higher maximum concurrency."""

LogRetentionDays = Literal[7, 14, 30, 90, 365]

DOMAIN_PATTERN = r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$"
CERTIFICATE_PATTERN = r"^arn:aws:acm:us-east-1:\d{12}:certificate/[0-9a-f-]+$"


class ConfigError(Exception):
    """The configuration cannot be built; the message says what to change."""


AtLeastOne = Annotated[int, Field(ge=1)]
Origin = Annotated[str, Field(pattern=r"^(\*|https?://[^/\s]+)$")]


class Alarms(BaseModel):
    """When somebody is told, each as `this much or more`; counts are those of five minutes.

    docs/RUNBOOK.md has a section for each alarm.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    runbook_url: Annotated[str, Field(pattern=r"^\S+$")] = "docs/RUNBOOK.md"
    """Where your team reads the runbook; alarms and the dashboard link to its sections."""
    dead_letters: AtLeastOne = 1
    """Messages in the dead-letter queue."""
    stalled_jobs: AtLeastOne = 1
    """Jobs that wait for an operator."""
    oldest_job_seconds: Annotated[int, Field(ge=60)] = 3600
    """How old the oldest waiting message is."""
    models_away: AtLeastOne = 1
    """Models without a route in order …"""
    model_away_minutes: Annotated[int, Field(ge=5, le=60, multiple_of=5)] = 15
    """… for so long."""
    model_error_percent: Annotated[int, Field(ge=1, le=100)] = 20
    """Starts of a route that fail, of a hundred …"""
    model_slow_percent: Annotated[int, Field(ge=100)] = 125
    """The 95th percentile of a route's latency, in percent of its `p95_seconds` …"""
    model_minutes: Annotated[int, Field(ge=5, le=60, multiple_of=5)] = 15
    """… for so long."""
    jobs_not_taken: AtLeastOne = 3
    """Jobs that a model takes under no circumstances."""
    server_errors: AtLeastOne = 1
    """Answers of the API with 5xx."""
    account_errors: AtLeastOne = 5
    """Sign-ins that `accounts` refused or could not answer; an address not verified is refused."""
    table_throttles: AtLeastOne = 20
    """Answers of DynamoDB that say we ask too much."""
    cold_starts: AtLeastOne = 100
    """Submits that had to start their environment, people waiting …"""
    cold_starts_minutes: Annotated[int, Field(ge=5, le=60, multiple_of=5)] = 15
    """… in each five of so many minutes."""
    payments_to_review: AtLeastOne = 1
    """Payments whose money does not fit, and refunds without an end."""
    notifications_failed: AtLeastOne = 1
    """Calls of VNPAY that were not booked."""
    payments_healed: AtLeastOne = 3
    """Payments in an hour that were paid and not booked until the sweep asked."""
    payments_not_healed: AtLeastOne = 5
    """Questions that VNPAY did not answer."""
    push_errors: AtLeastOne = 3
    """Batches of changes that were not pushed."""
    push_late_seconds: AtLeastOne = 60
    """How old the changes are that are being pushed; older ones than 60 s are given up."""
    sweep_unexpected_errors: AtLeastOne = 1
    """Jobs and payments that the sweep did not understand."""
    jobs_not_mended: AtLeastOne = 5
    """Jobs that the sweep could not see to."""
    sweep_errors: Annotated[int, Field(ge=1, le=5)] = 3
    """Sweeps, one a minute, that did not come to their end."""
    sweeps_begun: Annotated[int, Field(ge=1, le=5)] = 1
    """Fewer sweeps than that, of five, are missed when they are ten minutes late."""
    monthly_budget_usd: Annotated[int, Field(ge=1)] | None = None
    """What the whole account may cost in a calendar month, before `alarm_email` is told; None, or
    without an address: nobody is."""


class Config(BaseModel):
    """One stage's settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{0,15}$")] = USUAL_STAGE
    """Which deployment this is, of several that one account may have."""
    home_region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")] = "ap-southeast-1"
    """Where everything but the models is."""
    routes: Annotated[tuple[Route, ...], Field(min_length=1)] = DEFAULT_ROUTES
    """Which models are called where, and how often; the first is the default model."""
    workers_max: Annotated[int, Field(ge=2, le=CONCURRENCY_MAX)] = CONCURRENCY_MAX
    """At most so many workers at once; fewer than the routes need leave quota unused."""
    reserve_concurrency: bool = True
    """Whether workers, looks and submits have their share of the account's concurrency reserved. An
    account that may run 10 functions at once, as new ones may, has nothing to reserve."""
    snap_start: bool = True
    """Whether the functions that people wait for start from a snapshot of their memory, taken when
    they are deployed. Keeping one costs about 3.90 USD a month for each GB of a function's memory,
    of which there are five with one each: see docs/COLDSTART.md."""
    active_jobs_max: Annotated[int, Field(ge=1, le=1000)] = 10
    """Jobs one user may have in flight."""
    attempts_max: Annotated[int, Field(ge=1, le=10)] = 3
    """Attempts before a job stalls."""
    stalled_hold_hours: Annotated[int, Field(ge=1, le=24 * 13)] = 48
    """How long a stalled job waits for an operator before it is discarded and its hold released;
    less than the 14 days that its message is kept."""
    welcome_credits: Annotated[int, Field(ge=0)] = 10
    """What a new user is given."""
    packages: tuple[Package, ...] = DEFAULT_PACKAGES
    """What can be bought, and for how many VND; each name once."""
    vnpay_parameter: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9_.-]+)+$")] = Field(
        default_factory=lambda given: f"/imagify/{given.get('stage', USUAL_STAGE)}/vnpay"
    )
    """The SecureString in Parameter Store that holds the merchant's account, which the stack reads
    and does not make; see docs/PAYMENTS.md. By default `/imagify/{stage}/vnpay`."""
    domain: Annotated[str, Field(pattern=DOMAIN_PATTERN)] | None = None
    """What the page is called, such as imagify.example.com; None: by CloudFront's own name. With
    one, CloudFront hands out images too; see docs/HOSTING.md."""
    certificate_arn: Annotated[str, Field(pattern=CERTIFICATE_PATTERN)] | None = None
    """The domain's certificate, which goes with it; CloudFront takes only those in us-east-1."""
    image_key_version: Annotated[int, Field(ge=1)] = 1
    """Which pair of keys signs the links of images, where there is a domain."""
    page_url: Annotated[str, Field(pattern=r"^(https?://[^?#]+)?$")] = Field(
        default_factory=lambda given: f"{_origin(given)}/" if given.get("domain") else ""
    )
    """Where people go after paying, with `?txn_ref=…&outcome=…`; by default to the domain's page,
    and without one to a plain page of ours."""
    image_url_seconds: Annotated[int, Field(ge=60, le=SIGNED_SECONDS_MAX)] = 900
    """How long a signed image URL works: 3,600 at most without a domain, as S3's die with the
    credentials of the function."""
    allowed_origins: Annotated[tuple[Origin, ...], Field(min_length=1)] = Field(
        default_factory=lambda given: (_origin(given) if given.get("domain") else "*",)
    )
    """Web origins that may call the API from a browser, see `infra.api`; by default the domain's,
    and without one any."""
    requests_per_second: Annotated[int, Field(ge=1, le=10_000)] = 200
    """What the whole API takes before it answers 429."""
    request_burst: Annotated[int, Field(ge=1, le=5_000)] = 400
    """Requests that may come at once above that rate."""
    looks_at_once: Annotated[int, Field(ge=10, le=1000)] = 200
    """How many requests for jobs, and as many submits, may be under way at once. It is reserved, so
    that those who prefer to wait, up to 20 s each, never take the place of payments or sign-ins."""
    alarm_email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")] | None = None
    """Who is told of an alarm; None: alarms only show in CloudWatch."""
    alarms: Alarms = Alarms()
    """When there is one."""
    force_retired_models: bool = False
    """Accept routes that Bedrock's public lifecycle rules out, for accounts with private access."""
    log_retention_days: LogRetentionDays = 30
    removal: Literal["keep", "destroy"] = "keep"
    """What deleting the stack does to tables, images and accounts."""

    @property
    def stack_name(self) -> str:
        """What CloudFormation calls the stack, and CloudWatch the place of its metrics."""
        return f"Imagify-{self.stage}"

    @property
    def web_stack_name(self) -> str:
        """What CloudFormation calls the page's stack."""
        return f"{self.stack_name}-web"

    @property
    def image_key_versions(self) -> tuple[int, ...]:
        """Whose links work: the pair that signs, and the one before, as its links are about."""
        return tuple(range(self.image_key_version, max(self.image_key_version - 2, 0), -1))

    def image_key_parameter(self, version: int) -> str:
        """The SecureString in Parameter Store with the private key; the public one is beside it."""
        return f"/imagify/{self.stage}/image-key/{version}"

    def image_public_key_parameter(self, version: int) -> str:
        """The parameter with the public key, which the stack reads."""
        return f"{self.image_key_parameter(version)}/public"

    @property
    def workers(self) -> int:
        """How many workers run at once, at most."""
        return min(worker_concurrency(self.routes), self.workers_max)

    @model_validator(mode="after")
    def _keep_what_is_paid_for(self) -> Self:
        if self.stage == PROD and self.removal != "keep":
            raise ValueError(f'the stage {PROD} keeps its data: removal is "keep" there')
        return self

    @model_validator(mode="after")
    def _host_under_a_name(self) -> Self:
        if (self.domain is None) != (self.certificate_arn is None):
            raise ValueError("domain and certificate_arn go together: set both, or neither")
        if self.domain is None and self.image_url_seconds > PRESIGNED_SECONDS_MAX:
            raise ValueError(
                f"image_url_seconds is at most {PRESIGNED_SECONDS_MAX} without a domain:"
                " S3's links die with the credentials that signed them"
            )
        return self

    @field_validator("packages")
    @classmethod
    def _check_names(cls, packages: tuple[Package, ...]) -> tuple[Package, ...]:
        names = [package.package for package in packages]
        if len(set(names)) < len(names):
            raise ValueError(f"each package needs a name of its own, and these are given: {names}")
        return packages


def _origin(given: Mapping[str, Any]) -> str:
    return f"https://{given['domain']}"


FindModel = Callable[[str], ModelSpec | None]


def read_settings(path: Path = CDK_JSON) -> dict[str, Any]:
    """What cdk.json says, of all stages; raises ConfigError when nobody can read it."""
    try:
        settings = json.loads(path.read_text(encoding="utf-8")).get("context", {}).get(CONFIG_KEY)
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    return _as_object({} if settings is None else settings)


def settings_of(raw: Any, stage: str) -> dict[str, Any]:
    """What holds for a stage of what is configured, as JSON text or as an object.

    Raises ConfigError when stages are named, and this one is not.
    """
    settings = _as_object(raw)
    stages = settings.pop(STAGES_KEY, None)
    if stages is None:
        return {**settings, "stage": stage}
    if not isinstance(stages, Mapping) or not isinstance(stages.get(stage, {}), Mapping):
        raise ConfigError(f"{CONFIG_KEY}.{STAGES_KEY} has each stage's settings by its name.")
    if stage not in stages:
        there = ", ".join(stages) or "none"
        raise ConfigError(f"There is no stage {stage}; configured are: {there}.")
    chosen = {**settings, **stages[stage], "stage": stage}
    if ALARMS_KEY in settings and ALARMS_KEY in stages[stage]:
        chosen[ALARMS_KEY] = {**settings[ALARMS_KEY], **stages[stage][ALARMS_KEY]}
    return chosen


def parse(raw: Any, stage: str = USUAL_STAGE) -> Config:
    """Read a stage's settings from JSON text, as the command line gives it, or an object.

    Raises ConfigError.
    """
    try:
        return Config.model_validate(settings_of(raw, stage))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or CONFIG_KEY}: {item['msg']}"
            for item in error.errors(include_url=False)
        )
        raise ConfigError(f"Wrong {CONFIG_KEY!r} configuration: {problems}") from error


def _as_object(raw: Any) -> dict[str, Any]:
    try:
        settings = json.loads(raw) if isinstance(raw, str) else raw
    except json.JSONDecodeError as error:
        raise ConfigError(f"The context value {CONFIG_KEY!r} is not JSON: {error}") from error
    if not isinstance(settings, Mapping):
        raise ConfigError(f"{CONFIG_KEY} is not an object of settings.")
    return dict(settings)


def check_routes(
    routes: Sequence[Route], *, today: date, forced: bool, find_model: FindModel = find
) -> None:
    """Refuse routes that cannot work; raises ConfigError.

    `forced` lets retired models and unlisted regions pass, never a model that we cannot speak to.
    """
    names = [route.name for route in routes]
    if len(set(names)) < len(names):
        raise ConfigError(f"Each route may be listed once, and these are listed: {names}")
    for route in routes:
        spec = find_model(route.model)
        if spec is None:
            known = ", ".join(model.model_id for model in MODELS)
            raise ConfigError(f"The model {route.model} is not known. Known are: {known}")
        if not forced:
            _check_available(route, spec, today)
    concurrency = worker_concurrency(routes)
    if concurrency > CONCURRENCY_MAX:
        raise ConfigError(
            f"These routes need {concurrency} workers at once, and a queue feeds at most"
            f" {CONCURRENCY_MAX}: lower rate_per_second, or p95_seconds if it was measured lower."
        )


def _check_available(route: Route, spec: ModelSpec, today: date) -> None:
    if spec.retired(today):
        instead = f" Use {spec.replaced_by} instead," if spec.replaced_by else " Use another,"
        raise ConfigError(
            f"The model {route.model} left Bedrock on {spec.end_of_life}.{instead}"
            " or set force_retired_models if this account still has access."
        )
    if route.region not in spec.regions:
        where = ", ".join(spec.regions) or "no region"
        raise ConfigError(
            f"The model {route.model} cannot be invoked in {route.region}, but in {where}."
            " Change the route, or set force_retired_models if this account has access there."
        )
