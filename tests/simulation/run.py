"""One run: a while of bad weather, then calm until all is at rest, and what must be true then."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field

from common.errors import ImagifyError
from common.routes import Route
from tests.simulation.audited_answers import Answers
from tests.simulation.auditor import Auditor, Violation
from tests.simulation.keepers import Forger, Pollers, Stream, Sweeper
from tests.simulation.operators import Decider, Operator
from tests.simulation.people import Person, Tab
from tests.simulation.run_parts import Parts
from tests.simulation.schedule import US, Schedule
from tests.simulation.service import SimulatedWorld, installed
from tests.simulation.tape import Tape
from tests.simulation.weather import Weather
from tests.world import CORE, TITAN

USERS = ("usr_ann", "usr_ben", "usr_eve")
REST_SECONDS_MAX = 60 * 3600
"""How long a run may take to come to rest: payments are asked after for a day, and stalled jobs
given up after two."""


@dataclass(frozen=True)
class Outcome:
    """What became of a run."""

    violation: Violation | None
    steps: int
    jobs: int
    happened: Counter[str]
    """Faults by kind."""
    counted: Counter[str]
    """The product's own metrics."""
    tape: list[int] = field(repr=False)
    trace: list[str] = field(repr=False)


def simulate(tape: Tape, *, trace: bool = False) -> Outcome:
    """Run the product through what the tape has in store for it."""
    return Run(tape, trace=trace).outcome()


class Run:
    """One run."""

    steps_max = 400_000
    """More steps than any run needs that comes to rest."""

    def __init__(self, tape: Tape, *, trace: bool = False) -> None:
        schedule = Schedule(tape)
        self._storm_us = tape.between(2, 25) * 60 * US
        weather = Weather(tape, lambda: schedule.now_us, storm_us=self._storm_us)
        routes = _routes(tape)
        world = SimulatedWorld(
            tape,
            schedule,
            weather,
            self._note,
            routes=routes,
            attempts_max=tape.between(1, 3),
            active_jobs_max=tape.pick((10, 3)),
        )
        auditor = Auditor(
            now_us=lambda: schedule.now_us,
            now=world.clock,
            images=world.images.contents,
            truths=world.vnpay.truths,
        )
        answers = Answers(auditor.violate, jobs=auditor.books.jobs, payments=auditor.money.payments)
        models = tuple(dict.fromkeys(route.model for route in routes))
        self.parts = Parts(
            tape, schedule, weather, world, auditor, answers, [] if trace else None, models
        )
        self._counted: Counter[str] = Counter()
        self._streams: list[Stream] = []
        world.models.on_start = self._started
        world.bucket.on_put = auditor.stored
        world.listeners.on_said = self.parts.heard
        schedule.after_step = self._check

    def outcome(self) -> Outcome:
        """Let it happen."""
        parts = self.parts
        with installed(
            parts.world,
            counted=lambda name, value: self._counted.update({str(name): int(value)}),
            failed=self._failed,
        ):
            try:
                self.people()
                self.live()
            finally:
                parts.schedule.close()
        return Outcome(
            violation=parts.auditor.violation,
            steps=parts.schedule.steps,
            jobs=len(parts.auditor.books.jobs),
            happened=parts.weather.happened,
            counted=self._counted,
            tape=parts.tape.taken,
            trace=parts.trace or [],
        )

    def _note(self, text: str) -> None:
        self.parts.note(text)

    def _started(self, route: Route) -> None:
        self._note(f"starts {route.name}")
        self.parts.auditor.started(route)

    def people(self) -> None:
        """Everybody who acts."""
        parts, tape, weather = self.parts, self.parts.tape, self.parts.weather
        names = USERS[: tape.between(1, len(USERS))]
        people = [Person(name) for name in names]
        parts.answers.users = names
        for person in people:
            available = 40 if weather.crowded else tape.pick((40, 12, 3))
            parts.world.person(person.user_id, available=available)
        self._check()
        self.keepers(tape.between(1, 10))
        if "operates" in weather.on:
            parts.schedule.start("operator", Operator(parts).live)
        if "forges" in weather.on:
            Forger(parts)
        for person in people:
            others = [other for other in people if other is not person]
            for number in range(tape.between(1, 2)):
                tab = Tab(person, others, parts)
                parts.schedule.start(f"{person.user_id} {number}", tab.live)

    def keepers(self, pollers: int) -> None:
        """What runs by itself."""
        self._streams = [Stream(self.parts, "jobs"), Stream(self.parts, "users")]
        Pollers(self.parts, number=pollers)
        Sweeper(self.parts)

    def live(self) -> None:
        """The storm, the calm after it, and what an operator then mends."""
        parts = self.parts
        if parts.schedule.run(until_us=self._storm_us):
            return
        parts.weather.becalm()
        if self.comes_to_rest():
            self._check_rest(stalled_allowed=True)
            parts.world.models.poisonous = False
            parts.patient = parts.tape.choose(3) == 2
            if not parts.patient:
                parts.errand("operator", Decider(parts).decide_all)
            if self.comes_to_rest():
                self._check_rest(stalled_allowed=False)

    def comes_to_rest(self) -> bool:
        """Let time pass until nothing is left to happen; answers whether that came."""
        parts = self.parts
        schedule = parts.schedule
        limit_us = schedule.now_us + REST_SECONDS_MAX * US
        while not parts.at_rest():
            next_us = schedule.next_us()
            if next_us is None or next_us > limit_us:
                parts.auditor.violate("restless", parts.unrest())
                return False
            if schedule.run(until_us=max(next_us, schedule.now_us + 10 * US)):
                return False
        return True

    def _check_rest(self, *, stalled_allowed: bool) -> None:
        """What must be true when nothing is left to happen."""
        auditor = self.parts.auditor
        for job_id, job in auditor.books.jobs.items():
            status = str(job.status)
            if status in ("queued", "generating") or (status == "stalled" and not stalled_allowed):
                auditor.violate("lost", f"{job_id[:8]} is {status} for ever")
        for txn_ref in auditor.money.unpaid():
            auditor.violate("top-up", f"{txn_ref[:8]} is paid and never credited")

    def _check(self) -> bool:
        """Check what the last step has done; answers whether to stop."""
        parts = self.parts
        changes = parts.world.changes
        if changes:
            batch = changes.copy()
            changes.clear()
            parts.auditor.step(batch)
            for stream in self._streams:
                for change in batch:
                    stream.changed(change)
        if parts.schedule.steps > self.steps_max:
            parts.auditor.violate("restless", f"{self.steps_max} steps: {parts.unrest()}")
        return parts.auditor.violation is not None

    def _failed(self) -> None:
        """Something that the product did not expect was logged."""
        error = sys.exc_info()[1]
        if not isinstance(error, ImagifyError):
            self.parts.auditor.violate("bug", f"{type(error).__name__}: {error}")


def _routes(tape: Tape) -> tuple[Route, ...]:
    """One model, or two, or one in two regions, each at a rate of its own."""
    elsewhere = CORE.model_copy(update={"region": "us-east-1"})
    routes = tape.pick(((CORE,), (CORE, TITAN), (CORE, elsewhere)))
    return tuple(
        route.model_copy(update={"rate_per_second": tape.pick((2.0, 1.0, 4.0, 0.5))})
        for route in routes
    )
