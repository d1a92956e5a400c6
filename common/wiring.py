"""The one place that makes things: each function's services, on first use, from its environment.

Tests put their own in place of these functions' results.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache

from common.aws import clients
from common.aws.bedrock import BedrockModels
from common.aws.dynamo_jobs import DynamoJobStore
from common.aws.dynamo_lines import DynamoLines
from common.aws.dynamo_users import DynamoUserStore
from common.aws.s3_images import S3ImageStore
from common.aws.sqs_queue import SqsJobQueue
from common.pacing import Pacer
from common.services import AccountsServices, StatusServices, SubmitServices, WorkerServices
from common.settings import (
    AccountsSettings,
    JobSettings,
    StatusSettings,
    SubmitSettings,
    WorkerSettings,
)


def utc_now() -> datetime:
    """Now, aware and in UTC."""
    return datetime.now(UTC)


def now_us() -> int:
    """Now, in microseconds since the epoch."""
    return time.time_ns() // 1000


def aside(do: Callable[[], None]) -> None:
    """Do it on a thread of its own; it ends long before the model call that goes on beside it."""
    threading.Thread(target=do, name="aside").start()


def new_id() -> str:
    """32 hex digits, random."""
    return uuid.uuid4().hex


@cache
def submit_services() -> SubmitServices:
    """Submit's services."""
    settings = SubmitSettings.from_env(os.environ)
    return SubmitServices(
        settings=settings,
        jobs=_jobs(settings),
        queue=SqsJobQueue(clients.sqs(settings.home_region), queue_url=settings.queue_url),
        images=_images(settings),
        now=utc_now,
        new_id=new_id,
    )


@cache
def status_services() -> StatusServices:
    """Status's services."""
    settings = StatusSettings.from_env(os.environ)
    return StatusServices(
        settings=settings, jobs=_jobs(settings), images=_images(settings), now=utc_now
    )


@cache
def accounts_services() -> AccountsServices:
    """Accounts' services."""
    settings = AccountsSettings.from_env(os.environ)
    return AccountsServices(
        settings=settings,
        users=DynamoUserStore(
            clients.dynamodb(settings.home_region),
            users_table=settings.users_table,
            ledger_table=settings.ledger_table,
        ),
        now=utc_now,
        new_id=new_id,
    )


@cache
def worker_services() -> WorkerServices:
    """The worker's services, with a Bedrock client for each route's region made beforehand."""
    settings = WorkerSettings.from_env(os.environ)
    bedrock = {
        route.region: clients.bedrock_runtime(route.region, settings.model_read_seconds)
        for route in settings.routes
    }
    lines = DynamoLines(clients.dynamodb(settings.home_region), routes_table=settings.routes_table)
    return WorkerServices(
        settings=settings,
        jobs=_jobs(settings),
        queue=SqsJobQueue(clients.sqs(settings.home_region), queue_url=settings.queue_url),
        images=_images(settings),
        models=BedrockModels(bedrock),
        pacer=Pacer(
            lines,
            now_us=now_us,
            sleep=time.sleep,
            aside=aside,
            wait_seconds_max=settings.slot_wait_seconds_max,
        ),
        now=utc_now,
        new_id=new_id,
        sleep=time.sleep,
    )


def _jobs(settings: JobSettings) -> DynamoJobStore:
    return DynamoJobStore(
        clients.dynamodb(settings.home_region),
        jobs_table=settings.jobs_table,
        users_table=settings.users_table,
        ledger_table=settings.ledger_table,
    )


def _images(settings: JobSettings) -> S3ImageStore:
    return S3ImageStore(clients.s3(settings.home_region), bucket=settings.images_bucket)
