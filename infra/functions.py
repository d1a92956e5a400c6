"""The functions, each with a log group and a role of its own that may do just what it does.

A DynamoDB transaction needs no permission of its own: IAM judges each Put and Update in it as
PutItem and UpdateItem, and no other is documented for the old item that a failed condition returns
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import Duration, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from aws_cdk import aws_s3 as s3
from constructs import Construct

from common.routes import ROUTES
from common.settings import (
    DUE_INDEX,
    EMAIL_INDEX,
    PACKAGES,
    TIME_INDEX,
    USER_INDEX,
    AccountsSettings,
    PaymentsSettings,
    Settings,
    StatusSettings,
    SubmitSettings,
    SweepSettings,
    WorkerSettings,
)
from common.sizing import TIMEOUTS, worker_concurrency
from infra.config import Config
from infra.logs import log_group
from infra.nag import accept
from infra.queue import JobsQueue
from infra.storage import IMAGES, Storage

METRICS_NAMESPACE = "Imagify"
API_TIMEOUT_SECONDS = 15
API_MEMORY_MIB = 1024
"""Processor time comes with memory, and somebody waits for these."""
WORKER_MEMORY_MIB = 512
"""A worker mostly waits for its model, and holds one image of a few MB."""
SWEEP_TIMEOUT_SECONDS = 55
"""Less than the minute after which the next sweep begins."""
TRIGGER_TIMEOUT_SECONDS = 5
"""Cognito waits no longer for a trigger."""

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


class Functions(Construct):
    """submit, worker, status, accounts, payments and sweep."""

    def __init__(self, scope: Construct, construct_id: str, *, parts: Parts) -> None:
        super().__init__(scope, construct_id)
        self._config = parts.config
        self._code = parts.code
        self._storage = parts.storage
        self._queue = parts.queue
        self.submit = self._submit()
        self.worker = self._worker()
        self.status = self._status()
        self.accounts = self._accounts()
        self.payments = self._payments()
        self.sweep = self._sweep()

    def _submit(self) -> lambda_.Function:
        store, queue = self._storage, self._queue.jobs
        role = self._role("Submit")
        # It reads when DynamoDB refuses: an older job under the key goes before the balance.
        _allow_items(role, store.jobs, "GetItem", "PutItem")
        _allow_items(role, store.users, "UpdateItem")
        _allow_items(role, store.ledger, "PutItem")
        _allow(role, [queue.queue_arn], "sqs:SendMessage")
        self._allow_images(role, "s3:GetObject")  # signs the URL when a submit is repeated
        return self._function(
            "Submit",
            role,
            SubmitSettings,
            {
                **self._job_values(),
                "queue_url": queue.queue_url,
                "active_jobs_max": str(self._config.active_jobs_max),
                "image_url_seconds": str(self._config.image_url_seconds),
            },
        )

    def _worker(self) -> lambda_.Function:
        store, queue, config = self._storage, self._queue.jobs, self._config
        role = self._role("Worker")
        _allow_items(role, store.jobs, "GetItem", "PutItem")
        _allow_items(role, store.users, "UpdateItem")
        _allow_items(role, store.ledger, "PutItem")
        _allow_items(role, store.routes, "BatchGetItem", "UpdateItem")
        _allow(role, [queue.queue_arn], "sqs:SendMessage")
        self._allow_images(role, "s3:GetObject", "s3:PutObject")
        # Without it S3 answers 403, not 404, when asked for an image that is not there.
        _allow(role, [store.images.bucket_arn], "s3:ListBucket")
        # The first call of a model in an account may need the marketplace's agreement. A person
        # gives that once; a worker that could subscribe could also spend.
        models = [
            f"arn:aws:bedrock:{route.region}::foundation-model/{route.model}"
            for route in config.routes
        ]
        _allow(role, models, "bedrock:InvokeModel")
        concurrency = worker_concurrency(config.routes)
        worker = self._function(
            "Worker",
            role,
            WorkerSettings,
            {
                **self._job_values(),
                "queue_url": queue.queue_url,
                "routes_table": store.routes.table_name,
                "attempts_max": str(config.attempts_max),
                "slot_wait_seconds_max": str(TIMEOUTS.slot_wait_seconds_max),
                "model_read_seconds": str(TIMEOUTS.model_read_seconds),
                "lease_seconds": str(TIMEOUTS.lease_seconds),
            },
            memory_mib=WORKER_MEMORY_MIB,
            timeout_seconds=TIMEOUTS.function_seconds,
            reserved_concurrency=concurrency,
            # A job that must wait is sent again to the queue that it came from. Lambda takes that
            # for a runaway loop and drops the message the 16th time, unless told that it is meant:
            # https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
            recursive_loop=lambda_.RecursiveLoop.ALLOW,
        )
        worker.add_event_source(
            event_sources.SqsEventSource(
                queue,
                batch_size=1,
                report_batch_item_failures=True,
                # Reserved concurrency alone lets the pollers fetch what cannot be run, and each
                # such fetch counts towards the dead-letter queue.
                max_concurrency=concurrency,
            )
        )
        return worker

    def _status(self) -> lambda_.Function:
        store = self._storage
        role = self._role("Status")
        _allow_items(role, store.jobs, "GetItem", "PutItem")
        _allow_index(role, store.jobs, USER_INDEX)
        _allow_items(role, store.users, "UpdateItem")  # a cancel gives the hold back
        _allow_items(role, store.ledger, "PutItem")
        self._allow_images(role, "s3:GetObject")
        return self._function(
            "Status",
            role,
            StatusSettings,
            {**self._job_values(), "image_url_seconds": str(self._config.image_url_seconds)},
        )

    def _accounts(self) -> lambda_.Function:
        store = self._storage
        role = self._role("Accounts")
        _allow_items(role, store.users, "GetItem", "PutItem")
        _allow_index(role, store.users, EMAIL_INDEX)
        _allow_items(role, store.ledger, "PutItem")
        _allow_index(role, store.ledger, TIME_INDEX)
        return self._function(
            "Accounts",
            role,
            AccountsSettings,
            {
                "home_region": self._config.home_region,
                "users_table": store.users.table_name,
                "ledger_table": store.ledger.table_name,
                "welcome_credits": str(self._config.welcome_credits),
            },
            timeout_seconds=TRIGGER_TIMEOUT_SECONDS,
        )

    def _payments(self) -> lambda_.Function:
        role = self._role("Payments")
        self._allow_payments(role)
        _allow_index(role, self._storage.payments, USER_INDEX)
        return self._function(
            "Payments",
            role,
            PaymentsSettings,
            {
                **self._money_values(),
                "packages": PACKAGES.dump_json(self._config.packages).decode(),
                "page_url": self._config.page_url,
            },
        )

    def _sweep(self) -> lambda_.Function:
        role = self._role("Sweep")
        self._allow_payments(role)
        _allow_index(role, self._storage.payments, DUE_INDEX)
        return self._function(
            "Sweep",
            role,
            SweepSettings,
            self._money_values(),
            timeout_seconds=SWEEP_TIMEOUT_SECONDS,
        )

    def _allow_payments(self, role: iam.Role) -> None:
        """Book payments, knowing the merchant's account."""
        store = self._storage
        _allow_items(role, store.payments, "GetItem", "PutItem")
        _allow_items(role, store.users, "UpdateItem")
        _allow_items(role, store.ledger, "PutItem")
        # The account's own key for SecureStrings may be used by whoever may read the parameter.
        parameter = Stack.of(self).format_arn(
            service="ssm",
            resource="parameter",
            resource_name=self._config.vnpay_parameter.removeprefix("/"),
        )
        _allow(role, [parameter], "ssm:GetParameter")

    def _money_values(self) -> dict[str, str]:
        return {
            "home_region": self._config.home_region,
            "payments_table": self._storage.payments.table_name,
            "users_table": self._storage.users.table_name,
            "ledger_table": self._storage.ledger.table_name,
            "vnpay_parameter": self._config.vnpay_parameter,
        }

    def _job_values(self) -> dict[str, str]:
        routes = ROUTES.dump_python(self._config.routes, mode="json")
        return {
            "home_region": self._config.home_region,
            "jobs_table": self._storage.jobs.table_name,
            "users_table": self._storage.users.table_name,
            "ledger_table": self._storage.ledger.table_name,
            "images_bucket": self._storage.images.bucket_name,
            "routes": json.dumps(routes, separators=(",", ":")),
        }

    def _role(self, name: str) -> iam.Role:
        return iam.Role(
            self,
            f"{name}Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"What Imagify's {name.lower()} function may do",
        )

    def _allow_images(self, role: iam.Role, *actions: str) -> None:
        images = self._storage.images
        _allow(role, [images.arn_for_objects(IMAGES)], *actions)
        bucket = images.node.default_child
        assert isinstance(bucket, s3.CfnBucket)
        name = Stack.of(self).get_logical_id(bucket)
        accept(role, f"AwsSolutions-IAM5[Resource::<{name}.Arn>/{IMAGES}]", IMAGES_REASON)

    def _function(
        self,
        name: str,
        role: iam.Role,
        settings: type[Settings],
        values: Mapping[str, str],
        *,
        memory_mib: int = API_MEMORY_MIB,
        timeout_seconds: int = API_TIMEOUT_SECONDS,
        reserved_concurrency: int | None = None,
        recursive_loop: lambda_.RecursiveLoop | None = None,
    ) -> lambda_.Function:
        logs = log_group(self, f"{name}Logs", days=self._config.log_retention_days)
        logs.grant_write(role)
        function = lambda_.Function(
            self,
            name,
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            code=self._code,
            handler=f"functions.{name.lower()}.handler.handler",
            role=role,
            environment={
                **environment(settings, values),
                "POWERTOOLS_SERVICE_NAME": name.lower(),
                "POWERTOOLS_METRICS_NAMESPACE": METRICS_NAMESPACE,
                "POWERTOOLS_LOG_LEVEL": "INFO",
            },
            memory_size=memory_mib,
            timeout=Duration.seconds(timeout_seconds),
            reserved_concurrent_executions=reserved_concurrency,
            recursive_loop=recursive_loop,
            tracing=lambda_.Tracing.ACTIVE,
            log_group=logs,
        )
        accept(role, "AwsSolutions-IAM5[Resource::*]", TRACING_REASON)
        accept(function, "AwsSolutions-L1", RUNTIME_REASON)
        return function


def environment(settings: type[Settings], values: Mapping[str, str]) -> dict[str, str]:
    """The variables that `settings` reads; raises ValueError unless each field has a value."""
    variables = settings.variables()
    if set(variables) != set(values):
        raise ValueError(f"{settings.__name__} has {set(variables)}, given are {set(values)}")
    return {variables[field]: value for field, value in values.items()}


def _allow(role: iam.Role, resources: Sequence[str], *actions: str) -> None:
    role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=list(resources)))


def _allow_items(role: iam.Role, table: dynamodb.Table, *operations: str) -> None:
    _allow(role, [table.table_arn], *(f"dynamodb:{operation}" for operation in operations))


def _allow_index(role: iam.Role, table: dynamodb.Table, index: str) -> None:
    # Permission on the table does not cover its indexes.
    _allow(role, [f"{table.table_arn}/index/{index}"], "dynamodb:Query")
