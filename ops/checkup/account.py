"""Whose credentials these are, whether the clock is right, and how many functions may run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from common.config import Config
from ops.checkup.asking import said
from ops.checkup.finding import DEPLOY_OR_REVERT, Finding, fail, ok, unknown, warn
from ops.costs.limits import UNRESERVED_LEFT, left_unreserved

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sts import STSClient

CREDENTIALS, CLOCK, CONCURRENCY = "credentials", "clock", "concurrency"
CLOCK_WARN_SECONDS, CLOCK_FAIL_SECONDS = 60, 300
"""AWS refuses signatures that are more than five minutes off; VNPAY's links live some minutes."""
CONCURRENCY_QUOTA = "L-B99A9384"
"""Service Quotas' name of Lambda's concurrent executions."""


def look_at_credentials(
    sts: STSClient, *, region: str, now: Callable[[], datetime]
) -> Iterator[Finding]:
    """Ask AWS who this is; its answer's date is AWS's clock, whether it knows us or not."""
    mend = "aws sts get-caller-identity, and --profile or AWS_PROFILE with credentials that work"
    try:
        answer: Any = sts.get_caller_identity()
    except ClientError as error:
        yield fail(CREDENTIALS, f"AWS does not take them: {said(error)}", mend)
        yield _clock(error.response, now())
        return
    except BotoCoreError as error:
        yield fail(CREDENTIALS, f"There are none that work: {error}", mend)
        return
    yield ok(CREDENTIALS, f"{answer['Arn']} in account {answer['Account']}, {region}")
    yield _clock(answer, now())


def clock(date: str | None, now: datetime) -> Finding:
    """How far this machine's clock is from the `Date` of an answer that has just come."""
    if date is None:
        return unknown(CLOCK, "AWS's answer had no date.")
    off = round((now - parsedate_to_datetime(date)).total_seconds())
    mend = "let the clock be set by the network: timedatectl set-ntp true"
    if abs(off) > CLOCK_FAIL_SECONDS:
        return fail(CLOCK, f"{off:+d} s beside AWS's: signatures are refused.", mend)
    if abs(off) > CLOCK_WARN_SECONDS:
        return warn(CLOCK, f"{off:+d} s beside AWS's; signatures fail at 5 minutes.", mend)
    return ok(CLOCK, f"{off:+d} s beside AWS's.")


def look_at_concurrency(
    lambda_: LambdaClient, *, config: Config, functions: Sequence[str]
) -> Iterator[Finding]:
    """Ask what the account may run, and what the stack's functions have reserved of it."""
    limits = lambda_.get_account_settings()["AccountLimit"]
    reserved = [lambda_.get_function_concurrency(FunctionName=name) for name in functions]
    yield concurrency(
        config,
        limit=limits["ConcurrentExecutions"],
        unreserved=limits["UnreservedConcurrentExecutions"],
        own=sum(each.get("ReservedConcurrentExecutions", 0) for each in reserved),
        deployed=bool(functions),
    )


def concurrency(
    config: Config, *, limit: int, unreserved: int, own: int, deployed: bool
) -> Finding:
    """What the stack reserves beside what can be reserved; `own` is what it has by now."""
    if not config.reserve_concurrency:
        if config.workers > limit:
            return warn(
                CONCURRENCY,
                f"{config.workers} workers, and the account runs {limit} functions at once: "
                "messages that find none count as failed deliveries.",
                f'"workers_max": {max(2, limit // 2)} in cdk.json, or {_more(config, limit)}',
            )
        return ok(CONCURRENCY, f"Nothing is reserved of {limit}.")
    wanted = config.workers + 2 * config.looks_at_once
    kept = left_unreserved(limit)
    free = max(0, unreserved + own - kept)
    others = limit - unreserved - own
    sum_of = f"{config.workers} workers + 2 × {config.looks_at_once} looks and submits = {wanted}"
    if wanted > free:
        return fail(
            CONCURRENCY,
            f"{sum_of} are to be reserved, and {free} can be: the account runs {limit} at once, "
            f"others have reserved {others}, AWS keeps {kept}. "
            "CloudFormation will refuse it.",
            f"{_more(config, wanted + others + UNRESERVED_LEFT)}; or looks_at_once, workers_max or "
            "reserve_concurrency in cdk.json",
        )
    if deployed and own != wanted:
        return warn(
            CONCURRENCY,
            f"{own} are reserved, configured are {sum_of}.",
            DEPLOY_OR_REVERT,
        )
    return ok(CONCURRENCY, f"{sum_of} reserved of {limit}; AWS keeps {kept}.")


def _more(config: Config, wanted: int) -> str:
    return (
        "aws service-quotas request-service-quota-increase --service-code lambda "
        f"--quota-code {CONCURRENCY_QUOTA} --desired-value {wanted} --region {config.home_region}"
    )


def _clock(answer: Any, now: datetime) -> Finding:
    return clock(answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date"), now)
