"""Who runs for the quota in `benchmarks.pacing`: ours, and three that are commonly used instead.

All call the simulated model through `BedrockModels` and boto3 with the same timeouts, and none
gives a job up. They differ in how many processes they are, in what they wait for before a call,
and in who repeats a call that was throttled.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from tenacity import Retrying, retry_if_exception_type, wait_random_exponential

from common.aws import clients
from common.aws.bedrock import BedrockModels
from common.aws.dynamo_lines import DynamoLines
from common.errors import ModelThrottled
from common.jobs import ImageRequest
from common.models.catalogue import DEFAULT_MODEL, find
from common.pacing import Pacer
from common.routes import Route
from common.sizing import worker_concurrency
from common.wall_clock import now_us
from common.wiring.worker import aside
from sandbox.environment import HOME_REGION

if TYPE_CHECKING:
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient

MODEL_REGION = "us-west-2"
ROUTES_TABLE = "Routes"
READ_SECONDS = 30
SLOT_WAIT_SECONDS_MAX = 60
BOTO3_ATTEMPTS = 20
"""boto3's default is 3 in all; these are enough to end nearly every job within one call."""
BACKOFF_SECONDS_MAX = 20
"""boto3's own longest wait, given to tenacity as well."""

Job = Callable[[int], None]
"""Does the job of this number, to its success; raises ImagifyError for what is no throttle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The same work for all of them, and what ours must show on it."""

    rate: float
    """The model's quota, in starts a second."""
    jobs: int
    """All are there from the beginning."""
    latency_seconds: float
    """One call's, on average."""
    latency_spread: float
    """How far a call's latency is off, as a share of it: evenly, up to so much either way.

    Real ones vary. With 0, processes of exactly the right number would pace each other.
    """
    workers: int
    utilisation_min: float

    @property
    def ideal_seconds(self) -> float:
        """From the first start to the last, all evenly spaced at the rate."""
        return (self.jobs - 1) / self.rate

    @property
    def route(self) -> Route:
        """The model with its quota and its 95th percentile."""
        return Route(
            model=DEFAULT_MODEL,
            region=MODEL_REGION,
            rate_per_second=self.rate,
            p95_seconds=self.latency_seconds * (1 + 0.9 * self.latency_spread),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """One way to keep a quota."""

    title: str
    processes: Callable[[Load], int]
    prepare: Callable[[Load, int], Job]
    """Makes everything that one process needs before the start; it gets the process's number."""


def _ours(load: Load, _number: int) -> Job:
    """A slot of the shared line for every start, also for a repeated one."""
    lines = DynamoLines(clients.dynamodb(HOME_REGION), routes_table=ROUTES_TABLE)
    pacer = Pacer(
        lines,
        now_us=now_us,
        sleep=time.sleep,
        aside=aside,
        wait_seconds_max=SLOT_WAIT_SECONDS_MAX,
    )
    invoke = _invoke(load, BedrockModels(_tried_once()))
    lines.read([load.route])  # connects

    def do(job: int) -> None:
        while True:
            slot = pacer.take([load.route])
            try:
                invoke(job, wait=partial(pacer.wait, slot))
            except ModelThrottled:
                pacer.throttled(slot)
            else:
                pacer.answered(slot)
                return

    return do


def _reserved(load: Load, _number: int) -> Job:
    """No more processes than the quota can keep busy, and boto3 repeats."""
    return partial(_until_done, _invoke(load, BedrockModels(_tried_by_boto3())))


def _limited(load: Load, number: int) -> Job:
    """Each process starts evenly at its share of the rate, out of step; boto3 repeats.

    Out of step, at random, is kind: begun together, all would start at once again and again.
    """
    invoke = _invoke(load, BedrockModels(_tried_by_boto3()))
    apart_seconds = load.workers / load.rate
    ahead_seconds = random.Random(number).uniform(0, apart_seconds)  # noqa: S311 - no secret
    next_at: float | None = None

    def do(job: int) -> None:
        nonlocal next_at
        now = time.monotonic()
        start_at = now + ahead_seconds if next_at is None else max(now, next_at)
        next_at = start_at + apart_seconds
        time.sleep(start_at - now)
        _until_done(invoke, job)

    return do


def _backing_off(load: Load, _number: int) -> Job:
    """Start at once, and wait at random, ever longer, after a throttle."""
    invoke = _invoke(load, BedrockModels(_tried_once()))
    retrying = Retrying(
        retry=retry_if_exception_type(ModelThrottled),
        wait=wait_random_exponential(max=BACKOFF_SECONDS_MAX),
    )
    return partial(retrying, invoke)


OURS = "ours"
CONTESTANTS: Mapping[str, Contestant] = {
    OURS: Contestant(
        title="ours: one line for all workers",
        processes=lambda load: load.workers,
        prepare=_ours,
    ),
    "reserved": Contestant(
        title="reserved concurrency, boto3's retries",
        processes=lambda load: worker_concurrency([load.route]),
        prepare=_reserved,
    ),
    "limited": Contestant(
        title="a limiter in each worker",
        processes=lambda load: load.workers,
        prepare=_limited,
    ),
    "backing_off": Contestant(
        title="unpaced, exponential backoff",
        processes=lambda load: load.workers,
        prepare=_backing_off,
    ),
}


def _no_wait() -> None:
    pass


def _invoke(load: Load, models: BedrockModels) -> Callable[..., None]:
    """Call the model for the job of a number, which decides how long the call takes."""
    spec = find(DEFAULT_MODEL)
    assert spec is not None

    def invoke(job: int, *, wait: Callable[[], None] = _no_wait) -> None:
        request = ImageRequest(
            prompt="a metronome", model=DEFAULT_MODEL, aspect_ratio="1:1", seed=job
        )
        models.invoke(load.route, spec.wire.body(request, spec.sizes["1:1"]), wait=wait)

    return invoke


def _until_done(invoke: Callable[[int], None], job: int) -> None:
    """What boto3 gives up is tried again from the beginning, as SQS would deliver it again."""
    while True:
        try:
            invoke(job)
        except ModelThrottled:
            continue
        return


def _tried_once() -> Mapping[str, BedrockRuntimeClient]:
    return {MODEL_REGION: clients.bedrock_runtime(MODEL_REGION, READ_SECONDS)}


def _tried_by_boto3() -> Mapping[str, BedrockRuntimeClient]:
    """The same client but for the number of tries."""
    config = Config(
        connect_timeout=clients.MODEL_CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": BOTO3_ATTEMPTS},
        tcp_keepalive=True,
    )
    return {MODEL_REGION: boto3.client("bedrock-runtime", region_name=MODEL_REGION, config=config)}
