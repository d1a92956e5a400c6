"""Lines as a circuit breaker: what a store does with one that is out of order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import pytest

from common.aws.dynamo_lines import DynamoLines
from common.aws.records import to_item
from common.lines import (
    FAILURES_MAX,
    REST_US,
    THROTTLE_PUSH_US,
    UNSLOWED,
    US,
    Line,
    LineStore,
    Slot,
    failed,
    interval_us,
    mended,
    slowed,
    throttled,
)
from common.routes import Route
from tests.contract.backends import ROUTES_TABLE, Aws, at_once, on_threads, raised
from tests.contract.test_lines import FAR, NOW, read, route, take

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["route"]

LATER = NOW + REST_US
UNTIL = LATER + 100 * US


def fail(lines: LineStore, route: Route, *, times: int = 1) -> None:
    for _time in range(times):
        seen = read(lines, route)
        assert lines.adapt(route, seen=seen, wanted=failed(seen, now_us=NOW, probe=False))


def break_(lines: LineStore, route: Route) -> Line:
    """Put the line out of order, as the last of some failures does; answer how it is then."""
    take(lines, route)
    fail(lines, route, times=FAILURES_MAX)
    return read(lines, route)


def probe(lines: LineStore, route: Route, seen: Line) -> Slot | Line:
    return lines.probe(route, seen=seen, earliest_us=LATER, until_us=UNTIL)


def test_failures_are_counted_for_all_to_see(lines: LineStore, route: Route) -> None:
    take(lines, route)
    before = read(lines, route)
    fail(lines, route, times=2)
    assert read(lines, route) == replace(before, failures=2)
    assert take(lines, route).start_us == before.next_us, "it is in order"


def test_the_first_call_ever_may_fail(lines: LineStore, route: Route) -> None:
    fail(lines, route, times=FAILURES_MAX)
    assert read(lines, route) == Line(failures=FAILURES_MAX, retry_us=LATER)


def test_a_line_out_of_order_is_not_taken_from_and_says_how_it_is(
    lines: LineStore, route: Route
) -> None:
    resting = break_(lines, route)
    assert (resting.failures, resting.retry_us) == (FAILURES_MAX, LATER)
    for now in (NOW, resting.next_us, FAR - 1):
        answer = lines.take(route, earliest_us=now, latest_us=FAR)
        assert isinstance(answer, Line)
        assert (answer.retry_us, answer.failures) == (LATER, FAILURES_MAX)
    assert read(lines, route) == resting


def test_a_fresh_line_out_of_order_is_not_taken_from(lines: LineStore, route: Route) -> None:
    fail(lines, route, times=FAILURES_MAX)
    assert isinstance(lines.take(route, earliest_us=NOW, latest_us=FAR), Line)


def test_a_probe_takes_the_next_slot_and_shuts_out_others(lines: LineStore, route: Route) -> None:
    lines.push(route, by_us=7)
    resting = break_(lines, route)
    slot = probe(lines, route, resting)
    assert slot == Slot(
        route=route, start_us=LATER, push_us=7, slowdown_permille=UNSLOWED, probe=True
    )
    assert read(lines, route) == replace(
        resting, next_us=LATER + interval_us(route, UNSLOWED), retry_us=UNTIL, probing=True
    )
    assert isinstance(lines.take(route, earliest_us=LATER, latest_us=FAR), Line)


def test_a_probe_waits_behind_what_was_taken(lines: LineStore, route: Route) -> None:
    """So that a route whose starts were pushed far is not asked for one too many."""
    take(lines, route)
    lines.push(route, by_us=60 * US)
    fail(lines, route, times=FAILURES_MAX)
    resting = read(lines, route)
    slot = probe(lines, route, resting)
    assert isinstance(slot, Slot)
    assert slot.start_us == resting.next_us > LATER
    assert slot.push_us == 60 * US
    assert read(lines, route).next_us == slot.start_us + interval_us(route, UNSLOWED)


def test_a_probe_of_a_slow_line_is_as_slow(lines: LineStore, route: Route) -> None:
    take(lines, route)
    seen = read(lines, route)
    assert lines.adapt(route, seen=seen, wanted=slowed(seen, now_us=NOW))
    fail(lines, route, times=FAILURES_MAX)
    resting = read(lines, route)
    slot = probe(lines, route, resting)
    assert isinstance(slot, Slot)
    assert (slot.slowdown_permille, slot.push_us) == (resting.slowdown_permille, THROTTLE_PUSH_US)
    slow = interval_us(route, resting.slowdown_permille)
    assert read(lines, route).next_us == slot.start_us + slow


CHANGED: dict[str, Callable[[Line], Line]] = {
    "in order": mended,
    "another rest": lambda line: replace(line, retry_us=line.retry_us + 1),
    "another slot": lambda line: replace(line, next_us=line.next_us + 1),
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_probe_starts_only_over_what_was_seen(lines: LineStore, route: Route, name: str) -> None:
    resting = break_(lines, route)
    answer = probe(lines, route, CHANGED[name](resting))
    assert answer == resting
    assert read(lines, route) == resting


def test_a_line_that_was_mended_meanwhile_is_not_probed(lines: LineStore, route: Route) -> None:
    resting = break_(lines, route)
    assert lines.adapt(route, seen=resting, wanted=mended(resting))
    assert probe(lines, route, resting) == mended(resting)
    assert take(lines, route, now=LATER).start_us == LATER
    assert not take(lines, route, now=LATER).probe


def test_a_probe_that_was_given_up_is_followed_by_another(lines: LineStore, route: Route) -> None:
    first = probe(lines, route, break_(lines, route))
    assert isinstance(first, Slot)
    seen = read(lines, route)
    slot = lines.probe(route, seen=seen, earliest_us=UNTIL, until_us=UNTIL + 100 * US)
    assert isinstance(slot, Slot)
    assert slot.start_us == UNTIL
    assert read(lines, route).retry_us == UNTIL + 100 * US


@pytest.mark.parametrize("throttle", [False, True])
def test_a_probe_that_fails_lets_the_line_rest_longer(
    lines: LineStore, route: Route, *, throttle: bool
) -> None:
    probe(lines, route, break_(lines, route))
    seen = read(lines, route)
    wanted = (throttled if throttle else failed)(seen, now_us=LATER, probe=True)
    assert lines.adapt(route, seen=seen, wanted=wanted)
    after = read(lines, route)
    assert after == wanted
    assert (after.failures, after.retry_us) == (FAILURES_MAX + 1, LATER + 2 * REST_US)


def test_what_was_adapted_by_another_is_not_mended(lines: LineStore, route: Route) -> None:
    """A probe that was given up must not mend what the next one has found out."""
    resting = break_(lines, route)
    for changed in (
        replace(resting, failures=FAILURES_MAX + 1),
        replace(resting, retry_us=UNTIL),
        replace(resting, calm_at_us=1),
        replace(resting, slowdown_permille=1500),
    ):
        assert not lines.adapt(route, seen=changed, wanted=mended(changed))
    assert read(lines, route) == resting


def test_a_push_leaves_a_line_out_of_order(lines: LineStore, route: Route) -> None:
    resting = break_(lines, route)
    lines.push(route, by_us=9)
    assert read(lines, route) == replace(resting, next_us=resting.next_us + 9, push_us=9)


def test_an_image_ends_a_row_of_failures(lines: LineStore, route: Route) -> None:
    take(lines, route)
    fail(lines, route, times=FAILURES_MAX - 1)
    before = read(lines, route)
    lines.observe(route, place=3, latency_ms=5_000)
    assert read(lines, route) == replace(before, failures=0, latencies_ms=(5_000,))
    fail(lines, route, times=FAILURES_MAX - 1)
    assert read(lines, route).in_order


def test_an_image_from_before_says_nothing_of_a_line_out_of_order(
    lines: LineStore, route: Route
) -> None:
    lines.observe(route, place=3, latency_ms=5_000)
    resting = break_(lines, route)
    lines.observe(route, place=4, latency_ms=6_000)
    assert read(lines, route) == resting
    probe(lines, route, resting)
    probed = read(lines, route)
    lines.observe(route, place=4, latency_ms=6_000)
    assert read(lines, route) == probed


def test_a_mended_line_keeps_latencies_again(lines: LineStore, route: Route) -> None:
    resting = break_(lines, route)
    assert lines.adapt(route, seen=resting, wanted=mended(resting))
    lines.observe(route, place=4, latency_ms=6_000)
    assert read(lines, route).latencies_ms == (6_000,)


def test_a_line_that_was_only_observed_can_be_adapted(lines: LineStore, route: Route) -> None:
    lines.observe(route, place=4, latency_ms=6_000)
    fail(lines, route, times=FAILURES_MAX)
    assert not read(lines, route).in_order


def test_routes_are_out_of_order_each_for_itself(lines: LineStore, route: Route) -> None:
    other = Route(model=route.model, region="us-east-1", rate_per_second=1)
    resting = break_(lines, route)
    assert take(lines, other).start_us == NOW
    assert lines.read([route, other])[route.name] == resting
    assert lines.read([route, other])[other.name].in_order


class Meanwhile:
    """A DynamoDB client; something else happens once, when its first update has been refused."""

    def __init__(self, client: DynamoDBClient, do: Callable[[], object]) -> None:
        self._client = client
        self._do = [do]

    def update_item(self, **asked: Any) -> Any:
        try:
            return self._client.update_item(**asked)
        finally:
            if self._do:
                self._do.pop()()


@pytest.mark.parametrize("backend", ["moto"], indirect=True)
@pytest.mark.parametrize("idle", [True, False])
def test_a_line_that_goes_out_of_order_between_two_looks_is_not_taken_from(
    lines: LineStore, route: Route, moto_aws: Aws, *, idle: bool
) -> None:
    take(lines, route)
    client = Meanwhile(moto_aws.dynamodb, lambda: fail(lines, route, times=FAILURES_MAX))
    store = DynamoLines(cast("DynamoDBClient", client), routes_table=ROUTES_TABLE)
    now = NOW + 60 * US if idle else NOW
    if not idle:
        seen = read(lines, route)
        assert lines.adapt(route, seen=seen, wanted=replace(seen, slowdown_permille=1500))
    answer = store.take(route, earliest_us=now, latest_us=FAR)
    assert isinstance(answer, Line)
    assert not answer.in_order
    assert read(lines, route).next_us < now + US


@on_threads
def test_of_many_workers_at_once_one_probes(lines: LineStore, route: Route) -> None:
    resting = break_(lines, route)
    answers = at_once([partial(probe, lines, route, resting)] * 12)
    assert raised(answers) == []
    assert sum(isinstance(answer, Slot) for answer in answers) == 1
    told = {answer.retry_us for answer in answers if isinstance(answer, Line)}
    assert told == {UNTIL}
    after = read(lines, route)
    assert after.next_us == LATER + interval_us(route, UNSLOWED), "one slot is taken"


@on_threads
def test_failures_at_once_are_all_counted(lines: LineStore, route: Route) -> None:
    take(lines, route)

    def one() -> None:
        for _try in range(50):
            seen = read(lines, route)
            if lines.adapt(route, seen=seen, wanted=failed(seen, now_us=NOW, probe=False)):
                return
        raise AssertionError("it cannot be counted")

    assert raised(at_once([one] * (FAILURES_MAX - 1))) == []
    assert read(lines, route).failures == FAILURES_MAX - 1


@on_threads
def test_nobody_takes_a_slot_of_a_line_once_it_is_out_of_order(
    lines: LineStore, route: Route
) -> None:
    take(lines, route)
    fail(lines, route, times=FAILURES_MAX - 1)
    seen = read(lines, route)

    def last() -> bool:
        return lines.adapt(route, seen=seen, wanted=failed(seen, now_us=NOW, probe=False))

    def start() -> Slot | Line:
        return lines.take(route, earliest_us=NOW, latest_us=FAR)

    answers = at_once([start, start, start, last, start, start, start])
    assert raised(answers) == []
    assert answers[3] is True
    taken = sum(isinstance(answer, Slot) for answer in answers)
    after = read(lines, route)
    assert after.next_us == seen.next_us + taken * interval_us(route, UNSLOWED)
    assert not after.in_order
    assert isinstance(start(), Line)


def test_a_line_of_an_earlier_version_can_be_taken_from_and_adapted(moto_aws: Aws) -> None:
    route = Route(model="m", region="us-west-2", rate_per_second=2)
    values = {"next_us": LATER - 5 * US, "push_us": 0, "slowdown_permille": 1000, "calm_at_us": 0}
    item = to_item({"route": route.name, **values})
    moto_aws.dynamodb.put_item(TableName=ROUTES_TABLE, Item=item)
    lines = DynamoLines(moto_aws.dynamodb, routes_table=ROUTES_TABLE)
    assert isinstance(lines.take(route, earliest_us=LATER, latest_us=FAR), Slot)
    seen = read(lines, route)
    assert lines.adapt(route, seen=seen, wanted=replace(seen, failures=1))
    assert isinstance(lines.take(route, earliest_us=LATER, latest_us=FAR), Slot)
