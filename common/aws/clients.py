"""botocore clients with explicit regions, timeouts and retries; nothing relies on a default.

They are what `boto3.client` makes, without boto3 around them, which is slow to import.
`AWS_ENDPOINT_URL` and its service-specific forms, which botocore reads itself, lead elsewhere.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from functools import cache, partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.credentials import ContainerProvider
from botocore.httpsession import URLLib3Session
from botocore.session import Session
from botocore.utils import ContainerMetadataFetcher
from urllib3 import HTTPResponse

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


REHEARSED: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "dynamodb": ("list_tables", {}),
    "sqs": ("list_queues", {}),
    "ssm": ("describe_parameters", {}),
    "apigatewaymanagementapi": ("get_connection", {"ConnectionId": "none"}),
}
"""By service, a call that takes little to make, and whose answer may be empty."""

_made: list[Any] = []
"""Every client of this process."""


@cache
def _credentials_from() -> URLLib3Session:
    """The way to whoever gives out the container's credentials, in Lambda's snapshots."""
    return URLLib3Session(timeout=ContainerMetadataFetcher.TIMEOUT_SECONDS)


@cache
def _session() -> Session:
    session = Session()
    fetcher: Any = ContainerMetadataFetcher(session=_credentials_from())
    ours = ContainerProvider(fetcher=fetcher)
    session.get_component("credential_provider").insert_before(ours.METHOD, ours)
    for store in STORES:
        session.register(f"response-received.{store}", partial(_look_for_throttle, store))
    return session


def _look_for_throttle(store: str, parsed_response: Any = None, **_request: Any) -> None:
    """Count an answer that says that we ask too much; botocore tells of each try by itself."""
    answer = parsed_response or {}
    reasons = [answer.get("Error", {}), *answer.get("CancellationReasons", ())]
    if any(reason.get("Code") in THROTTLE_CODES for reason in reasons):
        count_throttle(store)


def _make(service: str, region: str, config: Config, **settings: Any) -> Any:
    """A client, of no type that says which operations it has."""
    client = _session().create_client(service, region_name=region, config=config, **settings)
    _made.append(client)
    return client


def rehearse() -> None:
    """Have each client make a call that is answered here: all but the sending is then loaded."""
    for client in _made:
        service = client.meta.service_model.service_name
        if service not in REHEARSED:
            continue
        operation, arguments = REHEARSED[service]
        client.meta.events.register_first("before-send", _answer_nothing)
        getattr(client, operation)(**arguments)
        client.meta.events.unregister("before-send", _answer_nothing)


def hang_up() -> None:
    """Close all connections; the next call opens one anew."""
    for client in _made:
        client.close()
    _credentials_from().close()


def _answer_nothing(request: AWSPreparedRequest, **_rest: Any) -> AWSResponse:
    content = HTTPResponse(io.BytesIO(b"{}"), preload_content=False)
    return AWSResponse(request.url, HTTPStatus.OK, HTTPHeaders(), content)


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
    client: DynamoDBClient = _make("dynamodb", region, _config())
    return client


@cache
def sqs(region: str) -> SQSClient:
    """SQS, with the same limits."""
    client: SQSClient = _make("sqs", region, _config())
    return client


@cache
def ssm(region: str) -> SSMClient:
    """Parameter Store, with the same limits."""
    client: SSMClient = _make("ssm", region, _config())
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
    config = Config(
        connect_timeout=PUSH_SECONDS,
        read_timeout=PUSH_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=PUSHES_AT_ONCE,
        tcp_keepalive=True,
    )
    client: ApiGatewayManagementApiClient = _make(
        "apigatewaymanagementapi", region, config, endpoint_url=f"{endpoint}/{stage}"
    )
    return client


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
    client: S3Client = _make("s3", region, config)
    return client


@cache
def bedrock_runtime(region: str, read_seconds: int) -> BedrockRuntimeClient:
    """Bedrock, tried once: a repeat after a read timeout would pay for the image again."""
    config = Config(
        connect_timeout=MODEL_CONNECT_SECONDS,
        read_timeout=read_seconds,
        retries={"mode": "standard", "total_max_attempts": 1},
        tcp_keepalive=True,
    )
    client: BedrockRuntimeClient = _make("bedrock-runtime", region, config)
    return client
