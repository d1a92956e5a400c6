"""What the stack promises about money: no secret in it, a sweep each minute, and alarms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from common.metrics import PAYMENTS_TO_REVIEW
from functions.sweep.handler import handler
from tests.infra.template import FUNCTIONS, Template

PARAMETER = "/imagify/prod/vnpay"


def texts(part: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Every name and every text in a JSON document, with where it is."""
    if isinstance(part, dict):
        for name, value in part.items():
            yield f"{path}/{name}", name
            yield from texts(value, f"{path}/{name}")
    elif isinstance(part, list):
        for value in part:
            yield from texts(value, path)
    elif isinstance(part, str):
        yield path, part


def test_no_secret_is_in_the_template(aws: Template, sandbox: Template) -> None:
    named = re.compile(r"hash_?secret|tmn_?code|secure_?hash|merchant", re.IGNORECASE)
    for stack in (aws, sandbox):
        found = [
            (path, text)
            for path, text in texts(stack.content)
            if named.search(text) or "{{resolve:" in text
        ]
        assert found == []


def test_the_stack_names_the_merchants_account_and_does_not_make_it(aws: Template) -> None:
    """What the stack makes, its template would show, and a deployment would replace."""
    kinds = {resource["Type"] for resource in aws.content["Resources"].values()}
    assert not {kind for kind in kinds if kind.startswith(("AWS::SSM", "AWS::SecretsManager"))}
    given = {
        name: [key for key, value in aws.environment(name).items() if PARAMETER in value]
        for name in FUNCTIONS
    }
    named = {name: keys for name, keys in given.items() if keys}
    assert named == {"payments": ["VNPAY_PARAMETER"], "sweep": ["VNPAY_PARAMETER"]}


def test_the_sweep_runs_each_minute_and_a_lost_run_is_not_repeated(aws: Template) -> None:
    schedule = aws.one("AWS::Scheduler::Schedule")
    assert schedule["ScheduleExpression"] == "rate(1 minute)"
    assert schedule["State"] == "ENABLED"
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert aws.text(schedule["Target"]["Arn"]) == "Functions/Sweep.Arn"
    retries = schedule["Target"]["RetryPolicy"]
    assert retries["MaximumRetryAttempts"] == 0
    assert retries["MaximumEventAgeInSeconds"] == 60
    assert callable(handler)


@pytest.mark.parametrize("name", ["payments", "sweep"])
def test_money_that_does_not_fit_raises_an_alarm_whoever_finds_it(aws: Template, name: str) -> None:
    function = aws.environment(name)
    alarms = [
        alarm
        for path, alarm in aws.of_type("AWS::CloudWatch::Alarm").items()
        if path.startswith("Alarms/MoneyThatDoesNotFit") and watches(alarm, name)
    ]
    (alarm,) = alarms
    assert alarm["MetricName"] == PAYMENTS_TO_REVIEW.name
    assert alarm["Namespace"] == function["POWERTOOLS_METRICS_NAMESPACE"]
    assert (alarm["Statistic"], alarm["Threshold"], alarm["EvaluationPeriods"]) == ("Sum", 1, 1)
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert alarm["TreatMissingData"] == "notBreaching"
    assert "imagify payments list" in alarm["AlarmDescription"]


def watches(alarm: dict[str, Any], service: str) -> bool:
    """Whether it looks at what that function counts, as Powertools writes it down."""
    return bool(alarm.get("Dimensions") == [{"Name": "service", "Value": service}])


def test_a_sweep_that_keeps_failing_raises_an_alarm(aws: Template) -> None:
    alarm = aws.of_type("AWS::CloudWatch::Alarm")["Alarms/SweepFails"]
    (function,) = alarm["Dimensions"]
    assert aws.text(function["Value"]) == "Functions/Sweep"
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Lambda", "Errors")
    assert alarm["Statistic"] == "Sum"
    minutes = alarm["Period"] / 60 * alarm["EvaluationPeriods"]
    assert 1 < alarm["Threshold"] <= minutes, "more than one run, and it can be reached"
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
