"""botocore clients with explicit regions, timeouts and retries; nothing relies on a default.

They are what `boto3.client` makes, without boto3 around them, which is slow to import.
`AWS_ENDPOINT_URL` and its service-specific forms, which botocore reads itself, lead elsewhere.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.session import Session

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


@cache
def _session() -> Any:
    """Its clients are of no type that says which operations they have."""
    return Session()


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
    client: DynamoDBClient = _session().create_client(
        "dynamodb", region_name=region, config=_config()
    )
    return client


@cache
def sqs(region: str) -> SQSClient:
    """SQS, with the same limits."""
    client: SQSClient = _session().create_client("sqs", region_name=region, config=_config())
    return client


@cache
def ssm(region: str) -> SSMClient:
    """Parameter Store, with the same limits."""
    client: SSMClient = _session().create_client("ssm", region_name=region, config=_config())
    return client


@cache
def sockets(region: str, *, api_id: str, stage: str) -> ApiGatewayManagementApiClient:
    """A WebSocket API's sockets, tried once and not for long: a push is not worth waiting for.

    Each API has an endpoint of its own, so the usual variable for the service's is read here.
    """
    elsewhere = os.environ.get("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI")
    endpoint = (
        f"{elsewhere}/{api_id}" if elsewhere else f"https://{api_id}.execute-api.{region}.{DOMAIN}"
    )
    client: ApiGatewayManagementApiClient = _session().create_client(
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
    return client


@cache
def s3(region: str) -> S3Client:
    """S3, with twice the time for an image, signing URLs with the region's own signature."""
    config = _config(2 * READ_SECONDS).merge(
        Config(signature_version="s3v4", s3={"addressing_style": "path"})
    )
    client: S3Client = _session().create_client("s3", region_name=region, config=config)
    return client


@cache
def bedrock_runtime(region: str, read_seconds: int) -> BedrockRuntimeClient:
    """Bedrock, tried once: a repeat after a read timeout would pay for the image again."""
    client: BedrockRuntimeClient = _session().create_client(
        "bedrock-runtime",
        region_name=region,
        config=Config(
            connect_timeout=MODEL_CONNECT_SECONDS,
            read_timeout=read_seconds,
            retries={"mode": "standard", "total_max_attempts": 1},
            tcp_keepalive=True,
        ),
    )
    return client
