"""Everybody and everything that has a part in one run."""

from __future__ import annotations

import random
from dataclasses import dataclass

from sandbox.places import Places
from sandbox.state import State
from tests.chaos.course import Course
from tests.chaos.crowd import followers, gather
from tests.chaos.customers import Customer
from tests.chaos.followers import Follower
from tests.chaos.functions import Functions, Killer
from tests.chaos.plan import Plan
from tests.chaos.weather import Weather

KILLED_TOGETHER = (("worker",), ("submit", "status", "push", "feed"), ("sweep",))
"""Which kills wait for each other; each group has a killer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """One run's parts."""

    state: State
    places: Places
    plan: Plan
    course: Course
    customers: list[Customer]
    followers: list[Follower]
    weather: Weather
    killers: list[Killer]

    @property
    def taken(self) -> int:
        """How many jobs were answered with a 202."""
        return sum(len(customer.accepted) for customer in self.customers)


def cast(state: State, places: Places, plan: Plan, course: Course) -> Cast:
    """Everybody in place, and nothing begun yet."""
    functions = Functions(state)
    customers = gather(state, plan, course)
    return Cast(
        state=state,
        places=places,
        plan=plan,
        course=course,
        customers=customers,
        followers=followers(state, customers, plan, course),
        weather=Weather(state, places, course, plan),
        killers=[
            Killer(
                functions,
                course,
                [kill for kill in plan.kills if kill.function in group],
                rng=random.Random(f"{plan.seed} {group}"),
                until_seconds=plan.seconds,
            )
            for group in KILLED_TOGETHER
        ],
    )
