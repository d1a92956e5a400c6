"""Many workers on one line, in virtual time: the quota is kept, and used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import ModelThrottled, NoFreeSlot
from common.lines import US, Line, Slot, interval_us
from common.pacing import Pacer
from common.routes import Route
from common.sizing import worker_concurrency
from tests.fakes import MemoryLines
from tests.virtual_time import VirtualTime

LATENCY_SECONDS = 4.0
Result = TypeVar("Result")


def route(rate_per_second: float, region: str = "us-west-2") -> Route:
    return Route(
        model="core", region=region, rate_per_second=rate_per_second, p95_seconds=LATENCY_SECONDS
    )


class SlowLines(MemoryLines):
    """Lines behind a network: each call takes a while, and takes effect somewhere in it."""

    def __init__(self, time: VirtualTime, random: Random, *, call_us_max: int) -> None:
        super().__init__()
        self._time = time
        self._random = random
        self._call_us_max = call_us_max

    def read(self, routes: Sequence[Route]) -> Mapping[str, Line]:
        return self._called(lambda: MemoryLines.read(self, routes))

    def take(self, route: Route, *, earliest_us: int, latest_us: int) -> Slot | Line:
        return self._called(
            lambda: MemoryLines.take(self, route, earliest_us=earliest_us, latest_us=latest_us)
        )

    def push(self, route: Route, *, by_us: int) -> None:
        self._called(lambda: MemoryLines.push(self, route, by_us=by_us))

    def adapt(self, route: Route, *, seen: Line, wanted: Line) -> bool:
        return self._called(lambda: MemoryLines.adapt(self, route, seen=seen, wanted=wanted))

    def _called(self, call: Callable[[], Result]) -> Result:
        there_us, back_us = (self._random.randint(0, self._call_us_max // 2) for _way in range(2))
        self._time.sleep_us(there_us)
        answer = call()
        self._time.sleep_us(back_us)
        return answer


@dataclass
class Model:
    """A model with a quota of its own, a rolling second at a time; counts what breaks it."""

    time: VirtualTime
    quota: Callable[[int], float]
    starts: list[tuple[int, Route]] = field(default_factory=list)
    throttled_us: list[int] = field(default_factory=list)

    def start(self, route: Route) -> None:
        now_us = self.time.now_us()
        recent = [at for at, used in self.starts if used == route and at > now_us - US]
        if len(recent) >= self.quota(now_us):
            self.throttled_us.append(now_us)
            raise ModelThrottled("Too many.", retry_after_seconds=5)
        self.starts.append((now_us, route))


def simulate(
    routes: Sequence[Route],
    *,
    jobs: int,
    seed: int,
    late_us: Callable[[Random], int],
    call_us_max: int = 16_000,
    quota: Callable[[int], float] = lambda _now_us: 1_000.0,
) -> Model:
    """So many jobs on as many workers as the stack would have; what the model saw of them."""
    time, random = VirtualTime(), Random(seed)
    lines = SlowLines(time, random, call_us_max=call_us_max)
    model = Model(time, quota)
    left = iter(range(jobs))

    def sleep(seconds: float) -> None:
        time.sleep_us(round(seconds * US) + late_us(random))

    def work() -> None:
        pacer = Pacer(lines, now_us=time.now_us, sleep=sleep, aside=time.start, wait_seconds_max=30)
        for _job in left:
            while True:
                try:
                    slot = pacer.take(routes)
                    pacer.wait(slot)
                    model.start(slot.route)
                except NoFreeSlot as error:
                    sleep(error.retry_after_seconds)
                except ModelThrottled:
                    pacer.throttled(slot)
                else:
                    break
            time.sleep_us(round(LATENCY_SECONDS * US * random.uniform(0.6, 1)))
            pacer.answered(slot)

    time.run([work] * worker_concurrency(routes))
    return model


def most_in_a_second(starts_us: Sequence[int]) -> int:
    """The most starts in any rolling second."""
    ordered = sorted(starts_us)
    return max(
        sum(first <= start < first + US for start in ordered[place : place + 200])
        for place, first in enumerate(ordered)
    )


def utilisation(starts_us: Sequence[int], rate_per_second: float) -> float:
    """Ideal ÷ actual time, from the first start to the last."""
    ideal_us = (len(starts_us) - 1) / rate_per_second * US
    return ideal_us / (max(starts_us) - min(starts_us))


def anything_below_the_interval(paced: Route) -> Callable[[Random], int]:
    """As late as may be without losing the slot: mostly a little, sometimes nearly all of it."""
    most_us = interval_us(paced, 1000) - 1

    def late_us(random: Random) -> int:
        return random.choice([0, random.randint(0, 5_000), random.randint(0, most_us)])

    return late_us


def a_quiet_machine(random: Random) -> int:
    """What timers do: half a millisecond, and one in a hundred times six."""
    return round(random.expovariate(1 / 500)) if random.random() < 0.99 else 6_000


@pytest.mark.parametrize("rate", [1, 2, 5, 20])
@settings(max_examples=12)
@given(seed=st.integers(0, 2**32))
def test_however_late_workers_are_a_second_never_sees_more_starts_than_the_rate(
    rate: int, seed: int
) -> None:
    paced = route(rate)
    model = simulate([paced], jobs=60, seed=seed, late_us=anything_below_the_interval(paced))
    assert len(model.starts) == 60
    assert most_in_a_second([at for at, _route in model.starts]) <= rate


@pytest.mark.parametrize(("rate", "jobs", "least"), [(2, 120, 0.99), (20, 400, 0.95)])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_with_a_backlog_the_rate_is_used(rate: int, jobs: int, least: float, seed: int) -> None:
    model = simulate([route(rate)], jobs=jobs, seed=seed, late_us=a_quiet_machine)
    starts_us = [at for at, _route in model.starts]
    assert most_in_a_second(starts_us) <= rate
    assert utilisation(starts_us, rate) >= least


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_quotas_of_two_routes_are_both_kept_and_both_used(seed: int) -> None:
    routes = [route(2, "us-west-2"), route(4, "us-east-1")]
    model = simulate(routes, jobs=180, seed=seed, late_us=a_quiet_machine)
    for paced in routes:
        starts_us = [at for at, used in model.starts if used == paced]
        assert most_in_a_second(starts_us) <= paced.rate_per_second
    assert utilisation([at for at, _route in model.starts], 6) >= 0.95


def test_a_route_that_is_throttled_below_its_rate_adapts_and_recovers() -> None:
    began_us = VirtualTime().now_us()
    trouble_us = 60 * US

    def quota(now_us: int) -> float:
        return 1 if now_us - began_us < trouble_us else 1_000

    model = simulate([route(2)], jobs=200, seed=1, late_us=a_quiet_machine, quota=quota)
    assert len(model.starts) == 200
    during = [at for at, _route in model.starts if at - began_us < trouble_us]
    assert len(during) >= 30, "it goes on meanwhile"
    assert len(model.throttled_us) < len(during) / 2, "it learns"
    assert max(model.throttled_us) < began_us + trouble_us
    recovered = [at for at, _route in model.starts if at - began_us > trouble_us + 40 * US]
    assert utilisation(recovered, 2) >= 0.98
