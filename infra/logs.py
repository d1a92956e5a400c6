"""Log groups: every one is kept for a set time and goes with the stack."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from constructs import Construct

from common.config import LogRetentionDays

RETENTION: dict[LogRetentionDays, logs.RetentionDays] = {
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    90: logs.RetentionDays.THREE_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
}


def log_group(scope: Construct, construct_id: str, *, days: LogRetentionDays) -> logs.LogGroup:
    """A log group that forgets after so many days; logs are nobody's only copy of anything."""
    return logs.LogGroup(
        scope,
        construct_id,
        retention=RETENTION[days],
        removal_policy=RemovalPolicy.DESTROY,
    )
