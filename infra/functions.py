"""The functions that serve the HTTP API, the queue and the sweep, and what each may do."""

from __future__ import annotations

from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from constructs import Construct

from common.indexes import DUE_INDEX, EMAIL_INDEX, TIME_INDEX, USER_INDEX
from common.long_polling import WAIT_SECONDS_MAX
from common.packages import PACKAGES
from common.settings.accounts import AccountsSettings
from common.settings.payments import PaymentsSettings
from common.settings.status import StatusSettings
from common.settings.submit import SubmitSettings
from common.settings.sweep import SweepSettings
from common.settings.worker import WorkerSettings
from common.sizing import TIMEOUTS
from infra.function import (
    FunctionMaker,
    Parts,
    allow,
    allow_index,
    allow_items,
    allow_parameter,
)

LONG_POLL_TIMEOUT_SECONDS = WAIT_SECONDS_MAX + 8
"""The longest wait that a caller may prefer, and time to answer; API Gateway gives up after 30."""
SWEEP_TIMEOUT_SECONDS = 55
"""Less than the minute after which the next sweep begins."""
TRIGGER_TIMEOUT_SECONDS = 5
"""Cognito waits no longer for a trigger."""


class Functions(Construct):
    """submit, worker, status, accounts, payments and sweep."""

    def __init__(self, scope: Construct, construct_id: str, *, parts: Parts) -> None:
        super().__init__(scope, construct_id)
        self._maker = FunctionMaker(self, parts)
        self._config = parts.config
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
        role = self._maker.role("Submit")
        # It reads when DynamoDB refuses: an older job under the key goes before the balance.
        allow_items(role, store.jobs, "GetItem", "PutItem")
        allow_items(role, store.users, "UpdateItem")
        allow_items(role, store.ledger, "PutItem")
        allow(role, [queue.queue_arn], "sqs:SendMessage")
        self._maker.allow_outlook(role)
        return self._maker.function(
            "Submit",
            role,
            SubmitSettings,
            {
                **self._maker.outlook_values(),
                "queue_url": queue.queue_url,
                "active_jobs_max": str(self._config.active_jobs_max),
            },
            timeout_seconds=LONG_POLL_TIMEOUT_SECONDS,
            reserved_concurrency=self._config.looks_at_once,
            waited_for=True,
        )

    def _worker(self) -> lambda_.Function:
        store, queue, config = self._storage, self._queue.jobs, self._config
        role = self._maker.role("Worker")
        allow_items(role, store.jobs, "GetItem", "PutItem")
        allow_index(role, store.jobs, USER_INDEX)  # an earlier image, where that will do
        allow_items(role, store.users, "UpdateItem")
        allow_items(role, store.ledger, "PutItem")
        allow_items(role, store.routes, "BatchGetItem", "UpdateItem")
        allow(role, [queue.queue_arn], "sqs:SendMessage")
        self._maker.allow_images(role, "s3:GetObject", "s3:PutObject")
        self._maker.allow_missing_images(role)
        # The first call of a model in an account may need the marketplace's agreement. A person
        # gives that once; a worker that could subscribe could also spend.
        models = [
            f"arn:aws:bedrock:{route.region}::foundation-model/{route.model}"
            for route in config.routes
        ]
        allow(role, models, "bedrock:InvokeModel")
        concurrency = config.workers
        worker = self._maker.function(
            "Worker",
            role,
            WorkerSettings,
            {
                **self._maker.job_values(),
                "queue_url": queue.queue_url,
                "routes_table": store.routes.table_name,
                "attempts_max": str(config.attempts_max),
                "slot_wait_seconds_max": str(TIMEOUTS.slot_wait_seconds_max),
                "model_read_seconds": str(TIMEOUTS.model_read_seconds),
                "lease_seconds": str(TIMEOUTS.lease_seconds),
            },
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
        role = self._maker.role("Status")
        allow_items(role, store.jobs, "GetItem", "PutItem")
        allow_index(role, store.jobs, USER_INDEX)
        allow_items(role, store.users, "UpdateItem")  # a cancel gives the hold back
        allow_items(role, store.ledger, "PutItem")
        self._maker.allow_outlook(role)
        return self._maker.function(
            "Status",
            role,
            StatusSettings,
            self._maker.outlook_values(),
            timeout_seconds=LONG_POLL_TIMEOUT_SECONDS,
            reserved_concurrency=self._config.looks_at_once,
            waited_for=True,
        )

    def _accounts(self) -> lambda_.Function:
        store = self._storage
        role = self._maker.role("Accounts")
        allow_items(role, store.users, "GetItem", "PutItem")
        allow_index(role, store.users, EMAIL_INDEX)
        allow_items(role, store.ledger, "PutItem")
        allow_index(role, store.ledger, TIME_INDEX)
        return self._maker.function(
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
            waited_for=True,
        )

    def _payments(self) -> lambda_.Function:
        role = self._maker.role("Payments")
        self._allow_payments(role)
        allow_index(role, self._storage.payments, USER_INDEX)
        return self._maker.function(
            "Payments",
            role,
            PaymentsSettings,
            {
                **self._money_values(),
                "packages": PACKAGES.dump_json(self._config.packages).decode(),
                "page_url": self._config.page_url,
            },
            waited_for=True,
        )

    def _sweep(self) -> lambda_.Function:
        store, queue = self._storage, self._queue.jobs
        role = self._maker.role("Sweep")
        self._allow_payments(role)
        allow_index(role, store.payments, DUE_INDEX)
        allow_items(role, store.jobs, "GetItem", "PutItem")
        allow_index(role, store.jobs, DUE_INDEX)
        allow_items(role, store.acts, "PutItem")
        allow_items(role, store.routes, "BatchGetItem")
        allow(role, [queue.queue_arn], "sqs:SendMessage")
        # Before a stalled job is given up: its image may be there.
        self._maker.allow_images(role, "s3:GetObject")
        self._maker.allow_missing_images(role)
        return self._maker.function(
            "Sweep",
            role,
            SweepSettings,
            {
                **self._maker.job_values(),
                **self._money_values(),
                "routes_table": store.routes.table_name,
                "acts_table": store.acts.table_name,
                "queue_url": queue.queue_url,
                "stalled_hold_hours": str(self._config.stalled_hold_hours),
            },
            timeout_seconds=SWEEP_TIMEOUT_SECONDS,
        )

    def _allow_payments(self, role: iam.Role) -> None:
        """Book payments, knowing the merchant's account."""
        store = self._storage
        allow_items(role, store.payments, "GetItem", "PutItem")
        allow_items(role, store.users, "UpdateItem")
        allow_items(role, store.ledger, "PutItem")
        allow_parameter(role, self._config.vnpay_parameter)

    def _money_values(self) -> dict[str, str]:
        return {
            "home_region": self._config.home_region,
            "payments_table": self._storage.payments.table_name,
            "users_table": self._storage.users.table_name,
            "ledger_table": self._storage.ledger.table_name,
            "vnpay_parameter": self._config.vnpay_parameter,
        }
