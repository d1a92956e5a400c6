"""Whether jobs come to the worker, come back when it dies, and end in the dead-letter queue."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from common.config import Config
from common.sizing import SPARE_DELIVERIES
from ops.checkup.finding import DEPLOY_OR_REVERT, REVERT, Finding, fail, ok, warn
from ops.checkup.permissions import Function

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient

DEAD_LETTERS, REDRIVE = "dead-letter queue", "queue: redrive"
VISIBILITY = "queue: visibility"
OFF = ("Disabling", "Disabled", "Deleting")
"""States of an event source that brings nothing, of all that Lambda documents."""
DEPTH = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


def look_at_queues(
    sqs: SQSClient, *, queue_url: str, dead_letter_queue_url: str, config: Config, worker: Function
) -> Iterator[Finding]:
    """Ask about both queues."""
    dead: Any = _attributes(sqs, dead_letter_queue_url)
    jobs: Any = _attributes(sqs, queue_url)
    yield dead_letters(dead)
    yield redrive(jobs, dead_letter_queue_arn=dead["QueueArn"], config=config)
    yield visibility(jobs, worker)


def _attributes(sqs: SQSClient, url: str) -> Mapping[str, str]:
    answer: Any = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    found: Mapping[str, str] = answer["Attributes"]
    return found


def dead_letters(attributes: Mapping[str, str]) -> Finding:
    """Messages that nobody could deal with."""
    depth = sum(int(attributes[name]) for name in DEPTH)
    if depth:
        messages = "1 message is" if depth == 1 else f"{depth} messages are"
        return warn(DEAD_LETTERS, f"{messages} in it.", "bin/imagify dlq list")
    return ok(DEAD_LETTERS, "It is empty.")


def redrive(
    attributes: Mapping[str, str], *, dead_letter_queue_arn: str, config: Config
) -> Finding:
    """What is delivered too often goes to our dead-letter queue."""
    policy = json.loads(attributes.get("RedrivePolicy", "{}"))
    if policy.get("deadLetterTargetArn") != dead_letter_queue_arn:
        return fail(REDRIVE, "The jobs queue does not know its dead-letter queue.", REVERT)
    wanted, found = config.attempts_max + SPARE_DELIVERIES, int(policy["maxReceiveCount"])
    if found != wanted:
        return warn(
            REDRIVE, f"After {found} deliveries, configured are {wanted}.", DEPLOY_OR_REVERT
        )
    return ok(REDRIVE, f"To the dead-letter queue after {found} deliveries.")


def visibility(attributes: Mapping[str, str], worker: Function) -> Finding:
    """A message stays hidden for longer than a worker may take with it."""
    seconds, timeout = int(attributes["VisibilityTimeout"]), worker.timeout_seconds
    if seconds <= timeout:
        return fail(
            VISIBILITY,
            f"Messages come back after {seconds} s, and a worker may take {timeout} s.",
            REVERT,
        )
    return ok(VISIBILITY, f"{seconds} s, and a worker may take {timeout} s.")


def source_check(function: Function) -> str:
    """What the check of a function's events is called."""
    return f"events of {function.name}"


def look_at_sources(
    lambda_: LambdaClient, function: Function, *, of_jobs: Config | None = None
) -> Iterator[Finding]:
    """Ask what brings events to a function; with a configuration, to the worker."""
    pages = lambda_.get_paginator("list_event_source_mappings").paginate(FunctionName=function.arn)
    found: list[Any] = [each for page in pages for each in page["EventSourceMappings"]]
    yield sources(function, found, of_jobs=of_jobs)


def sources(
    function: Function, mappings: Sequence[Mapping[str, Any]], *, of_jobs: Config | None
) -> Finding:
    """All are on; the worker's asks for no more than it may run, and gives back what failed."""
    check = source_check(function)
    if not mappings:
        return fail(check, "Nothing brings it any.", REVERT)
    for each in mappings:
        if each["State"] in OFF:
            return fail(
                check,
                f"{each['EventSourceArn']} is {each['State']}: nothing is taken from it.",
                f"aws lambda update-event-source-mapping --enabled --uuid {each['UUID']}",
            )
    if of_jobs is None:
        return ok(check, f"{len(mappings)} streams are read.")
    (mapping, *_) = mappings
    if "ReportBatchItemFailures" not in mapping.get("FunctionResponseTypes", []):
        return fail(check, "It does not report which messages failed: they are lost.", REVERT)
    most = mapping.get("ScalingConfig", {}).get("MaximumConcurrency")
    if most != of_jobs.workers:
        return fail(
            check,
            f"Its maximum concurrency is {most or 'not set'}, and {of_jobs.workers} workers are "
            "configured: what it fetches above that counts towards the dead-letter queue.",
            DEPLOY_OR_REVERT,
        )
    return ok(check, f"{most} messages at once at most; failed ones are reported.")
