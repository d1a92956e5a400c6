"""How each function is made: a log group and a role of its own that may do just what it does.

A DynamoDB transaction needs no permission of its own: IAM judges each Put and Update in it as
PutItem and UpdateItem, and no other is documented for the old item that a failed condition returns
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

from common.config import Config
from common.indexes import WAITING_INDEX
from common.routes import ROUTES
from common.settings.base import Settings
from infra.image_keys import ImageKeys
from infra.logs import log_group
from infra.nag import accept
from infra.queue import JobsQueue
from infra.storage import IMAGES, Storage

API_TIMEOUT_SECONDS = 15
MEMORY_MIB = 512
"""Processor time comes with memory, and this is 0.29 of a core: docs/COLDSTART.md says what for.
A snapshot is paid by the memory, too."""
LIVE = "live"
"""The alias by which a function that people wait for is called."""

TRACING_REASON = (
    "X-Ray has no resource to name: PutTraceSegments and PutTelemetryRecords take only `*`."
)
IMAGES_REASON = "The images of all users and nothing else; their names are not known beforehand."
RUNTIME_REASON = "The locked libraries are built for Python 3.13, a runtime in full support."


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the functions are built from and work on."""

    config: Config
    code: lambda_.Code
    storage: Storage
    queue: JobsQueue
    image_keys: ImageKeys | None
    """None: S3 hands images out itself."""


class FunctionMaker:
    """Makes functions in a construct, and what many of them are told and allowed."""

    def __init__(self, scope: Construct, parts: Parts) -> None:
        self._scope = scope
        self._config = parts.config
        self._code = parts.code
        self._storage = parts.storage
        self._image_keys = parts.image_keys

    def job_values(self) -> dict[str, str]:
        """What `RoutedSettings` has: where jobs are, and the routes that there are."""
        routes = ROUTES.dump_python(self._config.routes, mode="json")
        return {
            "home_region": self._config.home_region,
            "jobs_table": self._storage.jobs.table_name,
            "users_table": self._storage.users.table_name,
            "ledger_table": self._storage.ledger.table_name,
            "images_bucket": self._storage.images.bucket_name,
            "routes": json.dumps(routes, separators=(",", ":")),
        }

    def outlook_values(self) -> dict[str, str]:
        """What `OutlookSettings` has: what it takes to show a job."""
        return {
            **self.job_values(),
            "routes_table": self._storage.routes.table_name,
            "image_url_seconds": str(self._config.image_url_seconds),
            "image_links": self._image_keys.links if self._image_keys else "",
            "workers": str(self._config.workers),
        }

    def allow_outlook(self, role: iam.Role) -> None:
        """Let the role show jobs: who waits, how the lines are, and the image."""
        allow_index(role, self._storage.jobs, WAITING_INDEX)
        allow_items(role, self._storage.routes, "BatchGetItem")
        if self._image_keys:
            for parameter in self._image_keys.parameters:
                allow_parameter(role, parameter)
        else:
            self.allow_images(role, "s3:GetObject")

    def role(self, name: str) -> iam.Role:
        """A role that may do nothing yet."""
        return iam.Role(
            self._scope,
            f"{name}Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"What Imagify's {name.lower()} function may do",
        )

    def allow_images(self, role: iam.Role, *actions: str) -> None:
        """Let the role do something with images."""
        images = self._storage.images
        allow(role, [images.arn_for_objects(IMAGES)], *actions)
        bucket = images.node.default_child
        assert isinstance(bucket, s3.CfnBucket)
        name = Stack.of(self._scope).get_logical_id(bucket)
        accept(role, f"AwsSolutions-IAM5[Resource::<{name}.Arn>/{IMAGES}]", IMAGES_REASON)

    def allow_missing_images(self, role: iam.Role) -> None:
        """Let the role be told that an image is not there: else S3 answers 403, not 404."""
        allow(role, [self._storage.images.bucket_arn], "s3:ListBucket")

    def function(
        self,
        name: str,
        role: iam.Role,
        settings: type[Settings],
        values: Mapping[str, str],
        *,
        timeout_seconds: int = API_TIMEOUT_SECONDS,
        reserved_concurrency: int | None = None,
        recursive_loop: lambda_.RecursiveLoop | None = None,
        waited_for: bool = False,
    ) -> lambda_.Function:
        """The function `functions/<name>`, told what its settings have.

        One that people wait for starts from a snapshot, if that is configured, and is to be called
        as `live(function)`: Lambda takes snapshots of published versions alone.
        """
        logs = log_group(self._scope, f"{name}Logs", days=self._config.log_retention_days)
        logs.grant_write(role)
        function = lambda_.Function(
            self._scope,
            name,
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            code=self._code,
            handler=f"functions.{name.lower()}.handler.handler",
            role=role,
            environment={
                **environment(settings, values),
                "POWERTOOLS_SERVICE_NAME": name.lower(),
                "POWERTOOLS_METRICS_NAMESPACE": self._config.stack_name,
                "POWERTOOLS_LOG_LEVEL": "INFO",
                # There are none, and to look for them takes a sixteenth of a cold start.
                "PYDANTIC_DISABLE_PLUGINS": "__all__",
            },
            memory_size=MEMORY_MIB,
            timeout=Duration.seconds(timeout_seconds),
            reserved_concurrent_executions=reserved_concurrency
            if self._config.reserve_concurrency
            else None,
            recursive_loop=recursive_loop,
            snap_start=lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS
            if waited_for and self._config.snap_start
            else None,
            # Each version's snapshot costs money for as long as the version is there.
            current_version_options=lambda_.VersionOptions(removal_policy=RemovalPolicy.DESTROY),
            tracing=lambda_.Tracing.ACTIVE,
            log_group=logs,
        )
        accept(role, "AwsSolutions-IAM5[Resource::*]", TRACING_REASON)
        accept(function, "AwsSolutions-L1", RUNTIME_REASON)
        return function


def live(function: lambda_.Function) -> lambda_.Alias:
    """The version of the function that is called: always the one deployed last."""
    alias = function.node.try_find_child("Live")
    if alias is None:
        alias = lambda_.Alias(function, "Live", alias_name=LIVE, version=function.current_version)
    assert isinstance(alias, lambda_.Alias)
    return alias


def environment(settings: type[Settings], values: Mapping[str, str]) -> dict[str, str]:
    """The variables that `settings` reads; raises ValueError unless each field has a value."""
    variables = settings.variables()
    if set(variables) != set(values):
        raise ValueError(f"{settings.__name__} has {set(variables)}, given are {set(values)}")
    return {variables[field]: value for field, value in values.items()}


def allow(role: iam.Role, resources: Sequence[str], *actions: str) -> None:
    """Allow actions on resources."""
    role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=list(resources)))


def allow_parameter(role: iam.Role, name: str) -> None:
    """Allow to read a SecureString in Parameter Store."""
    # The account's own key for SecureStrings may be used by whoever may read the parameter.
    arn = Stack.of(role).format_arn(
        service="ssm", resource="parameter", resource_name=name.removeprefix("/")
    )
    allow(role, [arn], "ssm:GetParameter")


def allow_items(role: iam.Role, table: dynamodb.Table, *operations: str) -> None:
    """Allow DynamoDB's operations on a table's items."""
    allow(role, [table.table_arn], *(f"dynamodb:{operation}" for operation in operations))


def allow_index(role: iam.Role, table: dynamodb.Table, index: str) -> None:
    """Allow to query an index."""
    # Permission on the table does not cover its indexes.
    allow(role, [f"{table.table_arn}/index/{index}"], "dynamodb:Query")
