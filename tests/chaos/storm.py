"""One run from its first order to the moment when nothing moves any more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Thread
from typing import Any

import httpx

from sandbox.errors import CommandError
from sandbox.processes import alive
from tests.chaos.cast import Cast
from tests.chaos.customers import Customer
from tests.chaos.weather import condition

SETTINGS = {"latency_spread": 0.5, "picture": "plain"}
"""Of the simulator; plain pictures leave the cores to the service."""
PROGRESS_SECONDS = 10.0
CALM_AT_ONCE = 6
CALM_SECONDS_MAX = 90.0
"""How long the first jobs are waited for; and how many people order at once until then, as each
process that a function is started in takes about a second of a core."""
PAUSE_SECONDS = 6.0
"""Between looks, each of which is a command of its own and takes a second of a core."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long things are waited for when nothing breaks any more."""

    jobs_seconds: float
    """Until every job is at rest."""
    messages_seconds: float
    """Then until the queue is empty. What is left in it should find nothing to do, which the
    verdict sees; a killed worker's comes back when its visibility timeout has passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lasted:
    """How long the parts of a run took."""

    weather_seconds: float
    settled_after_seconds: float | None
    """From then until the last job came to rest; None: not all did."""


class Storm:
    """Lets everything happen."""

    def __init__(self, cast: Cast, *, say: Say) -> None:
        self._cast = cast
        self._say = say
        self._told_at = 0.0

    def run(self, *, patience: Patience) -> Lasted:
        """Break things for as long as planned, then wait until all is calm."""
        cast, course = self._cast, self._cast.course
        url = f"{cast.state.simulator_url}/_control/settings"
        httpx.post(url, json=SETTINGS, trust_env=False).raise_for_status()
        self._begin_calmly()
        course.restart()
        self._told_at = 0.0
        shoppers = [course.begin("a customer", each.order) for each in cast.customers]
        for follower in cast.followers:
            course.begin("a listener", follower.listen)
        breaking = [
            course.begin("the gusts", cast.weather.gusts),
            course.begin("the outage", cast.weather.outage),
            *(course.begin("a killer", killer.run) for killer in cast.killers),
        ]
        while course.seconds < cast.plan.seconds or _going_on(breaking):
            self._look(shoppers)
            course.pause(PAUSE_SECONDS)
        cast.weather.calm()
        weather_seconds = course.seconds
        self._say(f"{weather_seconds:4.0f} s  nothing breaks any more")
        settled_after = self._wait(shoppers, patience)
        course.settled.set()
        return Lasted(
            weather_seconds=weather_seconds,
            settled_after_seconds=None if settled_after is None else round(settled_after, 1),
        )

    def _begin_calmly(self) -> None:
        """Everybody's first job, so that the functions have started when things begin to break."""
        course = self._cast.course
        with ThreadPoolExecutor(CALM_AT_ONCE) as pool:
            list(pool.map(Customer.order_first, self._cast.customers))
        give_up = course.seconds + CALM_SECONDS_MAX
        while course.seconds < give_up and _moving(self._look([])):
            course.pause(PAUSE_SECONDS)

    def _wait(self, shoppers: Sequence[Thread], patience: Patience) -> float | None:
        """Wait until all jobs are at rest and no message is left; answers how long jobs took."""
        course = self._cast.course
        began = course.seconds
        settled_after: float | None = None
        while (waited := course.seconds - began) < patience.jobs_seconds:
            found = self._look(shoppers)
            if _moving(found) or _going_on(shoppers):
                settled_after = None
            else:
                settled_after = waited if settled_after is None else settled_after
                late = waited - settled_after >= patience.messages_seconds
                if late or not any(found["queue"].values()):
                    break
            course.pause(PAUSE_SECONDS)
        return settled_after

    def _look(self, shoppers: Sequence[Thread]) -> dict[str, Any]:
        """Look how the service does, and say so now and then; raises if a part has stopped."""
        for child in self._cast.state.children:
            if not alive(child):
                raise CommandError(f"{child.name} has stopped by itself; see {child.log}.")
        found = condition(self._cast.places)
        if found and self._cast.course.seconds - self._told_at > PROGRESS_SECONDS:
            self._told_at = self._cast.course.seconds
            self._say(self._progress(found, _going_on(shoppers)))
        return found

    def _progress(self, found: dict[str, Any], ordering: int) -> str:
        cast = self._cast
        killed = sum((killer.at_work + killer.idle).total() for killer in cast.killers)
        return "; ".join(
            [
                f"{cast.course.seconds:4.0f} s  {cast.taken} of {cast.plan.jobs} jobs taken",
                f"{ordering} people still order",
                ", ".join(f"{number} {status}" for status, number in found["jobs"].items()),
                "messages: "
                + ", ".join(f"{number} {where}" for where, number in found["queue"].items()),
                *(f"{each['state']}, {each['pace_per_second']:g}/s" for each in found["routes"]),
                f"{killed} killed",
            ]
        )


def _moving(found: dict[str, Any]) -> bool:
    """Whether there are jobs that are not at rest, or nobody knows."""
    return not found or found["jobs"]["queued"] + found["jobs"]["generating"] > 0


def _going_on(threads: Sequence[Thread]) -> int:
    return sum(thread.is_alive() for thread in threads)
