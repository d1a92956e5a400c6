"""Ways to break a deployed stack, each of which is mended again when its block is left."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import boto3
import httpx

from ops.checkup.bucket import BLOCKS
from ops.checkup.deployment import Stack
from sandbox.clients import client_settings
from tests.product import Sandbox

Break = Callable[["Hands"], AbstractContextManager[None]]


class Hands:
    """Somebody who may do everything to the stack, and should not."""

    def __init__(self, sandbox: Sandbox, stack: Stack, control: httpx.Client) -> None:
        self.outputs = sandbox.outputs
        self.stack = stack
        self.control = control
        self._settings = client_settings(sandbox.state.emulator_url)

    def of(self, service: str) -> Any:
        """A client of a service."""
        return boto3.client(service, **self._settings)  # type: ignore[call-overload] # any service

    def physical(self, kind: str, part: str) -> str:
        """The name in AWS of the only resource of a type with that in its logical id."""
        (found,) = (
            each.physical_id
            for each in self.stack.resources
            if each.kind == kind and part in each.logical_id
        )
        return found


@contextmanager
def without_permission(hands: Hands, *, role: str, part: str) -> Iterator[None]:
    """Take the resources that have `part` in their name out of what a function's role may do."""
    iam, name = hands.of("iam"), hands.physical("AWS::IAM::Role", role)
    (policy,) = iam.list_role_policies(RoleName=name)["PolicyNames"]
    given = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
    left = [each for each in given["Statement"] if part not in json.dumps(each["Resource"])]
    assert len(left) < len(given["Statement"])
    put = partial(iam.put_role_policy, RoleName=name, PolicyName=policy)
    put(PolicyDocument=json.dumps({**given, "Statement": left}))
    try:
        yield
    finally:
        put(PolicyDocument=json.dumps(given))


@contextmanager
def public_bucket(hands: Hands) -> Iterator[None]:
    """No longer keep the public out of the bucket."""
    s3, bucket = hands.of("s3"), hands.outputs.ImagesBucket
    s3.delete_public_access_block(Bucket=bucket)
    try:
        yield
    finally:
        s3.put_public_access_block(
            Bucket=bucket, PublicAccessBlockConfiguration=dict.fromkeys(BLOCKS, True)
        )


@contextmanager
def dead_letter(hands: Hands) -> Iterator[None]:
    """Leave a message that nobody can deal with."""
    sqs, url = hands.of("sqs"), hands.outputs.DeadLetterQueueUrl
    sqs.send_message(QueueUrl=url, MessageBody="hello?")
    try:
        yield
    finally:
        sqs.purge_queue(QueueUrl=url)


@contextmanager
def queue_attribute(hands: Hands, *, name: str, value: str) -> Iterator[None]:
    """Set something else for the jobs queue."""
    sqs, url = hands.of("sqs"), hands.outputs.JobsQueueUrl
    before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={name: value})
    try:
        yield
    finally:
        sqs.set_queue_attributes(QueueUrl=url, Attributes=before)


@contextmanager
def event_source(hands: Hands, broken: dict[str, Any], mended: dict[str, Any]) -> Iterator[None]:
    """Change what brings the worker its jobs."""
    lambda_ = hands.of("lambda")
    worker = hands.physical("AWS::Lambda::Function", "Worker")
    (source,) = lambda_.list_event_source_mappings(FunctionName=worker)["EventSourceMappings"]
    lambda_.update_event_source_mapping(UUID=source["UUID"], **broken)
    try:
        yield
    finally:
        lambda_.update_event_source_mapping(UUID=source["UUID"], **mended)


@contextmanager
def merchant(hands: Hands, value: str | None, kind: str = "SecureString") -> Iterator[None]:
    """Put something else in the place of the merchant's account, or nothing."""
    ssm, name = hands.of("ssm"), hands.outputs.VnpayParameter
    before = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
    ssm.delete_parameter(Name=name)
    if value is not None:
        ssm.put_parameter(Name=name, Value=value, Type=kind)
    try:
        yield
    finally:
        ssm.put_parameter(Name=name, Value=before, Type="SecureString", Overwrite=True)
        if kind != "SecureString":
            ssm.delete_parameter(Name=name)
            ssm.put_parameter(Name=name, Value=before, Type="SecureString")


@contextmanager
def simulator(hands: Hands, **settings: object) -> Iterator[None]:
    """Have the simulated models behave otherwise."""
    hands.control.post("/settings", json=settings).raise_for_status()
    try:
        yield
    finally:
        hands.control.post("/reset").raise_for_status()


@contextmanager
def schedule_off(hands: Hands) -> Iterator[None]:
    """Stop the sweep."""
    scheduler = hands.of("scheduler")
    told = scheduler.get_schedule(Name=hands.physical("AWS::Scheduler::Schedule", "Sweep"))
    kept = ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")
    asked = {name: told[name] for name in kept}
    scheduler.update_schedule(**asked, State="DISABLED")
    try:
        yield
    finally:
        scheduler.update_schedule(**asked, State="ENABLED")


@contextmanager
def alarm_muted(hands: Hands) -> Iterator[None]:
    """Let an alarm do nothing when it goes off."""
    cloudwatch = hands.of("cloudwatch")
    names = [hands.physical("AWS::CloudWatch::Alarm", "StalledJobs")]
    cloudwatch.disable_alarm_actions(AlarmNames=names)
    try:
        yield
    finally:
        cloudwatch.enable_alarm_actions(AlarmNames=names)


@contextmanager
def alarm_ringing(hands: Hands) -> Iterator[None]:
    """Let an alarm go off."""
    cloudwatch, name = (
        hands.of("cloudwatch"),
        hands.physical("AWS::CloudWatch::Alarm", "SweepFails"),
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")
    try:
        yield
    finally:
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="a test")


@contextmanager
def recovery_on_but_for(hands: Hands, table: str) -> Iterator[None]:
    """Turn recovery on, as the emulator does not by itself, but for one table."""
    dynamodb = hands.of("dynamodb")
    for name, physical in hands.stack.tables.items():
        dynamodb.update_continuous_backups(
            TableName=physical,
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": name != table},
        )
    yield
