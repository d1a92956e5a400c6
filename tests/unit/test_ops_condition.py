from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from common.lines import US, Line
from ops.watching.condition import RouteCondition, route_condition
from tests.fakes import START
from tests.world import CORE

NOW_US = int(START.timestamp() * US)
IN_ORDER = RouteCondition(
    route="stability.stable-image-core-v1:1@us-west-2",
    rate_per_second=2.0,
    pace_per_second=1.98,
    state="in order",
    failures=0,
    retry_at=None,
)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (Line(), IN_ORDER),
        (Line(failures=3), replace(IN_ORDER, failures=3)),
        (Line(slowdown_permille=2000), replace(IN_ORDER, pace_per_second=0.99)),
        (
            Line(failures=5, retry_us=NOW_US + 15 * US),
            replace(
                IN_ORDER, state="out of order", failures=5, retry_at="2026-11-01T12:00:15+00:00"
            ),
        ),
        (
            Line(failures=6, retry_us=NOW_US - US),
            replace(IN_ORDER, state="trying", failures=6, retry_at="2026-11-01T11:59:59+00:00"),
        ),
    ],
    ids=["fresh", "failing", "slowed", "out of order", "time to try"],
)
def test_a_route_is_told_as_its_line_says(line: Line, expected: RouteCondition) -> None:
    assert route_condition(CORE, line, START) == expected


def test_a_route_may_be_tried_when_its_time_has_come() -> None:
    line = Line(failures=5, retry_us=NOW_US + US)
    states = [
        route_condition(CORE, line, START + timedelta(seconds=seconds)).state
        for seconds in (0, 0.9, 1)
    ]
    assert states == ["out of order", "out of order", "trying"]
