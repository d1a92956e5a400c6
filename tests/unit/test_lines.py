"""What failures, throttles and probes make of a line: when it is out of order, and for how long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.lines import (
    FAILURES_MAX,
    PROBE_US,
    RECOVER_AFTER_US,
    REST_US,
    REST_US_MAX,
    SLOWDOWN_MAX,
    THROTTLE_FACTOR_PERMILLE,
    THROTTLE_PUSH_US,
    UNSLOWED,
    US,
    Line,
    adapted,
    failed,
    interval_us,
    mended,
    probed,
    slowed,
    throttled,
)
from common.routes import Route

ROUTE = Route(model="core", region="us-west-2", rate_per_second=2)
NOW = 1_800_000_000 * US
RESTING = Line(failures=FAILURES_MAX, retry_us=NOW + REST_US)
SLOWEST = Line(slowdown_permille=SLOWDOWN_MAX)


def broken(line: Line = RESTING, *, times: int) -> Line:
    """The line after so many probes that failed."""
    for _time in range(times):
        line = failed(line, now_us=NOW, probe=True)
    return line


def test_a_fresh_line_is_in_order() -> None:
    assert Line().in_order
    assert Line().takes(0)


def test_a_line_out_of_order_takes_nobody_until_its_rest_is_over() -> None:
    assert not RESTING.in_order
    assert not RESTING.takes(RESTING.retry_us - 1)
    assert RESTING.takes(RESTING.retry_us)


def test_five_failures_in_a_row_put_a_line_out_of_order() -> None:
    line = Line(next_us=NOW, push_us=7, slowdown_permille=1500, calm_at_us=3, latencies_ms=(4,))
    for number in range(1, FAILURES_MAX):
        line = failed(line, now_us=NOW, probe=False)
        assert (line.failures, line.in_order) == (number, True)
    after = failed(line, now_us=NOW, probe=False)
    assert after == replace(line, failures=FAILURES_MAX, retry_us=NOW + REST_US), "the rest stays"


def test_failures_of_calls_that_began_before_do_not_count() -> None:
    """Thirty workers may be waiting for answers when their route goes out of order."""
    assert failed(RESTING, now_us=NOW + US, probe=False) == RESTING


def test_a_probe_takes_the_next_slot_and_says_that_it_is_under_way() -> None:
    met = replace(RESTING, next_us=NOW - US, push_us=7, slowdown_permille=2000)
    start_us, line = probed(met, ROUTE, earliest_us=NOW, until_us=NOW + PROBE_US)
    assert start_us == NOW
    assert line == replace(
        met, next_us=NOW + interval_us(ROUTE, 2000), retry_us=NOW + PROBE_US, probing=True
    )
    behind, _line = probed(
        replace(met, next_us=NOW + US), ROUTE, earliest_us=NOW, until_us=NOW + PROBE_US
    )
    assert behind == NOW + US


@pytest.mark.parametrize("end", ["failed", "throttled", "mended"])
def test_a_probe_that_has_its_answer_is_not_under_way_any_more(end: str) -> None:
    _start_us, line = probed(RESTING, ROUTE, earliest_us=NOW, until_us=NOW + PROBE_US)
    ends = {
        "failed": failed(line, now_us=NOW, probe=True),
        "throttled": throttled(line, now_us=NOW, probe=True),
        "mended": mended(line),
    }
    assert not ends[end].probing
    assert failed(line, now_us=NOW, probe=False) == line, "others' failures end none"
    assert throttled(line, now_us=NOW, probe=False).probing


def test_each_probe_that_fails_doubles_the_rest_up_to_the_longest() -> None:
    rests = [broken(times=times).retry_us - NOW for times in range(1, 7)]
    assert rests == [2 * REST_US, 4 * REST_US, *[REST_US_MAX] * 4]
    assert REST_US_MAX == 8 * REST_US


def test_a_day_of_failed_probes_rests_no_longer_and_overflows_nothing() -> None:
    line = broken(times=2_000)
    assert line.failures == FAILURES_MAX + 2_000
    assert line.retry_us == NOW + REST_US_MAX


def test_a_rest_is_longer_than_no_time_and_a_probe_than_its_wait_and_its_call() -> None:
    assert 0 < REST_US < REST_US_MAX
    assert PROBE_US >= (30 + 60) * US


def test_a_probe_that_was_answered_mends_the_line_and_nothing_else() -> None:
    line = replace(broken(times=3), next_us=NOW, push_us=7, slowdown_permille=1500, calm_at_us=9)
    assert mended(line) == replace(line, failures=0, retry_us=0)
    assert mended(line).in_order


def test_a_mended_line_may_fail_as_often_as_a_fresh_one() -> None:
    line = mended(broken(times=3))
    for _time in range(FAILURES_MAX - 1):
        line = failed(line, now_us=NOW, probe=False)
    assert line.in_order
    assert failed(line, now_us=NOW, probe=False).retry_us == NOW + REST_US, "the first rest again"


def test_a_throttle_slows_a_line_and_says_nothing_of_its_order() -> None:
    line = replace(Line(), failures=FAILURES_MAX - 1)
    after = throttled(line, now_us=NOW, probe=False)
    assert after == slowed(line, now_us=NOW)
    assert after.slowdown_permille == THROTTLE_FACTOR_PERMILLE
    assert (after.failures, after.in_order) == (FAILURES_MAX - 1, True)


def test_however_many_throttles_come_at_once_a_line_that_can_be_slower_is_in_order() -> None:
    line = Line()
    for number in range(1_000):
        line = throttled(line, now_us=NOW + number, probe=False)
    assert line.in_order


def test_throttles_that_go_on_put_a_line_out_of_order_once_it_cannot_be_slower() -> None:
    line, now_us, throttles = Line(), NOW, 0
    while line.in_order:
        now_us += 2 * THROTTLE_PUSH_US
        slowest = line.slowdown_permille == SLOWDOWN_MAX
        line = throttled(line, now_us=now_us, probe=False)
        throttles += 1
        assert line.in_order is not slowest
        assert throttles < 100, "it never ends"
    assert line.slowdown_permille == SLOWDOWN_MAX
    assert (line.failures, line.retry_us) == (FAILURES_MAX, now_us + REST_US)


def test_a_throttle_at_the_slowest_pace_pushes_the_line_too() -> None:
    after = throttled(replace(SLOWEST, next_us=NOW), now_us=NOW, probe=False)
    assert not after.in_order
    assert (after.next_us, after.push_us) == (NOW + THROTTLE_PUSH_US, THROTTLE_PUSH_US)
    assert after.calm_at_us == NOW + RECOVER_AFTER_US


def test_a_throttle_of_a_call_that_began_before_leaves_the_rest_as_it_is() -> None:
    line = replace(SLOWEST, failures=7, retry_us=NOW + 3 * US)
    after = throttled(line, now_us=NOW, probe=False)
    assert (after.failures, after.retry_us) == (7, NOW + 3 * US)


@pytest.mark.parametrize("met", [RESTING, broken(times=1), replace(RESTING, failures=0)])
def test_a_probe_that_is_throttled_has_failed(met: Line) -> None:
    """At any pace: a route that is to be found out about takes nobody now."""
    after = throttled(met, now_us=NOW, probe=True)
    assert after.slowdown_permille == THROTTLE_FACTOR_PERMILLE
    assert after.failures == max(met.failures + 1, FAILURES_MAX)
    expected = REST_US * 2 ** (after.failures - FAILURES_MAX)
    assert after.retry_us == NOW + expected


def test_a_line_is_adapted_over_what_was_seen_wherever_it_has_moved() -> None:
    seen = Line(next_us=NOW, push_us=5, failures=2)
    met = replace(seen, next_us=NOW + 9 * US, push_us=8, latencies_ms=(1, 2))
    wanted = throttled(seen, now_us=NOW, probe=False)
    assert adapted(met, seen=seen, wanted=wanted) == replace(
        met,
        next_us=met.next_us + THROTTLE_PUSH_US,
        push_us=met.push_us + THROTTLE_PUSH_US,
        slowdown_permille=wanted.slowdown_permille,
        calm_at_us=wanted.calm_at_us,
    )


CHANGES: dict[str, Callable[[Line], Line]] = {
    "slower": lambda line: replace(line, slowdown_permille=line.slowdown_permille + 1),
    "throttled": lambda line: replace(line, calm_at_us=line.calm_at_us + 1),
    "failed": lambda line: replace(line, failures=line.failures + 1),
    "out of order": lambda line: replace(line, retry_us=line.retry_us + 1),
}
"""What tells that a line was adapted since."""


@pytest.mark.parametrize("name", CHANGES)
def test_a_line_that_another_has_adapted_since_is_left_alone(name: str) -> None:
    seen = Line(next_us=NOW, failures=2)
    assert adapted(CHANGES[name](seen), seen=seen, wanted=mended(seen)) is None


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_is_wanted_of_a_line_is_made_of_it(name: str) -> None:
    wanted = CHANGES[name](RESTING)
    assert adapted(RESTING, seen=RESTING, wanted=wanted) == wanted
    probing = replace(wanted, probing=True)
    assert adapted(RESTING, seen=RESTING, wanted=probing) == probing


lines_of_any_kind = st.builds(
    Line,
    next_us=st.integers(0, 2 * NOW),
    push_us=st.integers(0, NOW),
    slowdown_permille=st.integers(UNSLOWED, SLOWDOWN_MAX),
    calm_at_us=st.integers(0, 2 * NOW),
    failures=st.integers(0, 50),
    retry_us=st.one_of(st.just(0), st.integers(1, 2 * NOW)),
)


@given(met=lines_of_any_kind, probe=st.booleans(), throttle=st.booleans())
def test_whatever_goes_wrong_a_line_rests_some_time_and_never_too_long(
    *, met: Line, probe: bool, throttle: bool
) -> None:
    change = throttled if throttle else failed
    after = change(met, now_us=NOW, probe=probe)
    if after.retry_us != met.retry_us:
        assert REST_US <= after.retry_us - NOW <= REST_US_MAX
        assert after.failures >= FAILURES_MAX
    if probe:
        assert not after.in_order or after.failures < FAILURES_MAX
    assert after.failures - met.failures in (0, 1) or after.failures == FAILURES_MAX
