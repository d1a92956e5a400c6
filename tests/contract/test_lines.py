from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise

import pytest

from common.lines import (
    RECOVER_AFTER_US,
    THROTTLE_PUSH_US,
    UNSLOWED,
    US,
    Line,
    LineStore,
    Slot,
    eased,
    interval_us,
    slowed,
)
from common.routes import Route
from tests.contract.backends import at_once, on_threads, raised

NOW = 1_800_000_000 * US
FAR = NOW + 3600 * US


@pytest.fixture
def route(fresh: Callable[[str], str]) -> Route:
    return Route(model=fresh("model"), region="us-west-2", rate_per_second=2)


def take(lines: LineStore, route: Route, *, now: int = NOW, latest: int = FAR) -> Slot:
    slot = lines.take(route, earliest_us=now, latest_us=latest)
    assert isinstance(slot, Slot)
    return slot


def read(lines: LineStore, route: Route) -> Line:
    return lines.read([route])[route.name]


def test_a_line_that_nobody_has_used_is_fresh(lines: LineStore, route: Route) -> None:
    assert lines.read([route]) == {route.name: Line()}


def test_slots_are_one_interval_apart(lines: LineStore, route: Route) -> None:
    starts = [take(lines, route).start_us for _ in range(5)]
    interval = interval_us(route, UNSLOWED)
    assert interval >= US / 2
    assert starts == [NOW + number * interval for number in range(5)]
    assert read(lines, route).next_us == NOW + 5 * interval


def test_a_slot_says_how_the_line_was(lines: LineStore, route: Route) -> None:
    take(lines, route)
    lines.push(route, by_us=7)
    slot = take(lines, route)
    assert slot == Slot(
        route=route,
        start_us=NOW + interval_us(route, UNSLOWED) + 7,
        push_us=7,
        slowdown_permille=UNSLOWED,
    )


def test_an_idle_line_starts_again_now_and_saves_nothing_up(lines: LineStore, route: Route) -> None:
    take(lines, route)
    later = NOW + 60 * US
    starts = [take(lines, route, now=later).start_us for _ in range(3)]
    assert starts == [later + number * interval_us(route, UNSLOWED) for number in range(3)]


def test_a_slot_too_far_away_is_not_taken(lines: LineStore, route: Route) -> None:
    take(lines, route)
    before = read(lines, route)
    answer = lines.take(route, earliest_us=NOW, latest_us=before.next_us - 1)
    assert answer == before
    assert read(lines, route) == before
    assert take(lines, route, latest=before.next_us).start_us == before.next_us


def test_a_line_that_may_not_start_yet_says_when(lines: LineStore, route: Route) -> None:
    answer = lines.take(route, earliest_us=NOW, latest_us=NOW - 1)
    assert isinstance(answer, Line)
    assert answer.next_us == NOW
    assert read(lines, route) == Line()


def test_a_push_moves_what_comes_and_tells_those_who_wait(lines: LineStore, route: Route) -> None:
    first = take(lines, route)
    lines.push(route, by_us=1_000)
    lines.push(route, by_us=500)
    line = read(lines, route)
    assert line.push_us - first.push_us == 1_500
    assert take(lines, route).start_us == first.start_us + interval_us(route, UNSLOWED) + 1_500


def test_a_line_that_was_only_pushed_can_be_used(lines: LineStore, route: Route) -> None:
    lines.push(route, by_us=1_000)
    assert take(lines, route).start_us == NOW
    assert read(lines, route).push_us == 1_000


def test_a_throttle_pushes_and_slows_the_line(lines: LineStore, route: Route) -> None:
    take(lines, route)
    seen = read(lines, route)
    assert lines.adapt(route, seen=seen, wanted=slowed(seen, now_us=NOW))
    line = read(lines, route)
    assert line == slowed(seen, now_us=NOW)
    slots = [take(lines, route) for _ in range(2)]
    assert slots[0].start_us == seen.next_us + THROTTLE_PUSH_US
    assert slots[0].push_us == THROTTLE_PUSH_US
    slow = interval_us(route, slots[0].slowdown_permille)
    assert slots[1].start_us - slots[0].start_us == slow > interval_us(route, UNSLOWED)


def test_an_idle_line_stays_as_slow_as_it_was(lines: LineStore, route: Route) -> None:
    take(lines, route)
    seen = read(lines, route)
    lines.adapt(route, seen=seen, wanted=slowed(seen, now_us=NOW))
    later = NOW + 60 * US
    slots = [take(lines, route, now=later) for _ in range(2)]
    slow = interval_us(route, slowed(seen, now_us=NOW).slowdown_permille)
    assert [slot.start_us for slot in slots] == [later, later + slow]


def test_a_slowed_line_comes_back_to_its_own_rate(lines: LineStore, route: Route) -> None:
    take(lines, route)
    seen = read(lines, route)
    lines.adapt(route, seen=seen, wanted=slowed(seen, now_us=NOW))
    now = NOW
    for _ in range(10):
        now += RECOVER_AFTER_US
        seen = read(lines, route)
        lines.adapt(route, seen=seen, wanted=eased(seen, now_us=now))
    assert read(lines, route).slowdown_permille == UNSLOWED
    starts = [take(lines, route, now=now).start_us for _ in range(2)]
    assert starts[1] - starts[0] == interval_us(route, UNSLOWED)


def test_only_the_first_to_adapt_does(lines: LineStore, route: Route) -> None:
    take(lines, route)
    seen = read(lines, route)
    assert lines.adapt(route, seen=seen, wanted=slowed(seen, now_us=NOW))
    after = read(lines, route)
    assert not lines.adapt(route, seen=seen, wanted=slowed(seen, now_us=NOW + 1))
    assert read(lines, route) == after


def test_slots_taken_since_it_was_seen_do_not_hinder_adapting(
    lines: LineStore, route: Route
) -> None:
    take(lines, route)
    seen = read(lines, route)
    second = take(lines, route)
    assert lines.adapt(route, seen=seen, wanted=slowed(seen, now_us=NOW))
    expected = second.start_us + interval_us(route, UNSLOWED) + THROTTLE_PUSH_US
    assert read(lines, route).next_us == expected


def test_a_fresh_line_can_be_adapted(lines: LineStore, route: Route) -> None:
    seen = read(lines, route)
    assert lines.adapt(route, seen=seen, wanted=slowed(seen, now_us=NOW))
    slowdown = slowed(seen, now_us=NOW).slowdown_permille
    assert read(lines, route).slowdown_permille == slowdown
    assert take(lines, route, now=NOW + 60 * US).slowdown_permille == slowdown


def test_routes_do_not_touch_each_other(lines: LineStore, route: Route) -> None:
    other = Route(model=route.model, region="us-east-1", rate_per_second=1)
    take(lines, route)
    lines.push(route, by_us=9)
    assert lines.read([route, other]) == {
        route.name: Line(next_us=NOW + interval_us(route, UNSLOWED) + 9, push_us=9),
        other.name: Line(),
    }
    assert take(lines, other).start_us == NOW


@on_threads
def test_slots_taken_at_once_are_never_closer_than_the_interval(
    lines: LineStore, route: Route
) -> None:
    def five() -> list[int]:
        return [take(lines, route).start_us for _ in range(5)]

    answers = at_once([five] * 10)
    assert raised(answers) == []
    starts = sorted(start for answer in answers if isinstance(answer, list) for start in answer)
    interval = interval_us(route, UNSLOWED)
    assert starts == [NOW + number * interval for number in range(50)]


@on_threads
def test_slots_stay_apart_while_the_line_is_pushed_and_slowed(
    lines: LineStore, route: Route
) -> None:
    take(lines, route)
    seen = read(lines, route)
    slots: list[Slot] = []

    def five() -> None:
        slots.extend(take(lines, route) for _ in range(5))

    push = partial(lines.push, route, by_us=3_000)

    def slow() -> None:
        lines.adapt(route, seen=seen, wanted=slowed(seen, now_us=NOW))

    calls: list[Callable[[], None]] = [five, five, five, push, five, slow, five, push, five]
    answers = at_once(calls)
    assert raised(answers) == []
    starts = sorted(slot.start_us for slot in slots)
    gaps = [later - earlier for earlier, later in pairwise(starts)]
    assert len(starts) == 30
    assert min(gaps) >= interval_us(route, UNSLOWED)
    assert read(lines, route).push_us == 6_000 + THROTTLE_PUSH_US


@on_threads
def test_of_many_throttles_at_once_one_slows_the_line(lines: LineStore, route: Route) -> None:
    take(lines, route)
    seen = read(lines, route)
    wanted = slowed(seen, now_us=NOW)
    answers = at_once([partial(lines.adapt, route, seen=seen, wanted=wanted)] * 8)
    assert sorted(map(bool, answers)) == [False] * 7 + [True]
    assert read(lines, route) == wanted


@on_threads
def test_an_idle_line_is_started_once(lines: LineStore, route: Route) -> None:
    take(lines, route)
    later = NOW + 60 * US
    answers = at_once([partial(take, lines, route, now=later)] * 8)
    starts = sorted(slot.start_us for slot in answers if isinstance(slot, Slot))
    interval = interval_us(route, UNSLOWED)
    assert starts == [later + number * interval for number in range(8)]


def test_latencies_are_kept_and_the_rest_of_the_line_is_as_it_was(
    lines: LineStore, route: Route
) -> None:
    take(lines, route)
    lines.push(route, by_us=7)
    before = read(lines, route)
    for place, latency_ms in ((0, 5_000), (31, 6_000), (4, 5_000)):
        lines.observe(route, place=place, latency_ms=latency_ms)
    after = read(lines, route)
    assert sorted(after.latencies_ms) == [5_000, 5_000, 6_000]
    assert replace(after, latencies_ms=()) == before


def test_a_latency_replaces_the_one_at_its_place(lines: LineStore, route: Route) -> None:
    for latency_ms in (5_000, 6_000, 7_000):
        lines.observe(route, place=3, latency_ms=latency_ms)
    lines.observe(route, place=4, latency_ms=1_000)
    assert sorted(read(lines, route).latencies_ms) == [1_000, 7_000]


def test_latencies_outlast_whatever_becomes_of_the_line(lines: LineStore, route: Route) -> None:
    lines.observe(route, place=3, latency_ms=5_000)
    take(lines, route)
    take(lines, route)
    lines.push(route, by_us=7)
    seen = read(lines, route)
    assert lines.adapt(route, seen=seen, wanted=slowed(seen, now_us=NOW))
    take(lines, route, now=NOW + 3600 * US, latest=NOW + 7200 * US)
    assert read(lines, route).latencies_ms == (5_000,)


def test_a_line_that_has_only_a_latency_is_fresh(lines: LineStore, route: Route) -> None:
    lines.observe(route, place=0, latency_ms=5_000)
    assert read(lines, route) == Line(latencies_ms=(5_000,))
    seen = read(lines, route)
    slot = take(lines, route)
    assert (slot.start_us, slot.push_us, slot.slowdown_permille) == (NOW, 0, UNSLOWED)
    assert lines.adapt(route, seen=seen, wanted=slowed(seen, now_us=NOW))


def test_routes_keep_their_own_latencies(lines: LineStore, route: Route) -> None:
    other = Route(model=route.model, region="us-east-1", rate_per_second=1)
    lines.observe(route, place=0, latency_ms=5_000)
    lines.observe(other, place=0, latency_ms=6_000)
    found = lines.read([route, other])
    assert found[route.name].latencies_ms == (5_000,)
    assert found[other.name].latencies_ms == (6_000,)


@on_threads
def test_latencies_kept_at_once_do_not_undo_each_other(lines: LineStore, route: Route) -> None:
    answers = at_once(
        [partial(lines.observe, route, place=place, latency_ms=place) for place in range(16)]
    )
    assert raised(answers) == []
    assert sorted(read(lines, route).latencies_ms) == list(range(16))
