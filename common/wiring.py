"""The one place that makes things: each function's services, on first use, from its environment.

Tests put their own in place of these functions' results.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from common.aws import clients
from common.aws.api_gateway_wire import ApiGatewayWire
from common.aws.bedrock import BedrockModels
from common.aws.clients import PUSHES_AT_ONCE
from common.aws.cloudfront_links import CloudFrontLinks
from common.aws.dynamo_connections import DynamoConnections
from common.aws.dynamo_jobs import DynamoJobStore
from common.aws.dynamo_ledger import DynamoLedger
from common.aws.dynamo_lines import DynamoLines
from common.aws.dynamo_payments import DynamoPaymentStore
from common.aws.dynamo_users import DynamoUserStore
from common.aws.s3_images import S3ImageStore
from common.aws.sqs_queue import SqsJobQueue
from common.aws.ssm_merchant import SsmMerchant
from common.aws.streams import changes
from common.outlook import Forecaster
from common.pacing import Pacer
from common.ports import ImageSigner
from common.services import (
    AccountsServices,
    FeedServices,
    PaymentsServices,
    PushServices,
    StatusServices,
    SubmitServices,
    SweepServices,
    WorkerServices,
)
from common.settings import (
    AccountsSettings,
    FeedSettings,
    JobSettings,
    MoneySettings,
    OutlookSettings,
    PaymentsSettings,
    PushSettings,
    StatusSettings,
    SubmitSettings,
    SweepSettings,
    WorkerSettings,
)
from common.snapshots import Snapshots
from common.vnpay_gateway import HttpGateway
from common.wall_clock import now_us, utc_now

Result = TypeVar("Result")


def aside(do: Callable[[], None]) -> None:
    """Do it on a thread of its own; it ends long before the model call that goes on beside it."""
    threading.Thread(target=do, name="aside").start()


def together(to_do: Sequence[Callable[[], Result]]) -> list[Result]:
    """Do all of it on threads, a few at a time; raises what the first that fails raises."""
    with ThreadPoolExecutor(PUSHES_AT_ONCE, "push") as threads:
        return list(threads.map(lambda do: do(), to_do))


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
        snapshots=_snapshots(settings),
        now=utc_now,
        new_id=new_id,
        sleep=time.sleep,
    )


@cache
def status_services() -> StatusServices:
    """Status's services."""
    settings = StatusSettings.from_env(os.environ)
    return StatusServices(
        settings=settings,
        jobs=_jobs(settings),
        snapshots=_snapshots(settings),
        now=utc_now,
        sleep=time.sleep,
    )


@cache
def feed_services() -> FeedServices:
    """The feed's services."""
    settings = FeedSettings.from_env(os.environ)
    connections = _connections(settings)
    return FeedServices(
        tickets=connections,
        sockets=connections,
        wire=_wire(settings),
        jobs=_jobs(settings),
        users=DynamoUserStore(
            clients.dynamodb(settings.home_region),
            users_table=settings.users_table,
            ledger_table=settings.ledger_table,
        ),
        snapshots=_snapshots(settings),
        now=utc_now,
        new_secret=secrets.token_urlsafe,
    )


@cache
def push_services() -> PushServices:
    """The push's services."""
    settings = PushSettings.from_env(os.environ)
    return PushServices(
        read=changes,
        sockets=_connections(settings),
        wire=_wire(settings),
        snapshots=_snapshots(settings),
        together=together,
        now=utc_now,
    )


@cache
def accounts_services() -> AccountsServices:
    """Accounts' services."""
    settings = AccountsSettings.from_env(os.environ)
    client = clients.dynamodb(settings.home_region)
    users, entries = settings.users_table, settings.ledger_table
    return AccountsServices(
        settings=settings,
        users=DynamoUserStore(client, users_table=users, ledger_table=entries),
        ledger=DynamoLedger(client, users_table=users, ledger_table=entries),
        now=utc_now,
        new_id=new_id,
    )


@cache
def payments_services() -> PaymentsServices:
    """Payments' services."""
    settings = PaymentsSettings.from_env(os.environ)
    return PaymentsServices(
        settings=settings,
        payments=_payments(settings),
        merchant=_merchant(settings),
        now=utc_now,
        new_id=new_id,
    )


@cache
def sweep_services() -> SweepServices:
    """The sweep's services."""
    settings = SweepSettings.from_env(os.environ)
    return SweepServices(
        settings=settings,
        jobs=_jobs(settings, acts_table=settings.acts_table),
        queue=SqsJobQueue(clients.sqs(settings.home_region), queue_url=settings.queue_url),
        images=_images(settings),
        lines=_lines(settings),
        payments=_payments(settings),
        gateway=HttpGateway(_merchant(settings)),
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
    return WorkerServices(
        settings=settings,
        jobs=_jobs(settings),
        queue=SqsJobQueue(clients.sqs(settings.home_region), queue_url=settings.queue_url),
        images=_images(settings),
        models=BedrockModels(bedrock),
        pacer=Pacer(
            _lines(settings),
            now_us=now_us,
            sleep=time.sleep,
            aside=aside,
            wait_seconds_max=settings.slot_wait_seconds_max,
        ),
        now=utc_now,
        new_id=new_id,
        sleep=time.sleep,
    )


def _jobs(settings: JobSettings, *, acts_table: str | None = None) -> DynamoJobStore:
    return DynamoJobStore(
        clients.dynamodb(settings.home_region),
        jobs_table=settings.jobs_table,
        users_table=settings.users_table,
        ledger_table=settings.ledger_table,
        acts_table=acts_table,
    )


def _lines(settings: OutlookSettings | SweepSettings | WorkerSettings) -> DynamoLines:
    return DynamoLines(clients.dynamodb(settings.home_region), routes_table=settings.routes_table)


def _images(settings: JobSettings) -> S3ImageStore:
    return S3ImageStore(clients.s3(settings.home_region), bucket=settings.images_bucket)


def _signer(settings: OutlookSettings) -> ImageSigner:
    if settings.image_links is None:
        return _images(settings)
    return CloudFrontLinks(clients.ssm(settings.home_region), settings.image_links, now=utc_now)


def _snapshots(settings: OutlookSettings) -> Snapshots:
    return Snapshots(
        images=_signer(settings),
        forecaster=Forecaster(
            _lines(settings),
            _jobs(settings),
            routes=settings.routes,
            workers=settings.workers,
            now=utc_now,
        ),
        image_url_seconds=settings.image_url_seconds,
        now=utc_now,
    )


def _connections(settings: FeedSettings) -> DynamoConnections:
    return DynamoConnections(
        clients.dynamodb(settings.home_region), connections_table=settings.connections_table
    )


def _wire(settings: FeedSettings) -> ApiGatewayWire:
    client = clients.sockets(
        settings.home_region, api_id=settings.feed_api_id, stage=settings.feed_stage
    )
    return ApiGatewayWire(client)


def _payments(settings: MoneySettings) -> DynamoPaymentStore:
    return DynamoPaymentStore(
        clients.dynamodb(settings.home_region),
        payments_table=settings.payments_table,
        users_table=settings.users_table,
        ledger_table=settings.ledger_table,
    )


def _merchant(settings: MoneySettings) -> SsmMerchant:
    return SsmMerchant(clients.ssm(settings.home_region), parameter=settings.vnpay_parameter)
