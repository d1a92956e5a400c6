"""What is looked at: a stage's configuration, its stack where there is one, and AWS around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import boto3
from botocore.config import Config as ClientConfig

from common.config import Config
from common.sizing import TIMEOUTS
from sandbox.clients import client_settings
from sandbox.state import Outputs, State

if TYPE_CHECKING:
    from mypy_boto3_bedrock import BedrockClient
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_service_quotas import ServiceQuotasClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_sts import STSClient

_ON_AWS: Mapping[str, Any] = {
    "config": ClientConfig(
        connect_timeout=5,
        read_timeout=20,
        retries={"mode": "standard", "total_max_attempts": 3},
    )
}


class SchedulerClient(Protocol):
    """What is called of EventBridge Scheduler; boto3's own types of it are not installed."""

    def get_schedule(self, *, Name: str) -> Mapping[str, Any]:  # noqa: N803 - boto3's name
        """A schedule of the default group."""


class Clients:
    """The services, each made when it is first asked."""

    def __init__(self, session: boto3.session.Session, local: State | None = None) -> None:
        """On a local run all is the emulator's, but for the models, which have one of their own."""
        self._session = session
        self._home: dict[str, Any] = dict(client_settings(local.emulator_url) if local else _ON_AWS)
        self._models = {"endpoint_url": local.simulator_url} if local else {}

    @cached_property
    def sts(self) -> STSClient:
        """Who is asking."""
        client: STSClient = self._session.client("sts", **self._home)
        return client

    @cached_property
    def cloudformation(self) -> CloudFormationClient:
        """Stacks."""
        client: CloudFormationClient = self._session.client("cloudformation", **self._home)
        return client

    @cached_property
    def lambda_(self) -> LambdaClient:
        """Functions, and how many may run."""
        client: LambdaClient = self._session.client("lambda", **self._home)
        return client

    @cached_property
    def iam(self) -> IAMClient:
        """What roles may do."""
        client: IAMClient = self._session.client("iam", **self._home)
        return client

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        """Tables."""
        client: DynamoDBClient = self._session.client("dynamodb", **self._home)
        return client

    @cached_property
    def s3(self) -> S3Client:
        """The bucket."""
        client: S3Client = self._session.client("s3", **self._home)
        return client

    @cached_property
    def sqs(self) -> SQSClient:
        """Queues."""
        client: SQSClient = self._session.client("sqs", **self._home)
        return client

    @cached_property
    def cloudwatch(self) -> CloudWatchClient:
        """Alarms."""
        client: CloudWatchClient = self._session.client("cloudwatch", **self._home)
        return client

    @cached_property
    def sns(self) -> SNSClient:
        """Whom alarms are told to."""
        client: SNSClient = self._session.client("sns", **self._home)
        return client

    @cached_property
    def ssm(self) -> SSMClient:
        """Parameters."""
        client: SSMClient = self._session.client("ssm", **self._home)
        return client

    @cached_property
    def scheduler(self) -> SchedulerClient:
        """When the sweep runs."""
        client: SchedulerClient = self._session.client("scheduler", **self._home)
        return client

    def bedrock(self, region: str) -> BedrockClient:
        """Models, in a route's region."""
        client: BedrockClient = self._session.client("bedrock", **self._in(region))
        return client

    def bedrock_runtime(self, region: str) -> BedrockRuntimeClient:
        """The models themselves, called once: a repeat after a timeout would be paid for again."""
        settings = self._in(region)
        settings["config"] = settings["config"].merge(
            ClientConfig(
                read_timeout=TIMEOUTS.model_read_seconds,
                retries={"mode": "standard", "total_max_attempts": 1},
            )
        )
        client: BedrockRuntimeClient = self._session.client("bedrock-runtime", **settings)
        return client

    def service_quotas(self, region: str) -> ServiceQuotasClient:
        """What the account may do, in a route's region."""
        settings = {**self._home, "region_name": region}
        client: ServiceQuotasClient = self._session.client("service-quotas", **settings)
        return client

    def _in(self, region: str) -> dict[str, Any]:
        return {**self._home, **self._models, "region_name": region}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource of a stack."""

    logical_id: str
    kind: str
    """CloudFormation's name of its type."""
    physical_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A stack that is there."""

    status: str
    outputs: Outputs | None
    """None while it has not all of ours, as it was never deployed as a whole."""
    resources: tuple[Resource, ...]

    def of_kind(self, kind: str) -> tuple[str, ...]:
        """The names that AWS has for all resources of a type."""
        return tuple(each.physical_id for each in self.resources if each.kind == kind)

    @property
    def tables(self) -> dict[str, str]:
        """Each table's name in AWS, by the name that it has in our code, such as `Users`."""
        return {
            each.logical_id.removeprefix(_STORAGE)[:-_HASH_LENGTH]: each.physical_id
            for each in self.resources
            if each.kind == "AWS::DynamoDB::Table"
        }


_STORAGE = "Storage"
"""The construct that holds the tables; CloudFormation's names for them begin with it …"""
_HASH_LENGTH = 8
"""… and end in so many characters that the CDK adds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One stage, before or after its deployment."""

    config: Config
    clients: Clients
    profile: str | None = None
    local: bool = False
    """Whether it is the local run."""
    emulated: bool = False
    """Whether AWS is an emulator, the local run's or another: its template asks for less."""

    @property
    def stack_name(self) -> str:
        """What CloudFormation calls it."""
        return self.config.stack_name
