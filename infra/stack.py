"""The stack, which only puts the parts together, and what it differs by in the sandbox."""

from __future__ import annotations

from aws_cdk import CfnOutput, CliCredentialsStackSynthesizer, Environment, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from common.config import Config
from common.routes import ROUTES
from infra.accounts import Accounts
from infra.alarms import Alarms
from infra.api import Api
from infra.dashboard import Dashboard
from infra.feed import Feed
from infra.function import Parts
from infra.functions import Functions
from infra.image_keys import ImageKeys
from infra.packaging import Package
from infra.queue import JobsQueue
from infra.storage import Storage
from infra.sweep import SweepSchedule
from infra.watches import Watched

CONSTRUCT_ID = "Imagify"
"""The root of what the constructs are called, in every stage."""


class ImagifyStack(Stack):
    """Everything that Imagify is in AWS.

    `sandbox_assets` names the local run's bucket for assets, and is None on AWS. The sandbox gets
    this very template but for five things, all of them decided here and in `infra.app`:

    1. the code package holds no libraries: the emulator runs functions with its own interpreter,
       which could not load those built for Lambda's (`infra.app` chooses the package);
    2. buckets and queues do not insist on TLS: the emulator speaks plain HTTP on loopback;
    3. assets go to the named bucket with the caller's own credentials: the emulator has no CDK
       bootstrap roles;
    4. nothing is exported to `infra.web`, which is on AWS alone: the emulator has no CloudFront;
    5. there is no budget, if one is set: the emulator has none, and costs nothing.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        config: Config,
        package: Package,
        account: str | None,
        sandbox_assets: str | None = None,
    ) -> None:
        on_aws = sandbox_assets is None
        keep = config.removal == "keep"
        super().__init__(
            scope,
            CONSTRUCT_ID,
            stack_name=config.stack_name,
            description="Imagify: image generation, paid for by the image",
            env=Environment(account=account, region=config.home_region),
            termination_protection=keep,
            synthesizer=None
            if on_aws
            else CliCredentialsStackSynthesizer(file_assets_bucket_name=sandbox_assets),
        )
        self.storage = Storage(self, "Storage", keep=keep, tls_only_bucket=on_aws)
        self.queue = JobsQueue(self, "Queue", attempts_max=config.attempts_max, tls_only=on_aws)
        code = lambda_.Code.from_asset(str(package.path), asset_hash=package.digest)
        self.image_keys = (
            ImageKeys(self, "ImageKeys", config=config, domain=config.domain, storage=self.storage)
            if config.domain
            else None
        )
        parts = Parts(
            config=config,
            code=code,
            storage=self.storage,
            queue=self.queue,
            image_keys=self.image_keys,
        )
        self.functions = Functions(self, "Functions", parts=parts)
        self.feed = Feed(self, "Feed", parts=parts)
        self.accounts = Accounts(
            self, "Accounts", pre_token_generation=self.functions.accounts, keep=keep
        )
        self.api = Api(
            self,
            "Api",
            config=config,
            functions=self.functions,
            feed=self.feed.function,
            accounts=self.accounts,
        )
        SweepSchedule(self, "Sweep", function=self.functions.sweep)
        watched = Watched(
            config=config,
            queue=self.queue,
            api=self.api,
            feed=self.feed,
            functions=self.functions,
        )
        alarms = Alarms(self, "Alarms", watched=watched, may_cost=on_aws)
        Dashboard(self, "Dashboard", watched=watched, alarms=alarms.alarms)
        self._write_outputs(config)

    def _write_outputs(self, config: Config) -> None:
        outputs = {
            "ApiUrl": self.api.stage.url,
            "FeedUrl": self.feed.stage.url,
            "UserPoolId": self.accounts.pool.user_pool_id,
            "UserPoolClientId": self.accounts.client.user_pool_client_id,
            "HomeRegion": config.home_region,
            "ImagesBucket": self.storage.images.bucket_name,
            "JobsQueueUrl": self.queue.jobs.queue_url,
            "DeadLetterQueueUrl": self.queue.dead_letters.queue_url,
            "UsersTable": self.storage.users.table_name,
            "JobsTable": self.storage.jobs.table_name,
            "LedgerTable": self.storage.ledger.table_name,
            "PaymentsTable": self.storage.payments.table_name,
            "VnpayParameter": config.vnpay_parameter,
            "RoutesTable": self.storage.routes.table_name,
            "ActsTable": self.storage.acts.table_name,
            "Routes": ROUTES.dump_json(config.routes).decode(),
        }
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)
