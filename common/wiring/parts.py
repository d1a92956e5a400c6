"""What more than one function is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.aws import clients
from common.aws.cloudfront_links import CloudFrontLinks
from common.aws.dynamo_jobs import DynamoJobStore
from common.aws.dynamo_lines import DynamoLines
from common.aws.s3_images import S3ImageSigner, S3ImageStore
from common.aws.sqs_queue import SqsJobQueue
from common.outlook import Forecaster
from common.snapshots import Snapshots
from common.wall_clock import utc_now

if TYPE_CHECKING:
    from common.settings.base import JobSettings
    from common.settings.outlook import OutlookSettings
    from common.settings.sweep import SweepSettings
    from common.settings.worker import WorkerSettings


def jobs(settings: JobSettings, *, acts_table: str | None = None) -> DynamoJobStore:
    """The jobs, and the credits that move with them."""
    return DynamoJobStore(
        clients.dynamodb(settings.home_region),
        jobs_table=settings.jobs_table,
        users_table=settings.users_table,
        ledger_table=settings.ledger_table,
        acts_table=acts_table,
    )


def queue(region: str, *, url: str) -> SqsJobQueue:
    """The queue that workers are fed from."""
    return SqsJobQueue(clients.sqs(region), queue_url=url)


def lines(settings: OutlookSettings | SweepSettings | WorkerSettings) -> DynamoLines:
    """The lines of the routes."""
    return DynamoLines(clients.dynamodb(settings.home_region), routes_table=settings.routes_table)


def images(settings: JobSettings) -> S3ImageStore:
    """The images."""
    return S3ImageStore(clients.s3(settings.home_region), bucket=settings.images_bucket)


def signer(settings: OutlookSettings) -> S3ImageSigner | CloudFrontLinks:
    """What signs the links of images: CloudFront's key where there is a domain, else S3's."""
    region = settings.home_region
    if settings.image_links is None:
        return S3ImageSigner(lambda: clients.s3(region), bucket=settings.images_bucket)
    return CloudFrontLinks(clients.ssm(region), settings.image_links, now=utc_now)


def snapshots(settings: OutlookSettings) -> Snapshots:
    """Jobs as their owners see them."""
    return Snapshots(
        images=signer(settings),
        forecaster=Forecaster(
            lines(settings),
            jobs(settings),
            routes=settings.routes,
            workers=settings.workers,
            now=utc_now,
        ),
        image_url_seconds=settings.image_url_seconds,
        now=utc_now,
    )
