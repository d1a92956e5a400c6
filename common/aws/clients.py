"""boto3 clients with explicit regions, timeouts and retries; nothing relies on a default.

`AWS_ENDPOINT_URL` and its service-specific forms, which boto3 reads itself, point them elsewhere.
"""

from __future__ import annotations

import os
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from common.metrics import STORES
from common.observability import count_throttle

if TYPE_CHECKING:
    from mypy_boto3_apigatewaymanagementapi import ApiGatewayManagementApiClient
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient

CONNECT_SECONDS = 2
READ_SECONDS = 5
"""For the calls that people wait for; the slowest healthy ones take tens of milliseconds."""
MODEL_CONNECT_SECONDS = 5
POOL_CONNECTIONS = 10
PUSH_SECONDS = 2
"""How long one push may last, twice: to connect, and to be taken."""
PUSHES_AT_ONCE = 16
DOMAIN = "amazonaws.com"
THROTTLE_CODES = frozenset(
    {
        "ProvisionedThroughputExceeded",  # as the reason of a canceled transaction
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "Throttling",
        "ThrottlingError",  # as the reason of a canceled transaction
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""How DynamoDB, SQS, S3 and Parameter Store say that we ask too much."""


@cache
def _session() -> boto3.session.Session:
    session = boto3.session.Session()
    for store in STORES:
        session.events.register(f"response-received.{store}", partial(_look_for_throttle, store))
    return session


def _look_for_throttle(store: str, parsed_response: Any = None, **_request: Any) -> None:
    """Count an answer that says that we ask too much; botocore tells of each try by itself."""
    answer = parsed_response or {}
    reasons = [answer.get("Error", {}), *answer.get("CancellationReasons", ())]
    if any(reason.get("Code") in THROTTLE_CODES for reason in reasons):
        count_throttle(store)


def _config(read_seconds: int = READ_SECONDS) -> Config:
    return Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=read_seconds,
        retries={"mode": "standard", "total_max_attempts": 3},
        max_pool_connections=POOL_CONNECTIONS,
        tcp_keepalive=True,
    )


@cache
def dynamodb(region: str) -> DynamoDBClient:
    """DynamoDB: 2 s to connect, 5 s to answer, 3 tries."""
    return _session().client("dynamodb", region_name=region, config=_config())


@cache
def sqs(region: str) -> SQSClient:
    """SQS, with the same limits."""
    return _session().client("sqs", region_name=region, config=_config())


@cache
def ssm(region: str) -> SSMClient:
    """Parameter Store, with the same limits."""
    return _session().client("ssm", region_name=region, config=_config())


@cache
def sockets(region: str, *, api_id: str, stage: str) -> ApiGatewayManagementApiClient:
    """A WebSocket API's sockets, tried once and not for long: a push is not worth waiting for.

    Each API has an endpoint of its own, so the usual variable for the service's is read here.
    """
    elsewhere = os.environ.get("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI")
    endpoint = (
        f"{elsewhere}/{api_id}" if elsewhere else f"https://{api_id}.execute-api.{region}.{DOMAIN}"
    )
    return _session().client(
        "apigatewaymanagementapi",
        region_name=region,
        endpoint_url=f"{endpoint}/{stage}",
        config=Config(
            connect_timeout=PUSH_SECONDS,
            read_timeout=PUSH_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 1},
            max_pool_connections=PUSHES_AT_ONCE,
            tcp_keepalive=True,
        ),
    )


@cache
def s3(region: str) -> S3Client:
    """S3, with twice the time for an image, signing URLs with the region's own signature.

    They begin with `https://s3.{region}.amazonaws.com/{bucket}/` in every region: the page's
    Content-Security-Policy (`infra.edge_headers`) names that.
    """
    config = _config(2 * READ_SECONDS).merge(
        Config(
            signature_version="s3v4",
            s3={"addressing_style": "path", "us_east_1_regional_endpoint": "regional"},
        )
    )
    return _session().client("s3", region_name=region, config=config)


@cache
def bedrock_runtime(region: str, read_seconds: int) -> BedrockRuntimeClient:
    """Bedrock, tried once: a repeat after a read timeout would pay for the image again."""
    return _session().client(
        "bedrock-runtime",
        region_name=region,
        config=Config(
            connect_timeout=MODEL_CONNECT_SECONDS,
            read_timeout=read_seconds,
            retries={"mode": "standard", "total_max_attempts": 1},
            tcp_keepalive=True,
        ),
    )
