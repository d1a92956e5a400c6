"""How far a call has come and what is left of it, from the latencies that were seen."""

from __future__ import annotations

import math
import random
from itertools import pairwise
from statistics import median

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.latency import (
    LATENCIES_KEPT,
    MEDIAN_OF_P95,
    P95_AMONG,
    PERCENT_MAX,
    SPREAD_MIN,
    Latency,
    observed,
)

CALL_SECONDS_MAX = 3600
elapsed = st.floats(0, CALL_SECONDS_MAX)
samples = st.lists(st.integers(0, 120_000), min_size=1, max_size=LATENCIES_KEPT)


@st.composite
def latencies(draw: st.DrawFn) -> Latency:
    """From a clockwork to a model whose slowest calls last twenty times its usual ones."""
    p50 = draw(st.floats(0.001, 120))
    return Latency(p50, p50 * draw(st.floats(SPREAD_MIN, 20)))


@given(latencies(), elapsed)
def test_a_percentage_is_from_0_to_99_and_something_is_always_left(
    latency: Latency, seconds: float
) -> None:
    assert 0 <= latency.percent(seconds) <= PERCENT_MAX
    assert latency.left_seconds(seconds) >= 0
    assert math.isfinite(latency.left_seconds(seconds))


@given(latencies(), st.lists(elapsed, min_size=2, max_size=20))
@example(Latency(0.14, 1.17), [1000 + 10.0 * step for step in range(40)])
@example(Latency(5, 9), [20 + 0.5 * step for step in range(200)])
def test_a_percentage_never_falls(latency: Latency, moments: list[float]) -> None:
    percents = [latency.percent(seconds) for seconds in sorted(moments)]
    assert percents == sorted(percents)


@given(latencies(), st.floats(0, CALL_SECONDS_MAX - 1), st.floats(0.001, 1))
def test_a_job_is_never_due_earlier_for_having_lasted_longer(
    latency: Latency, seconds: float, more: float
) -> None:
    due = seconds + latency.left_seconds(seconds)
    later = seconds + more + latency.left_seconds(seconds + more)
    assert later >= due * (1 - 1e-9)


@given(latencies(), st.floats(1, 40))
def test_what_is_left_of_a_straggler_stays_finite_and_above_0(
    latency: Latency, medians: float
) -> None:
    left = latency.left_seconds(medians * latency.p95_seconds)
    assert 0 < left < math.inf


def test_what_is_left_falls_while_all_is_well_and_grows_for_a_straggler() -> None:
    latency = Latency(6, 14)
    left = [latency.left_seconds(seconds) for seconds in (0, 1, 2, 3, 4, 5)]
    assert all(later < earlier for earlier, later in pairwise(left))
    assert latency.left_seconds(60) > latency.left_seconds(30) > latency.left_seconds(15)


def test_a_call_that_has_just_begun_lasts_as_long_as_they_usually_do() -> None:
    latency = Latency(6, 14)
    assert latency.left_seconds(0) == 6
    assert latency.left_seconds(0.001) == pytest.approx(6, abs=0.01)
    assert latency.percent(0) == 0


def test_a_call_that_is_to_begin_waits_for_its_start_as_well() -> None:
    latency = Latency(6, 14)
    assert latency.left_seconds(-3) == 9
    assert latency.percent(-3) == 0


def test_a_clockwork_that_is_late_has_not_come_all_the_way_either() -> None:
    assert Latency(5, 5 * (1 + 1e-12)).percent(60) == PERCENT_MAX


def test_what_is_left_is_the_median_of_what_really_is() -> None:
    """Against a hundred thousand calls of just that distribution."""
    latency = Latency(6, 14)
    sigma = math.log(14 / 6) / 1.6448536
    drawn = random.Random(1)
    calls = [drawn.lognormvariate(math.log(6), sigma) for _call in range(100_000)]
    for seconds in (2, 6, 10, 14):
        longer = [call - seconds for call in calls if call > seconds]
        assert latency.left_seconds(seconds) == pytest.approx(median(longer), rel=0.05)


def test_beyond_all_that_was_seen_the_tail_is_what_it_was_before() -> None:
    """Where the distribution has no numbers left, its slope takes over without a jump."""
    latency = Latency(1, 1.1)
    shares = [latency.left_seconds(seconds) / seconds for seconds in (1.5, 3, 7, 9, 20, 1e6)]
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] > 0
    near, far = 8.0, 9.0
    assert latency.left_seconds(far) / far == pytest.approx(
        latency.left_seconds(near) / near, rel=0.1
    )


def test_without_a_latency_the_configured_percentile_is_what_is_known() -> None:
    assert observed((), p95_seconds=14) == Latency(MEDIAN_OF_P95 * 14, 14)


def test_one_latency_is_the_usual_one() -> None:
    assert observed((5_000,), p95_seconds=14) == Latency(5, 5 * SPREAD_MIN)


def test_no_call_is_a_clockwork() -> None:
    latency = observed((5_000,) * LATENCIES_KEPT, p95_seconds=14)
    assert latency == Latency(5, 5 * SPREAD_MIN)
    assert 0 < latency.left_seconds(5) < 1


def test_of_a_few_the_slowest_is_the_percentile_and_of_many_it_is_one_of_twenty() -> None:
    few = [1_000] * (P95_AMONG - 2) + [60_000]
    assert observed(few, p95_seconds=14).p95_seconds == 60
    many = [*few, 1_000]
    latency = observed(many, p95_seconds=14)
    assert latency.p50_seconds == 1
    assert latency.p95_seconds < 60


def test_percentiles_lie_between_two_latencies_if_need_be() -> None:
    latency = observed([1_000 * second for second in range(1, 22)], p95_seconds=14)
    assert (latency.p50_seconds, latency.p95_seconds) == (11, 20)
    latency = observed([1_000 * second for second in range(1, 25)], p95_seconds=14)
    assert latency.p50_seconds == 12.5
    assert latency.p95_seconds == pytest.approx(1 + 0.95 * 23)


@given(samples, st.randoms())
def test_the_order_of_latencies_says_nothing(
    latencies_ms: list[int], shuffle: random.Random
) -> None:
    before = observed(latencies_ms, p95_seconds=14)
    shuffle.shuffle(latencies_ms)
    assert observed(latencies_ms, p95_seconds=14) == before


@given(samples, elapsed)
def test_whatever_was_seen_something_can_be_said(latencies_ms: list[int], seconds: float) -> None:
    latency = observed(latencies_ms, p95_seconds=14)
    assert 0 < latency.p50_seconds < latency.p95_seconds
    assert latency.p50_seconds <= max(latencies_ms) / 1000 + 0.001
    assert 0 <= latency.percent(seconds) <= PERCENT_MAX
    assert math.isfinite(latency.left_seconds(seconds))
