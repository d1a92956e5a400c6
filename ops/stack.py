"""A deployed stack as an operator reaches it: the local run, or one in an AWS account."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError

from common.aws.dynamo_acts import DynamoActs
from common.aws.dynamo_jobs import DynamoJobStore
from common.aws.dynamo_ledger import DynamoLedger
from common.aws.dynamo_lines import DynamoLines
from common.aws.dynamo_payments import DynamoPaymentStore
from common.aws.dynamo_users import DynamoUserStore
from common.aws.s3_images import S3ImageStore
from common.aws.sqs_queue import SqsJobQueue
from common.aws.ssm_merchant import SsmMerchant
from common.config import Config
from common.routes import ROUTES, Route
from common.vnpay_gateway import HttpGateway
from common.wall_clock import utc_now
from ops.caller import known_caller
from ops.money.read_books import BooksReader
from ops.stack_state import find_stack
from ops.stages import configured
from ops.stalled.dead_letters import DeadLetters
from ops.stalled.stalled_jobs import Desk
from sandbox.clients import client_settings
from sandbox.errors import CommandError
from sandbox.people import People
from sandbox.places import Places
from sandbox.run import find
from sandbox.state import Outputs, State, emulated_api_url

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_sts import STSClient


def reachable_api_url(outputs: Outputs, endpoint: str | None) -> str:
    """The API's address, without a slash at the end; `endpoint` is the emulator's, where one is.

    Whoever sets AWS_ENDPOINT_URL has an emulator for AWS, where the name in the outputs leads
    nowhere.
    """
    return emulated_api_url(endpoint, outputs) if endpoint else outputs.ApiUrl.rstrip("/")


class StackError(CommandError):
    """The stack cannot be reached."""


class Stack:
    """The stores of one stack, with the credentials of whoever operates it."""

    def __init__(self, stage: str | None, profile: str | None) -> None:
        """Find the stage's stack, or without a stage the local run's.

        Raises CommandError when there is none, or nobody may look.
        """
        if stage is not None:
            # A model may have left Bedrock, and what was made with it is still to be looked after.
            self._open_on_aws(configured(stage, forced=True), profile)
        elif profile is not None:
            raise StackError("--profile goes with --stage; the local run needs no credentials.")
        else:
            self._open_local_run()

    def _open_local_run(self) -> None:
        state = find(Places.from_env(os.environ))
        assert state.outputs is not None
        self.name = "the local run"
        self.local: State | None = state
        self.config = Config()
        self.outputs = state.outputs
        self._session = boto3.session.Session()
        self._settings: dict[str, Any] = dict(client_settings(state.emulator_url))

    def _open_on_aws(self, config: Config, profile: str | None) -> None:
        self.name = f"{config.stack_name} in {config.home_region}"
        self.local = None
        self.config = config
        self._session = known_caller(profile, config.home_region).session
        self._settings = {}
        try:
            found = find_stack(self._session.client("cloudformation"), config.stack_name)
        except (BotoCoreError, ClientError) as error:
            raise StackError(f"The stack {self.name} cannot be looked at: {error}") from error
        if found is None:
            raise StackError(f"The stack {self.name} is not deployed.")
        outputs = found.get("Outputs", [])
        try:
            self.outputs = Outputs.model_validate(
                {output["OutputKey"]: output["OutputValue"] for output in outputs}
            )
        except ValidationError as error:
            missing = ", ".join(str(item["loc"][0]) for item in error.errors())
            raise StackError(f"{self.name} has no output named {missing}.") from error

    @property
    def dynamodb(self) -> DynamoDBClient:
        """Its tables' service."""
        client: DynamoDBClient = self._session.client("dynamodb", **self._settings)
        return client

    @property
    def sqs(self) -> SQSClient:
        """Its queues' service."""
        client: SQSClient = self._session.client("sqs", **self._settings)
        return client

    @property
    def cloudformation(self) -> CloudFormationClient:
        """What it was deployed by."""
        client: CloudFormationClient = self._session.client("cloudformation", **self._settings)
        return client

    @property
    def logs(self) -> CloudWatchLogsClient:
        """Its logs' service."""
        client: CloudWatchLogsClient = self._session.client("logs", **self._settings)
        return client

    @property
    def routes(self) -> tuple[Route, ...]:
        """Which models it calls where."""
        return ROUTES.validate_json(self.outputs.Routes)

    @property
    def lines(self) -> DynamoLines:
        """Its pacing lines."""
        return DynamoLines(self.dynamodb, routes_table=self.outputs.RoutesTable)

    @property
    def jobs(self) -> DynamoJobStore:
        """Its jobs."""
        return DynamoJobStore(
            self.dynamodb,
            jobs_table=self.outputs.JobsTable,
            users_table=self.outputs.UsersTable,
            ledger_table=self.outputs.LedgerTable,
            acts_table=self.outputs.ActsTable,
        )

    @property
    def s3(self) -> S3Client:
        """Its bucket's service."""
        client: S3Client = self._session.client("s3", **self._settings)
        return client

    @property
    def books(self) -> BooksReader:
        """Its books."""
        return BooksReader(self.outputs, dynamodb=self.dynamodb, s3=self.s3)

    @property
    def desk(self) -> Desk:
        """Its stalled jobs and dead letters, and what it takes to decide about them."""
        sqs, outputs = self.sqs, self.outputs
        return Desk(
            jobs=self.jobs,
            queue=SqsJobQueue(sqs, queue_url=outputs.JobsQueueUrl),
            images=S3ImageStore(self.s3, bucket=outputs.ImagesBucket),
            acts=DynamoActs(self.dynamodb, acts_table=outputs.ActsTable),
            letters=DeadLetters(sqs, queue_url=outputs.DeadLetterQueueUrl),
            now=utc_now,
            sleep=time.sleep,
        )

    @property
    def operator(self) -> str:
        """Who is operating, as AWS knows them."""
        client: STSClient = self._session.client("sts", **self._settings)
        return client.get_caller_identity()["Arn"]

    @property
    def users(self) -> DynamoUserStore:
        """Its people."""
        return DynamoUserStore(
            self.dynamodb,
            users_table=self.outputs.UsersTable,
            ledger_table=self.outputs.LedgerTable,
        )

    @property
    def ledger(self) -> DynamoLedger:
        """Its ledger."""
        return DynamoLedger(
            self.dynamodb,
            users_table=self.outputs.UsersTable,
            ledger_table=self.outputs.LedgerTable,
        )

    @property
    def payments(self) -> DynamoPaymentStore:
        """Its payments."""
        return DynamoPaymentStore(
            self.dynamodb,
            payments_table=self.outputs.PaymentsTable,
            users_table=self.outputs.UsersTable,
            ledger_table=self.outputs.LedgerTable,
        )

    @property
    def ssm(self) -> SSMClient:
        """Where the merchant's account is."""
        client: SSMClient = self._session.client("ssm", **self._settings)
        return client

    @property
    def gateway(self) -> HttpGateway:
        """VNPAY, as its merchant."""
        return HttpGateway(SsmMerchant(self.ssm, parameter=self.outputs.VnpayParameter))

    @property
    def people(self) -> People:
        """Who may sign in."""
        return People(self._session.client("cognito-idp", **self._settings), self.outputs)

    @property
    def api_url(self) -> str:
        """The API, without a slash at the end."""
        local = self.local
        endpoint = local.emulator_url if local else os.environ.get("AWS_ENDPOINT_URL")
        return reachable_api_url(self.outputs, endpoint)
