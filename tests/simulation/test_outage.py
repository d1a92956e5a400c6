"""An hour without the model, through the real handlers: what it costs, and how it ends."""

from __future__ import annotations

from bisect import bisect_left

from common.jobs import JobStatus
from common.lines import REST_US_MAX
from common.routes import Route
from common.sizing import worker_concurrency
from tests.simulation.audited_answers import Answers
from tests.simulation.auditor import Auditor
from tests.simulation.keepers import Pollers, Sweeper
from tests.simulation.run_parts import Parts
from tests.simulation.schedule import US, Schedule
from tests.simulation.service import SimulatedWorld, installed
from tests.simulation.tape import Tape
from tests.simulation.weather import Outage, Weather
from tests.world import CORE, CORE_COST

JOBS = 140
RATE = int(CORE.rate_per_second)
BEGINS_US, ENDS_US = 20 * US, 3620 * US
REST_US_LIMIT = ENDS_US + 3600 * US


class Hour:
    """So many jobs at once on as many workers as the stack has, and then an outage of an hour."""

    def __init__(self) -> None:
        tape = Tape()
        schedule = Schedule(tape)
        weather = Weather(tape, lambda: schedule.now_us, storm_us=ENDS_US)
        weather.outages = [Outage("models", BEGINS_US, ENDS_US)]
        self.world = SimulatedWorld(
            tape,
            schedule,
            weather,
            lambda _text: None,
            routes=(CORE,),
            attempts_max=3,
            active_jobs_max=JOBS,
        )
        self.auditor = Auditor(
            now_us=lambda: schedule.now_us,
            now=self.world.clock,
            images=self.world.images.contents,
            truths=self.world.vnpay.truths,
        )
        answers = Answers(
            self.auditor.violate,
            jobs=self.auditor.books.jobs,
            payments=self.auditor.money.payments,
        )
        self._parts = Parts(
            tape, schedule, weather, self.world, self.auditor, answers, None, (CORE.model,)
        )
        self.starts_us: list[int] = []
        """When the model was called."""
        self.world.models.on_start = self._started
        self.world.bucket.on_put = self.auditor.stored
        schedule.after_step = self._check

    def live(self) -> None:
        """Submit, and let time pass until nothing is left to happen."""
        parts = self._parts
        with installed(self.world, counted=lambda _name, _value: None, failed=self._failed):
            try:
                self.world.person(available=JOBS * CORE_COST)
                parts.errand("ann", self._submit)
                Pollers(parts, number=worker_concurrency((CORE,)))
                Sweeper(parts)
                while not parts.at_rest() and parts.schedule.now_us < REST_US_LIMIT:
                    assert not parts.schedule.run(until_us=parts.schedule.now_us + 60 * US)
            finally:
                parts.schedule.close()

    def _submit(self) -> None:
        for number in range(JOBS):
            self.world.submit(key=f"key-{number}")

    def _started(self, route: Route) -> None:
        self.starts_us.append(self._parts.schedule.now_us)
        self.auditor.started(route)

    def _check(self) -> bool:
        changes = self.world.changes.copy()
        self.world.changes.clear()
        self.auditor.step(changes)
        return self.auditor.violation is not None

    def _failed(self) -> None:
        self.auditor.violate("bug", "something unexpected was logged")


def test_an_hour_without_the_model_costs_nothing_and_drains_at_the_rate() -> None:
    hour = Hour()
    hour.live()

    assert hour.auditor.violation is None
    jobs = hour.world.tables.jobs.values()
    assert {job.status for job in jobs} == {JobStatus.SUCCEEDED}
    assert hour.world.sqs.dead == []
    during = [at for at in hour.starts_us if BEGINS_US <= at < ENDS_US]
    after = [at for at in hour.starts_us if at >= ENDS_US]
    assert len(during) < 100, "a few until it was known, and one probe every two minutes"
    assert after[0] - ENDS_US <= REST_US_MAX + 2 * US
    assert after[1] - after[0] < 30 * US, "those who waited come soon after the probe"
    assert most_in_a_second(after) <= RATE
    # The jobs of probes that failed look again last.
    drain = after[1 : len(after) * 19 // 20]
    assert len(drain) > JOBS / 2
    assert (len(drain) - 1) * US / RATE / (drain[-1] - drain[0]) >= 0.98


def most_in_a_second(starts_us: list[int]) -> int:
    """The most starts in any rolling second."""
    return max(
        place - bisect_left(starts_us, at - US + 1) + 1 for place, at in enumerate(starts_us)
    )
