"""Deleting a stage: what is asked, what is lost, and in which order it goes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from pydantic import ValidationError

from common.aws.errors import error_code
from common.config import FORCE_KEY, Config
from ops.deployment.rollout import outputs_of
from ops.deployment.target import Target
from ops.money.read_books import BooksReader
from ops.terminal import ERR, Steps
from sandbox.errors import CommandError
from sandbox.state import Outputs

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

BUCKET = "AWS::S3::Bucket"
GONE = ("DELETE_COMPLETE", "DELETE_SKIPPED")
"""What a stack still lists of what it has deleted, or has left to itself."""
NO_BUCKET = "NoSuchBucket"
NOT_THERE = ("ResourceNotFoundException", NO_BUCKET)
"""What tables and buckets that are no more answer with."""


class Demolition:
    """One stage on its way out."""

    def __init__(self, target: Target) -> None:
        """Look at what is there. Raises CommandError when nothing is."""
        self._target = target
        self._stacks = target.stacks()
        self._name = target.config.stack_name
        if not self._stacks:
            raise CommandError(f"There is no {self._name} in {target.config.home_region}.")

    def require_allowed(self) -> None:
        """Raise CommandError for a stage that keeps its data."""
        if self._target.config.removal == "keep":
            raise CommandError(
                f'{self._name} keeps its data: its removal in cdk.json is "keep". Nothing was'
                " deleted."
            )
        for stack in self._stacks:
            if stack.get("EnableTerminationProtection"):
                raise CommandError(
                    f"{stack['StackName']} is protected from deletion. A deploy with removal"
                    ' "destroy" takes the protection away. Nothing was deleted.'
                )

    def losses(self) -> str:
        """What there is, in a sentence. Reads everything, and changes nothing."""
        where = f"{self._name} in {self._target.config.home_region}, account {self._target.account}"
        try:
            outputs = Outputs.model_validate(outputs_of(self._target))
        except ValidationError:
            return f"{where}, has never been deployed to the end: nobody has used it."
        session = self._target.session
        reader = BooksReader(outputs, dynamodb=session.client("dynamodb"), s3=session.client("s3"))
        try:
            with Steps() as steps:
                books = reader.read(steps)
        except ClientError as error:
            if error_code(error) not in NOT_THERE:
                raise
            return f"{where}, is partly deleted: what was in it cannot be counted any more."
        credits_left = sum(
            user.balance.available + user.balance.held for user in books.users.values()
        )
        return (
            f"{where}, has users: {len(books.users)} (credits: {credits_left}), jobs:"
            f" {len(books.jobs)}, images: {len(books.images)}, payments: {len(books.payments)}."
            " Nothing would bring them back."
        )

    def require_confirmed(self, given: str | None) -> None:
        """Raise CommandError unless the stack's name was given, or is typed now."""
        if given is None:
            ERR.print(f"Type {self._name} to delete it: ", end="")
            given = sys.stdin.readline().strip()
        if given != self._name:
            raise CommandError(f"That is not {self._name}. Nothing was deleted.")

    def destroy(self) -> None:
        """Empty the buckets, as CloudFormation deletes no other, then delete the stacks.

        Done again, it goes on where it was cut short. Raises CommandError.
        """
        s3 = self._target.session.client("s3")
        for bucket in self._buckets():
            empty(s3, bucket)
        # What is being deleted may have a model that has left Bedrock since.
        self._target.cdk("destroy", "--force", "--context", f"{FORCE_KEY}=true")
        left = ", ".join(stack["StackName"] for stack in self._target.stacks())
        if left:
            raise CommandError(f"Still there: {left}. Run this again.")
        ERR.print(f"{self._name} is deleted. Left in Parameter Store, if they were made:")
        for parameter in _parameters(self._target.config):
            ERR.print(f"  {parameter}", markup=False)

    def _buckets(self) -> list[str]:
        pages = self._target.session.client("cloudformation").get_paginator("list_stack_resources")
        return [
            resource["PhysicalResourceId"]
            for stack in self._stacks
            for page in pages.paginate(StackName=stack["StackName"])
            for resource in page["StackResourceSummaries"]
            if resource["ResourceType"] == BUCKET
            and resource.get("PhysicalResourceId")
            and resource["ResourceStatus"] not in GONE
        ]


def _parameters(config: Config) -> list[str]:
    """What commands of ours have made: the merchant's account, and the keys of images' links."""
    versions = range(1, config.image_key_version + 1)
    return [
        config.vnpay_parameter,
        *(config.image_key_parameter(version) for version in versions),
        *(config.image_public_key_parameter(version) for version in versions),
    ]


def empty(s3: S3Client, bucket: str) -> None:
    """Delete everything in a bucket, with all versions; one that is no more is empty.

    Raises CommandError when some stays.
    """
    try:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            named: list[ObjectIdentifierTypeDef] = [
                {"Key": each["Key"], "VersionId": each["VersionId"]} for each in found
            ]
            if not named:
                continue
            answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": named, "Quiet": True})
            if answer.get("Errors"):
                raise CommandError(f"Some objects of {bucket} could not be deleted. Try again.")
    except ClientError as error:
        if error_code(error) != NO_BUCKET:
            raise
