"""What `imagify cost` takes for granted of the stack."""

from __future__ import annotations

import pytest

from common.metrics import METRICS, series
from ops.costs.usage import FUNCTION_GB, read_usage
from tests.infra.template import FUNCTIONS, Template

MIB_OF_A_GB = 1024


def test_functions_have_the_memory_that_they_are_billed_for(aws: Template) -> None:
    for name in FUNCTIONS:
        assert aws.function(name)["MemorySize"] == FUNCTION_GB * MIB_OF_A_GB, name


def test_each_route_adds_its_alarms_to_the_bill(aws: Template, two_routes: Template) -> None:
    standing = read_usage().standing
    for stack, routes in ((aws, 1), (two_routes, 2)):
        billed = standing.alarms + standing.alarms_a_route * routes
        assert len(stack.of_type("AWS::CloudWatch::Alarm")) == billed


@pytest.mark.parametrize("routes", [1, 2])
def test_every_metric_is_billed_once(routes: int) -> None:
    told = read_usage().standing
    busy = told.metrics_busy + told.metrics_busy_a_route * routes
    assert series(METRICS, routes=routes) == told.metrics_steady + busy + told.metrics_rare


def test_the_bill_has_at_least_what_the_stack_has(aws: Template) -> None:
    standing = read_usage().standing
    assert len(aws.of_type("AWS::CloudWatch::Dashboard")) <= standing.dashboards
    kept = [name for name in FUNCTIONS if "SnapStart" in aws.function(name)]
    assert len(kept) <= standing.snapshots


def test_the_sweep_runs_as_often_as_it_is_billed(aws: Template) -> None:
    assert aws.one("AWS::Scheduler::Schedule")["ScheduleExpression"] == "rate(1 minute)"
    assert read_usage().standing.sweeps_a_minute == 1
