"""What somebody must look at: each alarm says in its description what to do."""

from __future__ import annotations

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from common.config import Config
from common.observability import NOT_TAKEN, TO_REVIEW
from infra.api import Api
from infra.feed import PUSH_AGE_SECONDS, Feed
from infra.queue import JobsQueue

PUSH_LATE_MS = PUSH_AGE_SECONDS * 1000
"""When pushes are given up."""


class Alarms(Construct):
    """Alarms on jobs that are stuck and requests that fail; one topic, if there is an address."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: Config,
        queue: JobsQueue,
        api: Api,
        feed: Feed,
        sweep: lambda_.Function,
    ) -> None:
        super().__init__(scope, construct_id)
        self._namespace = config.stack_name
        self._topic = self._mail(config.alarm_email) if config.alarm_email else None
        self._watch_jobs(config, queue, api)
        self._watch_money()
        self._watch_pushes(feed)
        self._watch_sweep(sweep)

    def _watch_jobs(self, config: Config, queue: JobsQueue, api: Api) -> None:
        self._alarm(
            "DeadLetters",
            "Messages that nobody could deal with: `imagify dlq list`; leftovers: `dlq tidy`.",
            queue.dead_letters.metric_approximate_number_of_messages_visible(
                period=Duration.minutes(1), statistic="Maximum"
            ),
            threshold=1,
        )
        self._alarm(
            "StalledJobs",
            "Jobs have stalled, their credits held: `imagify dlq list`, then redrive or discard.",
            self._counted("sweep", "StalledJobs", statistic="Maximum"),
            threshold=1,
        )
        self._alarm(
            "ModelAway",
            "No route of a model has worked for a quarter of an hour; jobs wait: `imagify status`.",
            self._counted("sweep", "ModelsAway", statistic="Minimum"),
            threshold=1,
            periods=3,
        )
        self._alarm(
            "JobsNotTaken",
            "A model takes no job: its access, its end of life or the routes in cdk.json.",
            self._counted("worker", NOT_TAKEN),
            threshold=3,
        )
        self._alarm(
            "OldestJob",
            "Messages are not taken: the worker is broken, throttled, or asked for far too much.",
            queue.jobs.metric_approximate_age_of_oldest_message(
                period=Duration.minutes(5), statistic="Maximum"
            ),
            threshold=config.oldest_job_alarm_seconds,
        )
        self._alarm(
            "ServerErrors",
            "The API answers with 5xx: read the logs of the function behind it.",
            api.http.metric_server_error(period=Duration.minutes(5), statistic="Sum"),
            threshold=1,
        )

    def _watch_money(self) -> None:
        for service in ("payments", "sweep"):
            self._alarm(
                f"MoneyThatDoesNotFit{service.title()}",
                "Money came that is not booked, or a refund does not end: `imagify payments list` "
                "with --status review or refunding names them, confirm or close decides them.",
                self._counted(service, TO_REVIEW),
                threshold=1,
            )
        self._alarm(
            "NotificationsFail",
            "VNPAY's word on payments is not booked: read payments' logs; the sweep asks later.",
            self._counted("payments", "NotificationsFailed"),
            threshold=1,
        )
        self._alarm(
            "PaymentsNotHealed",
            "VNPAY does not answer questions about payments: read the logs of the sweep.",
            self._counted("sweep", "PaymentsNotHealed"),
            threshold=5,
        )

    def _watch_pushes(self, feed: Feed) -> None:
        self._alarm(
            "PushesFail",
            "Clients are told nothing of what changes and have to look: read the logs of push.",
            feed.push.metric_errors(period=Duration.minutes(5), statistic="Sum"),
            threshold=3,
        )
        self._alarm(
            "PushesLate",
            "Clients are told late: push cannot keep up, or its sockets do not read.",
            feed.push.metric("IteratorAge", period=Duration.minutes(5), statistic="Maximum"),
            threshold=PUSH_LATE_MS,
        )

    def _watch_sweep(self, sweep: lambda_.Function) -> None:
        self._alarm(
            "SweepErrors",
            "The sweep met something unexpected, and went on with the rest: read its logs.",
            self._counted("sweep", "UnexpectedErrors"),
            threshold=1,
        )
        self._alarm(
            "JobsNotMended",
            "Jobs without a message or a worker are not sent again: read the sweep's logs.",
            self._counted("sweep", "JobsNotMended"),
            threshold=5,
        )
        self._alarm(
            "SweepFails",
            "Nobody looks after lost jobs and payments without news: read the sweep's logs.",
            sweep.metric_errors(period=Duration.minutes(5), statistic="Sum"),
            threshold=3,
        )

    def _mail(self, address: str) -> sns.Topic:
        topic = sns.Topic(self, "Topic", enforce_ssl=True)
        # A policy of one's own replaces the one that lets CloudWatch publish.
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            )
        )
        topic.add_subscription(subscriptions.EmailSubscription(address))
        return topic

    def _alarm(
        self,
        name: str,
        description: str,
        metric: cloudwatch.Metric,
        *,
        threshold: int,
        periods: int = 1,
    ) -> None:
        alarm = metric.create_alarm(
            self,
            name,
            alarm_description=description,
            threshold=threshold,
            evaluation_periods=periods,
            comparison_operator=(cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD),
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        if self._topic is not None:
            alarm.add_alarm_action(actions.SnsAction(self._topic))

    def _counted(self, service: str, name: str, *, statistic: str = "Sum") -> cloudwatch.Metric:
        """What a function has counted of that, in five minutes."""
        return cloudwatch.Metric(
            namespace=self._namespace,
            metric_name=name,
            dimensions_map={"service": service},
            period=Duration.minutes(5),
            statistic=statistic,
        )
