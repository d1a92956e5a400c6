"""An evening that never was, for the picture of the dashboard: six hours, minute by minute.

People come as evening falls; at 19:40 somebody famous shows the page and a burst of submits is
worked off at the quota's pace; from 21:30 to 22:00 the model is away. Each number follows from a
queue that is filled and emptied minute by minute with a seeded dice, so that the graphs agree with
each other. Nothing here was measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np
from numpy.typing import NDArray

Minutes = NDArray[np.float64]
"""A value for each minute."""

MINUTES = 360
BEGINS_AT = 18
"""The hour of the first minute."""
RATE_PER_MINUTE = 120.0
BURST = slice(100, 118)
OUTAGE = slice(210, 240)
LATENCY_SECONDS = 7.0
USD = 0.04
RINGING = frozenset({"StalledJobs", "DeadLetters"})
"""The alarms that are on at midnight: two jobs broke the model, and nobody has looked yet."""

DURATIONS_MS = {"accounts": 55, "payments": 240, "push": 140}


class Evening:
    """The evening's metrics."""

    def __init__(self, seed: int = 1) -> None:
        self._dice = np.random.default_rng(seed)
        self._away = np.zeros(MINUTES)
        self._away[OUTAGE] = 1
        self._work_off()
        self._kept: Mapping[tuple[str, str], Minutes] = {
            **self._served(),
            **self._model(),
            **self._money(),
            **self._machine(),
        }

    def minutes(self, name: str, about: str, statistic: str) -> Minutes:
        """A metric of what it is about: a function, an AWS service, a queue or a route's region.

        Raises KeyError for a metric that the evening knows nothing of.
        """
        found = self._kept.get((f"{name} {statistic}", about))
        return self._kept[name, about] if found is None else found

    def _work_off(self) -> None:
        """Fill the queue with what is submitted, empty it as fast as the quota allows."""
        evening = 10 + 9 * np.sin(np.linspace(0.2, 2.8, MINUTES))
        evening[BURST] += 210
        self._submitted = self._dice.poisson(evening).astype(float)
        self._started = np.zeros(MINUTES)
        self._waiting = np.zeros(MINUTES)
        waiting = 0.0
        for minute in range(MINUTES):
            waiting += self._submitted[minute]
            most = 1.0 if self._away[minute] else RATE_PER_MINUTE * 0.99
            self._started[minute] = min(waiting, most)
            if not self._away[minute]:
                waiting -= self._started[minute]
            self._waiting[minute] = waiting
        self._wait_seconds = 1.5 + 60 * self._waiting / RATE_PER_MINUTE
        self._wait_seconds[OUTAGE] = np.nan  # nothing is claimed
        self._made = self._started * (1 - self._away)

    def _some(self, a_minute: float, among: Minutes | None = None) -> Minutes:
        """Something that happens so often, in the minutes in which anybody is there."""
        share = 1.0 if among is None else among / max(1.0, float(among.mean()))
        return cast("Minutes", self._dice.poisson(a_minute * share, MINUTES).astype(float))

    def _at(self, **counts: int) -> Minutes:
        """So many at those minutes, such as `m150=2`."""
        found = np.zeros(MINUTES)
        for minute, number in counts.items():
            found[int(minute[1:])] = number
        return found

    def _served(self) -> dict[tuple[str, str], Minutes]:
        stalled = self._at(m151=1, m163=1)
        refused = self._some(0.15, self._made)
        age = np.zeros(MINUTES)
        for minute in range(1, MINUTES):
            held = self._waiting[minute] > 1
            age[minute] = min(age[minute - 1] + 60, 60 * minute) if held else 0
            if not self._away[minute]:
                age[minute] = min(age[minute], 60 * self._waiting[minute] / RATE_PER_MINUTE)
        delayed = np.where(self._waiting > RATE_PER_MINUTE / 2, self._waiting * 0.9, 0)
        return {
            ("JobsSubmitted", "submit"): self._submitted,
            ("JobsSucceeded", "worker"): np.maximum(0, self._made - refused - stalled),
            ("JobsRecalled", "worker"): self._some(0.4) * self._away,
            ("JobsRefused", "worker"): refused,
            ("JobsFailed", "worker"): np.zeros(MINUTES),
            ("JobsStalled", "worker"): stalled,
            ("JobsCanceled", "status"): self._some(0.05, self._waiting),
            ("QueueWait p50", "worker"): self._wait_seconds,
            ("QueueWait p95", "worker"): self._wait_seconds * 1.15 + 1,
            ("StalledJobs", "sweep"): np.cumsum(stalled),
            ("ApproximateAgeOfOldestMessage", "jobs"): age,
            ("ApproximateNumberOfMessagesVisible", "jobs"): self._waiting - delayed,
            ("ApproximateNumberOfMessagesDelayed", "jobs"): delayed,
            ("ApproximateNumberOfMessagesVisible", "deadletters"): np.cumsum(stalled),
            ("PushesTaken", "push"): np.round(self._submitted * 1.1 + self._made * 1.6),
            ("PushesFailed", "push"): self._some(0.02),
        }

    def _at_work(self) -> Minutes:
        """Workers that have a job: those that call, and those that wait for their slot."""
        calling = self._started / 60 * LATENCY_SECONDS
        return cast(
            "Minutes", np.minimum(28, np.ceil(calling + np.sign(np.floor(self._waiting / 10)) * 14))
        )

    def _model(self) -> dict[tuple[str, str], Minutes]:
        busy = 1 + 0.12 * self._made / RATE_PER_MINUTE
        jitter = self._dice.normal(1, 0.03, (2, MINUTES))
        median = LATENCY_SECONDS * busy * jitter[0]
        slow = 1.6 * LATENCY_SECONDS * busy * jitter[1]
        for latency in (median, slow):
            latency[OUTAGE] = np.nan  # no call makes an image
        share = np.where(self._away > 0, 1, self._dice.poisson(0.05, MINUTES) / 12)
        return {
            ("ModelLatency p50", "us-west-2"): median,
            ("ModelLatency p95", "us-west-2"): slow,
            ("ModelErrors SampleCount", "us-west-2"): self._started,
            ("ModelErrors Average", "us-west-2"): share,
            ("ModelThrottles", "us-west-2"): self._at(m104=1, m111=2),
            ("ModelUsd", "us-west-2"): self._made * USD,
        }

    def _money(self) -> dict[tuple[str, str], Minutes]:
        begun = self._some(0.25, self._submitted + 20)
        paid = np.roll(np.minimum(begun, self._some(0.6)), 2)
        return {
            ("PaymentsBegun", "payments"): begun,
            ("PaymentsPaid", "payments"): paid,
            ("PaymentsHealed", "sweep"): self._at(m140=1),
            ("PaymentsFailed", "payments"): self._some(0.02),
            ("PaymentsToReview", "payments"): self._at(m187=1),
            ("PaymentsToReview", "sweep"): np.zeros(MINUTES),
            ("NotificationsFailed", "payments"): np.zeros(MINUTES),
        }

    def _machine(self) -> dict[tuple[str, str], Minutes]:
        asked = 60 + self._submitted * 3 + np.minimum(self._waiting, 300) * 2
        at_once = {
            "worker": self._at_work(),
            "submit": np.ceil(self._submitted / 12),
            "status": np.ceil(asked / 40),
        }
        found: dict[tuple[str, str], Minutes] = {
            ("Count", "http"): asked,
            ("4xx", "http"): self._some(0.8),
            ("5xx", "http"): np.zeros(MINUTES),
            ("Throttles", "dynamodb"): self._at(m101=3, m102=4, m103=1),
            ("JobsSentAgain", "sweep"): self._at(m112=1, m246=2),
            ("LeasesLapsed", "sweep"): self._at(m121=1),
            ("JobsNotMended", "sweep"): np.zeros(MINUTES),
        }
        for name, number in at_once.items():
            grown = np.maximum(0, np.diff(number, prepend=0))
            found["ConcurrentExecutions", name] = number
            found["ColdStarts", name] = grown * self._dice.integers(0, 2, MINUTES)
        for name in ("accounts", "feed", "push", "sweep", "worker"):
            found["Errors", name] = self._at(m115=1) if name == "push" else np.zeros(MINUTES)
        for name, usual in DURATIONS_MS.items():
            slower = 1 + self._submitted / 400
            found["Duration p95", name] = usual * slower * self._dice.normal(1, 0.05, MINUTES)
        return found
