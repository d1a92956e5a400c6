"""Each alarm has a threshold of the configuration, and a section that says what to do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from common.config import Alarms, Config
from tests.e2e.runbook import sections
from tests.infra.conftest import SANDBOX_ASSETS, synthesize
from tests.infra.template import Template

SEED = {
    "cross-region latency": "ModelSlow",
    "DynamoDB throttling": "TablesThrottled",
    "Lambda cold starts": "ColdStarts",
    "Bedrock API error rates": "ModelErrors",
    "Bedrock outages": "ModelAway",
    "depth of the dead-letter queue": "DeadLetters",
    "age of the oldest message": "OldestJob",
    "paid but not credited": "PaidNotCredited",
    "money discrepancies, told": "MoneyThatDoesNotFitPayments",
    "money discrepancies, found": "MoneyThatDoesNotFitSweep",
}
"""What the first operators asked to be told of, and by which alarm."""

SET: dict[str, tuple[dict[str, int], float, int]] = {
    "DeadLetters": ({"dead_letters": 11}, 11, 1),
    "StalledJobs": ({"stalled_jobs": 12}, 12, 1),
    "OldestJob": ({"oldest_job_seconds": 1300}, 1300, 1),
    "JobsNotTaken": ({"jobs_not_taken": 14}, 14, 1),
    "ModelAway": ({"models_away": 2, "model_away_minutes": 20}, 2, 4),
    "ModelErrors": ({"model_error_percent": 15, "model_minutes": 25}, 0.15, 5),
    "ModelSlow": ({"model_slow_percent": 150}, 21.0, 5),
    "MoneyThatDoesNotFitPayments": ({"payments_to_review": 16}, 16, 1),
    "MoneyThatDoesNotFitSweep": ({}, 16, 1),
    "NotificationsFail": ({"notifications_failed": 17}, 17, 1),
    "PaidNotCredited": ({"payments_healed": 18}, 18, 1),
    "PaymentsNotHealed": ({"payments_not_healed": 19}, 19, 1),
    "ServerErrors": ({"server_errors": 20}, 20, 1),
    "SignInsFail": ({"account_errors": 27}, 27, 1),
    "TablesThrottled": ({"table_throttles": 21}, 21, 1),
    "ColdStarts": ({"cold_starts": 22, "cold_starts_minutes": 60}, 22, 12),
    "PushesFail": ({"push_errors": 23}, 23, 1),
    "PushesLate": ({"push_late_seconds": 24}, 24_000, 1),
    "SweepErrors": ({"sweep_unexpected_errors": 25}, 25, 1),
    "JobsNotMended": ({"jobs_not_mended": 26}, 26, 1),
    "SweepFails": ({"sweep_errors": 4}, 4, 1),
    "SweepGone": ({"sweeps_begun": 2}, 2, 2),
}
"""Each alarm's settings, and the threshold and the periods that follow from them."""
RUNBOOK_URL = "https://docs.example.com/RUNBOOK.md"


BUDGET: dict[str, Any] = {"alarm_email": "ops@example.com", "alarms": {"monthly_budget_usd": 200}}


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """What AWS gets when each threshold is set, and a budget."""
    alarms: dict[str, Any] = {**BUDGET["alarms"], "runbook_url": RUNBOOK_URL}
    for settings, _threshold, _periods in SET.values():
        alarms |= settings
    given = {**BUDGET, "alarms": alarms}
    return synthesize(tmp_path_factory.mktemp("tuned"), imagify=json.dumps(given))


def alarms_of(stack: Template) -> dict[str, dict[str, Any]]:
    """Each alarm by its section's title; one of several by its route too."""
    found = stack.of_type("AWS::CloudWatch::Alarm")
    return {path.removeprefix("Alarms/"): alarm for path, alarm in found.items()}


def section_of(alarm: str) -> str:
    return alarm.partition("@")[0]


def test_whatever_the_first_operators_asked_for_has_an_alarm(aws: Template) -> None:
    there = {section_of(name) for name in alarms_of(aws)}
    assert {what: name for what, name in SEED.items() if name not in there} == {}
    assert there == set(SET)


def test_each_threshold_is_a_setting(tuned: Template) -> None:
    found = {
        section_of(name): (alarm["Threshold"], alarm["EvaluationPeriods"])
        for name, alarm in alarms_of(tuned).items()
    }
    assert found == {
        name: (threshold, periods) for name, (_settings, threshold, periods) in SET.items()
    }
    every = {field for settings, *_rest in SET.values() for field in settings}
    assert every == set(Alarms.model_fields) - {"monthly_budget_usd", "runbook_url"}


def test_each_alarm_names_a_section_that_says_what_to_do(aws: Template, tuned: Template) -> None:
    by_anchor = {section.title.lower(): section for section in sections()}
    for stack, page in ((aws, "docs/RUNBOOK.md"), (tuned, RUNBOOK_URL)):
        for name, alarm in alarms_of(stack).items():
            said = alarm["AlarmDescription"]
            assert said.endswith(f" {page}#{section_of(name).lower()}")
            section = by_anchor[said.rpartition("#")[2]]
            assert section.commands, name
            assert "**It worked** when " in section.text


def test_the_runbooks_titles_are_told_apart() -> None:
    titles = [section.title for section in sections()]
    assert len(titles) == len(set(titles))


def test_a_sweep_that_does_not_even_begin_is_missed(aws: Template) -> None:
    gone = alarms_of(aws)["SweepGone"]
    assert (gone["MetricName"], gone["Statistic"], gone["Period"]) == ("Invocations", "Sum", 300)


def test_a_quiet_night_and_a_handful_of_calls_wake_nobody(aws: Template) -> None:
    for name, alarm in alarms_of(aws).items():
        expected = name == "SweepGone"
        assert alarm["TreatMissingData"] == ("breaching" if expected else "notBreaching"), name
        fires = "LessThanThreshold" if expected else "GreaterThanOrEqualToThreshold"
        assert alarm["ComparisonOperator"] == fires
        assert "Metrics" not in alarm, "the local run's emulator knows no metric math"
        if "ExtendedStatistic" in alarm:
            assert alarm["EvaluateLowSampleCountPercentile"] == "ignore", name


def test_each_route_is_watched_by_itself(two_routes: Template) -> None:
    found = alarms_of(two_routes)
    for section in ("ModelErrors", "ModelSlow"):
        watched = {
            tuple(each["Value"] for each in sorted(alarm["Dimensions"], key=lambda at: at["Name"]))
            for name, alarm in found.items()
            if section_of(name) == section
        }
        assert watched == {
            ("stability.stable-image-core-v1:1", "us-west-2", "worker"),
            ("amazon.titan-image-generator-v2:0", "eu-west-1", "worker"),
        }
    slow = found["ModelSlow@amazon.titan-image-generator-v2:0@eu-west-1"]
    assert (slow["ExtendedStatistic"], slow["Threshold"]) == ("p95", 9 * 1.25)
    assert "amazon.titan-image-generator-v2:0@eu-west-1: " in slow["AlarmDescription"]


def test_the_budget_tells_the_address_before_and_when_it_is_spent(tuned: Template) -> None:
    budget = tuned.one("AWS::Budgets::Budget")
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 200, "Unit": "USD"}
    told = {
        (each["Notification"]["NotificationType"], each["Notification"]["Threshold"])
        for each in budget["NotificationsWithSubscribers"]
    }
    assert told == {(kind, at) for kind in ("ACTUAL", "FORECASTED") for at in (80, 100)}
    subscribers = [each["Subscribers"] for each in budget["NotificationsWithSubscribers"]]
    assert subscribers == [[{"Address": "ops@example.com", "SubscriptionType": "EMAIL"}]] * 4


def test_another_address_makes_a_budget_of_another_name(tuned: Template) -> None:
    """One whose notifications change is replaced, and two of one name cannot be."""
    assert "BudgetName" not in tuned.one("AWS::Budgets::Budget")["Budget"]


def test_there_is_no_budget_unless_it_is_set_and_somebody_can_be_told(
    aws: Template, sandbox: Template, two_routes: Template
) -> None:
    for stack in (aws, sandbox, two_routes):
        assert not stack.of_type("AWS::Budgets::Budget")


def test_the_local_run_has_no_budget_though_one_is_set(tmp_path: Path) -> None:
    """The emulator would refuse to deploy it."""
    local = synthesize(tmp_path, imagify=json.dumps(BUDGET), sandbox=SANDBOX_ASSETS)
    assert local.of_type("AWS::SNS::Topic")
    assert not local.of_type("AWS::Budgets::Budget")


def test_the_page_lists_each_alarm_with_when_it_is_given(aws: Template) -> None:
    page = (Path(__file__).parents[2] / "docs" / "MONITORING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(\w+)\]\(RUNBOOK\.md#(\w+)\) \| .* \| (.*) \|$", page, re.MULTILINE)
    assert [name for name, _anchor, _settings in rows] == list(
        dict.fromkeys(section_of(name) for name in alarms_of(aws))
    )
    usual = Config().alarms.model_dump()
    for name, anchor, settings in rows:
        assert anchor == name.lower()
        named = dict(re.findall(r"`(\w+)` ([\d,]+)", settings))
        own = SET[name][0] or {"payments_to_review": 0}
        assert set(own) <= set(named), name
        for field, value in named.items():
            assert int(value.replace(",", "")) == usual[field], f"{name}: {field}"
