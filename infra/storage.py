"""Where things are kept: the tables and the bucket of images."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_s3 as s3
from constructs import Construct

from common.indexes import DUE_INDEX, EMAIL_INDEX, TIME_INDEX, USER_INDEX, WAITING_INDEX
from infra.nag import accept

IMAGES = "images/*"
"""The keys of all images: `images/{user_id}/{job_id}.png`."""

NO_ACCESS_LOGS = (
    "Every read is signed by a function of ours, whose logs say for whom; a second bucket of"
    " request logs would cost more than the images and be read by nobody."
)


class Storage(Construct):
    """Tables on demand with point-in-time recovery, and a private bucket."""

    def __init__(
        self, scope: Construct, construct_id: str, *, keep: bool, tls_only_bucket: bool
    ) -> None:
        super().__init__(scope, construct_id)
        self._keep = keep
        self._removal = RemovalPolicy.RETAIN if keep else RemovalPolicy.DESTROY
        self.users = self._table("Users", "user_id", streamed=True)
        self.users.add_global_secondary_index(index_name=EMAIL_INDEX, partition_key=_text("email"))
        self.jobs = self._table("Jobs", "job_id", streamed=True)
        self.jobs.add_global_secondary_index(
            index_name=USER_INDEX, partition_key=_text("user_id"), sort_key=_text("created_at")
        )
        self.jobs.add_global_secondary_index(
            index_name=WAITING_INDEX,
            partition_key=_text("waiting"),
            sort_key=_text("created_at"),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )
        self.jobs.add_global_secondary_index(
            index_name=DUE_INDEX,
            partition_key=_text("due"),
            sort_key=_text("look_at"),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )
        self.ledger = self._table("Ledger", "user_id", "entry_id")
        # Local, so that the ledger and the balance that it adds up to can be read consistently.
        self.ledger.add_local_secondary_index(index_name=TIME_INDEX, sort_key=_text("created_at"))
        self.payments = self._table("Payments", "txn_ref")
        self.payments.add_global_secondary_index(
            index_name=USER_INDEX, partition_key=_text("user_id"), sort_key=_text("created_at")
        )
        self.payments.add_global_secondary_index(
            index_name=DUE_INDEX,
            partition_key=_text("due"),
            sort_key=_text("due_at"),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )
        self.acts = self._table("Acts", "subject", "act_id")
        self.routes = self._table("Routes", "route")
        self.connections = self._table("Connections", "connection_id", expires=True)
        self.connections.add_global_secondary_index(
            index_name=USER_INDEX, partition_key=_text("user_id")
        )
        self.images = self._bucket(tls_only=tls_only_bucket)

    def _table(
        self,
        name: str,
        key: str,
        sort_key: str | None = None,
        *,
        streamed: bool = False,
        expires: bool = False,
    ) -> dynamodb.Table:
        return dynamodb.Table(
            self,
            name,
            partition_key=_text(key),
            sort_key=_text(sort_key) if sort_key else None,
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            encryption=dynamodb.TableEncryption.AWS_MANAGED,
            stream=dynamodb.StreamViewType.NEW_IMAGE if streamed else None,
            time_to_live_attribute="expires_at" if expires else None,
            deletion_protection=self._keep,
            removal_policy=self._removal,
        )

    def _bucket(self, *, tls_only: bool) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "Images",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=tls_only,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="TierImages",
                    prefix="images/",
                    transitions=[
                        s3.Transition(
                            storage_class=s3.StorageClass.INTELLIGENT_TIERING,
                            transition_after=Duration.days(0),
                        )
                    ],
                ),
                s3.LifecycleRule(
                    id="DropUnfinishedUploads",
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                ),
            ],
            removal_policy=self._removal,
        )
        accept(bucket, "AwsSolutions-S1", NO_ACCESS_LOGS)
        return bucket


def _text(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
