"""What people order and what breaks when, all of it decided beforehand by a seed.

The same seed gives the same orders, gusts and kills at the same moments; which process is at work
at such a moment is the machine's to say, so that two runs of a seed are alike and not equal.
"""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass

from sandbox.bedrock.behaviour import Fault

JOBS_EACH = 12
"""Jobs of one person: more than the ten that may be in flight at once."""
LISTENERS_MAX = 6
"""People who listen to the feed, too."""

ORDERED_WITHIN = 0.7
"""The share of the time in which everything is ordered."""
REPEATED = 0.2
CANCELED = 0.1
CACHED = 0.1
REFUSED = 0.04
"""Shares of the orders: sent once more though taken, canceled, with whom an earlier image will do,
and with a prompt that the content filter refuses."""
CANCEL_SECONDS_MAX = 6.0

OUTAGE_AT = 0.35
OUTAGE_SECONDS_MIN, OUTAGE_SECONDS_MAX = 30.0, 60.0
GUST_EACH_SECONDS = 9.0
"""How often something goes wrong with the model, on average."""
GUSTS: dict[Fault, tuple[float, float]] = {
    Fault.THROTTLE: (3.0, 0.4),
    Fault.NOT_READY: (4.0, 0.4),
    Fault.INTERNAL: (6.0, 0.6),
    Fault.UNAVAILABLE: (6.0, 0.6),
    Fault.MODEL_ERROR: (6.0, 0.5),
    Fault.MODEL_TIMEOUT: (5.0, 0.4),
    Fault.INFERENCE_ERROR: (6.0, 0.5),
    Fault.HANG: (6.0, 0.2),
    Fault.CLOSE: (6.0, 0.6),
    Fault.CUT: (6.0, 0.5),
}
"""How long each lasts at most and how many of the calls it meets at most. A call that hangs keeps a
worker for a minute, and each throttle slows the route down, so those are rarer."""

JOBS_A_WORKER_KILLED = 8
"""One worker is killed for so many jobs …"""
JOBS_A_DOOR_KILLED = 20
"""… and one process of another function for so many."""
DOORS = ("submit", "submit", "status", "push", "push", "feed")
"""What is killed beside workers, the oftener the more it can leave behind. The sweep, which is
seldom at work, is waited for on its own."""
CALM_SECONDS = 2.0
"""Nothing breaks before."""
LAST_KILL_BEFORE_SECONDS = 8.0
"""A killed worker's message comes back after 140 s; the last ones decide how long a run lasts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One job that a person wants."""

    at_seconds: float
    key: str
    prompt: str
    allow_cached: bool
    repeated: bool
    """Whether it is sent once more though it was taken."""
    cancel_after_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gust:
    """One thing that goes wrong with the model for a while."""

    at_seconds: float
    fault: Fault
    seconds: float
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """A process of a function that is killed, at work if one is."""

    at_seconds: float
    function: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run."""

    seed: int
    seconds: float
    """How long things break."""
    people: tuple[tuple[Order, ...], ...]
    listeners: int
    """So many of the people, the first ones, listen to the feed."""
    gusts: tuple[Gust, ...]
    outage: Gust
    """The model is away altogether."""
    kills: tuple[Kill, ...]

    @property
    def jobs(self) -> int:
        """How many jobs are ordered."""
        return sum(map(len, self.people))


def make_plan(*, seed: int, jobs: int, seconds: float) -> Plan:
    """Decide everything that is decided beforehand."""
    rng = random.Random(seed)
    orders = [_order(rng, seconds * ORDERED_WITHIN) for _ in range(jobs)]
    crowd = max(2, round(jobs / JOBS_EACH))
    people = tuple(
        tuple(sorted(orders[number::crowd], key=lambda order: order.at_seconds))
        for number in range(crowd)
    )
    outage = Gust(
        at_seconds=max(CALM_SECONDS, seconds * OUTAGE_AT),
        fault=Fault.UNAVAILABLE,
        seconds=min(OUTAGE_SECONDS_MAX, max(OUTAGE_SECONDS_MIN, seconds / 4)),
        probability=1.0,
    )
    return Plan(
        seed=seed,
        seconds=seconds,
        people=people,
        listeners=min(LISTENERS_MAX, crowd),
        gusts=_gusts(rng, seconds),
        outage=outage,
        kills=_kills(rng, jobs, seconds),
    )


def _order(rng: random.Random, within_seconds: float) -> Order:
    allow_cached = rng.random() < CACHED
    prompt = f"a storm over the sea, no. {rng.randrange(10**9)}"
    if allow_cached:
        prompt = "a lighthouse that everybody draws"
    elif rng.random() < REFUSED:
        prompt = "gore"
    canceled = rng.random() < CANCELED
    return Order(
        at_seconds=rng.uniform(0, within_seconds),
        key=uuid.UUID(int=rng.getrandbits(128)).hex,
        prompt=prompt,
        allow_cached=allow_cached,
        repeated=rng.random() < REPEATED,
        cancel_after_seconds=rng.uniform(0, CANCEL_SECONDS_MAX) if canceled else None,
    )


def _gusts(rng: random.Random, seconds: float) -> tuple[Gust, ...]:
    """Each kind in turn, in an order of the seed's, so that a short run has many of them too."""
    kinds: list[Fault] = []
    gusts = []
    at_seconds = CALM_SECONDS
    while at_seconds < seconds:
        if not kinds:
            kinds = rng.sample(list(GUSTS), k=len(GUSTS))
        fault = kinds.pop()
        lasts, meets = GUSTS[fault]
        gusts.append(
            Gust(
                at_seconds=at_seconds,
                fault=fault,
                seconds=rng.uniform(lasts / 2, lasts),
                probability=rng.uniform(meets / 2, meets),
            )
        )
        at_seconds += rng.expovariate(1 / GUST_EACH_SECONDS)
    return tuple(gusts)


def _kills(rng: random.Random, jobs: int, seconds: float) -> tuple[Kill, ...]:
    workers = ["worker"] * max(2, jobs // JOBS_A_WORKER_KILLED)
    doors = [rng.choice(DOORS) for _ in range(max(2, jobs // JOBS_A_DOOR_KILLED))]
    last = max(CALM_SECONDS, seconds - LAST_KILL_BEFORE_SECONDS)
    kills = [
        Kill(at_seconds=rng.uniform(CALM_SECONDS, last), function=function)
        for function in [*workers, *doors]
    ]
    kills.append(Kill(at_seconds=CALM_SECONDS, function="sweep"))
    return tuple(sorted(kills, key=lambda kill: kill.at_seconds))
