"""Alarms on what somebody must look at, the topic that tells of them, and the budget."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.watches import Watch, Watched, watches

BUDGET_PERCENTS = (80, 100)
"""When the address is told of the account's costs: so much of the budget spent, or foreseen."""


class Alarms(Construct):
    """An alarm for each watch; one topic and perhaps a budget, if there is an address."""

    def __init__(
        self, scope: Construct, construct_id: str, *, watched: Watched, may_cost: bool
    ) -> None:
        super().__init__(scope, construct_id)
        config = watched.config
        self._topic = self._mail(config.alarm_email) if config.alarm_email else None
        self._runbook_url = config.alarms.runbook_url
        self.alarms = tuple(self._alarm(watch) for watch in watches(watched))
        usd = config.alarms.monthly_budget_usd
        if may_cost and config.alarm_email and usd is not None:
            self._budget(usd, address=config.alarm_email)

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

    def _alarm(self, watch: Watch) -> cloudwatch.Alarm:
        percentile = watch.metric.statistic.startswith("p")
        alarm = watch.metric.create_alarm(
            self,
            watch.name,
            alarm_description=watch.description(self._runbook_url),
            threshold=watch.threshold,
            evaluation_periods=watch.periods,
            comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
            if watch.expected
            else cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING
            if watch.expected
            else cloudwatch.TreatMissingData.NOT_BREACHING,
            # A percentile of a handful of calls says nothing.
            evaluate_low_sample_count_percentile="ignore" if percentile else None,
        )
        if self._topic is not None:
            alarm.add_alarm_action(actions.SnsAction(self._topic))
        return alarm

    def _budget(self, usd: int, *, address: str) -> None:
        """The account's budget: a stack's costs are told apart only by tags on the bill.

        It has no name of ours: another address makes another budget, which could not be called the
        same while the first is there.
        """
        budgets.CfnBudget(
            self,
            "Budget",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(amount=usd, unit="USD"),
            ),
            notifications_with_subscribers=[
                budgets.CfnBudget.NotificationWithSubscribersProperty(
                    notification=budgets.CfnBudget.NotificationProperty(
                        notification_type=kind,
                        comparison_operator="GREATER_THAN",
                        threshold=percent,
                        threshold_type="PERCENTAGE",
                    ),
                    subscribers=[
                        budgets.CfnBudget.SubscriberProperty(
                            subscription_type="EMAIL", address=address
                        )
                    ],
                )
                for kind in ("ACTUAL", "FORECASTED")
                for percent in BUDGET_PERCENTS
            ],
        )
