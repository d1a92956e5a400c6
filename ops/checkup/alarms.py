"""Whether somebody would be told, and whether there is something to tell already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from common.config import Config
from ops.checkup.finding import DEPLOY, DEPLOY_OR_REVERT, REVERT, Finding, fail, ok, skip, warn

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_sns import SNSClient

ALARMS, STATES, TOLD = "alarms", "alarms: state", "alarms: who is told"
NAMES_AT_ONCE = 100
"""CloudWatch takes no more in one request."""
PENDING = "PendingConfirmation"


def read_alarms(cloudwatch: CloudWatchClient, names: Sequence[str]) -> list[Mapping[str, Any]]:
    """The alarms that the stack made, as far as they are there."""
    found: list[Mapping[str, Any]] = []
    for start in range(0, len(names), NAMES_AT_ONCE):
        told: Any = cloudwatch.describe_alarms(
            AlarmNames=list(names[start : start + NAMES_AT_ONCE]), MaxRecords=NAMES_AT_ONCE
        )
        found += told["MetricAlarms"]
    return found


def look_at_alarms(
    cloudwatch: CloudWatchClient,
    sns: SNSClient,
    names: Sequence[str],
    *,
    config: Config,
    local: bool,
) -> Iterator[Finding]:
    """Ask for the stack's alarms, and whom they are told to."""
    alarms = read_alarms(cloudwatch, names)
    yield present(alarms, names)
    yield states(alarms)
    if local:
        yield skip(TOLD, "Nobody is mailed from a local run.")
    elif config.alarm_email is None:
        mend = "alarm_email in cdk.json, then make deploy, then confirm the mail"
        yield warn(TOLD, "Nobody: alarms only show in CloudWatch.", mend)
    else:
        topics = sorted({topic for each in alarms for topic in each["AlarmActions"]})
        subscribed: list[Any] = []
        for topic in topics:
            pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
            subscribed += [each for page in pages for each in page["Subscriptions"]]
        yield told(alarms, subscribed, config.alarm_email)


def present(alarms: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Finding:
    """Each alarm that the stack made is there, and does what it should when it goes off."""
    missing = sorted(set(names) - {each["AlarmName"] for each in alarms})
    off = [each["AlarmName"] for each in alarms if not each["ActionsEnabled"]]
    if not names:
        return fail(ALARMS, "The stack has none.", DEPLOY)
    if missing:
        gone = f"Gone: {', '.join(missing)}."
        return fail(ALARMS, gone, REVERT)
    if off:
        return fail(
            ALARMS,
            f"Muted: {', '.join(off)}.",
            f"aws cloudwatch enable-alarm-actions --alarm-names {' '.join(off)}",
        )
    return ok(ALARMS, f"All {len(names)} are there and not muted.")


def states(alarms: Sequence[Mapping[str, Any]]) -> Finding:
    """None has gone off."""
    off = [each for each in alarms if each["StateValue"] == "ALARM"]
    if off:
        named = "; ".join(f"{each['AlarmName']}: {each['AlarmDescription']}" for each in off)
        return warn(STATES, f"{len(off)} in ALARM: {named}", "docs/RUNBOOK.md says what to do")
    return ok(STATES, "None is in ALARM.")


def told(
    alarms: Sequence[Mapping[str, Any]], subscribed: Sequence[Mapping[str, Any]], email: str
) -> Finding:
    """Each alarm is told to somebody who has agreed to it."""
    silent = [each["AlarmName"] for each in alarms if not each["AlarmActions"]]
    if silent:
        return fail(TOLD, f"Nobody of {', '.join(silent)}.", DEPLOY_OR_REVERT)
    if not subscribed:
        (topic, *_) = alarms[0]["AlarmActions"]
        mend = f"aws sns subscribe --protocol email --notification-endpoint {email}"
        return fail(TOLD, "Nobody has subscribed to their topic.", f"{mend} --topic-arn {topic}")
    pending = [each["Endpoint"] for each in subscribed if each["SubscriptionArn"] == PENDING]
    if len(pending) == len(subscribed):
        return fail(
            TOLD,
            f"Nobody yet: {', '.join(pending)} has not confirmed.",
            "confirm AWS's mail, or subscribe again: it asks for three days",
        )
    if email in pending:
        return warn(TOLD, f"{email} has not confirmed; others are told.", "confirm AWS's mail")
    confirmed = [
        each["Endpoint"] for each in subscribed if each["SubscriptionArn"].startswith("arn:")
    ]
    if email not in confirmed:
        return warn(TOLD, f"{', '.join(confirmed) or 'nobody'}, and not {email}.", DEPLOY_OR_REVERT)
    return ok(TOLD, f"{', '.join(confirmed)}.")
