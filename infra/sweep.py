"""When the sweep runs."""

from __future__ import annotations

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from constructs import Construct

SWEEP_MINUTES = 1


class SweepSchedule(Construct):
    """Runs the sweep each minute; that Lambda may repeat a run which failed does no harm."""

    def __init__(self, scope: Construct, construct_id: str, *, function: lambda_.Function) -> None:
        super().__init__(scope, construct_id)
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal(
                "scheduler.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            ),
            description="Lets the schedule run Imagify's sweep",
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["lambda:InvokeFunction"], resources=[function.function_arn]
            )
        )
        scheduler.Schedule(
            self,
            "EachMinute",
            schedule=scheduler.ScheduleExpression.rate(Duration.minutes(SWEEP_MINUTES)),
            target=targets.LambdaInvoke(
                function,
                # The target would allow every version of the function too.
                role=role.without_policy_updates(),
                retry_attempts=0,
                max_event_age=Duration.minutes(SWEEP_MINUTES),
            ),
        )
