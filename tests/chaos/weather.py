"""What goes wrong with the model, and whether the service has noticed."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from dataclasses import replace
from typing import Any

import httpx

from sandbox.places import REPOSITORY, Places
from sandbox.state import State
from tests.chaos.course import Course
from tests.chaos.plan import Gust, Plan

IMAGIFY = REPOSITORY / "bin" / "imagify"
COMMAND_SECONDS_MAX = 120.0
WATCH_SECONDS = 4.0
"""Between looks at a route that should go out of order."""
OUTAGE_MORE_SECONDS = 10.0
OUTAGE_SECONDS_MAX = 90.0
"""An outage lasts so much longer at a time, while so few jobs are there that a route is in order
still, but no longer than that."""


def imagify(places: Places, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command on this run, as an operator does."""
    return subprocess.run(
        [IMAGIFY, *words],
        env={**os.environ, "IMAGIFY_STATE_DIR": str(places.home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_SECONDS_MAX,
    )


def condition(places: Places) -> dict[str, Any]:
    """What `imagify status --json` says."""
    told = imagify(places, "status", "--json")
    found: dict[str, Any] = json.loads(told.stdout) if told.returncode == 0 else {}
    return found


class Weather:
    """Tells the simulator when to misbehave, and watches the routes during the outage."""

    def __init__(self, state: State, places: Places, course: Course, plan: Plan) -> None:
        self.told: Counter[str] = Counter()
        """How often each fault was begun."""
        self.circuit_opened_after: float | None = None
        """How long into the outage a route was seen out of order; None: it never was."""
        self._control = f"{state.simulator_url}/_control"
        self._places = places
        self._course = course
        self._plan = plan

    def gusts(self) -> None:
        """Blow, from time to time."""
        for gust in self._plan.gusts:
            if not self._course.until(gust.at_seconds):
                return
            self._begin(gust)
            self.told[gust.fault.value] += 1

    def outage(self) -> None:
        """Take the model away, until the route is left alone, or everybody had time to do so."""
        outage = self._plan.outage
        if not self._course.until(outage.at_seconds):
            return
        began = self._course.seconds
        self._begin(outage)
        self.told["outage"] += 1
        while (lasted := self._course.seconds - began) < OUTAGE_SECONDS_MAX:
            routes = condition(self._places).get("routes", [])
            if self.circuit_opened_after is None and any(
                route["state"] != "in order" for route in routes
            ):
                self.circuit_opened_after = round(self._course.seconds - began, 1)
            if lasted >= outage.seconds and self.circuit_opened_after is not None:
                return
            if lasted >= outage.seconds - OUTAGE_MORE_SECONDS:
                self._begin(replace(outage, seconds=OUTAGE_MORE_SECONDS))
            self._course.pause(WATCH_SECONDS)

    def calm(self) -> None:
        """No more of it."""
        httpx.delete(f"{self._control}/behaviour", trust_env=False).raise_for_status()

    def tally(self) -> dict[str, Any]:
        """What the simulator has counted."""
        answer = httpx.get(f"{self._control}/state?arrivals=0", trust_env=False)
        counted: dict[str, Any] = answer.raise_for_status().json()
        return counted

    def _begin(self, gust: Gust) -> None:
        told = {
            "kind": gust.fault.value,
            "seconds": gust.seconds,
            "probability": gust.probability,
        }
        httpx.post(f"{self._control}/behaviour", json=told, trust_env=False).raise_for_status()
