"""What the owner of a job is told of its wait: place, time until the image, and how far it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import ServiceFailed
from common.jobs import TERMINAL, ImageRequest, Job, JobStatus, Place, Waiting
from common.latency import MEDIAN_OF_P95, observed
from common.lines import UNSLOWED, US, Line, interval_us
from common.outlook import FRESH_SECONDS, Forecaster, InLine, Outlook, Underway, due_in_seconds
from common.pacing import READY_US
from common.routes import Route
from common.sizing import worker_concurrency
from tests.fakes import START, ManualClock, MemoryLines

CORE = Route(model="core", region="us-west-2", rate_per_second=2, p95_seconds=10)
EAST = Route(model="core", region="us-east-1", rate_per_second=0.7, p95_seconds=14)
TITAN = Route(model="titan", region="us-east-1", rate_per_second=1, p95_seconds=20)
USUAL = MEDIAN_OF_P95 * CORE.p95_seconds
"""What a call of CORE is taken to last while none was seen."""
READY = READY_US / US
NOW_US = int(START.timestamp() * US)


class WaitingRoom:
    """The jobs that wait, and how often that is asked."""

    def __init__(self, *jobs: Job) -> None:
        self.jobs = list(jobs)
        self.complete = True
        self.asked: list[str] = []
        self.outage = False

    def waiting(self, model: str) -> Waiting:
        self.asked.append(model)
        if self.outage:
            raise ServiceFailed("Reading who waits did not work.")
        places: list[Place] = [
            (job.created_at, job.job_id)
            for job in self.jobs
            if job.request.model == model and job.status is JobStatus.QUEUED
        ]
        return Waiting(tuple(sorted(places)), complete=self.complete)


class BrokenLines(MemoryLines):
    """Lines that cannot be read."""

    def read(self, routes: Sequence[Route]) -> Mapping[str, Line]:
        raise ServiceFailed(f"Reading {len(routes)} lines did not work.")


class Here:
    """A forecaster and what it goes by."""

    def __init__(self, *jobs: Job, routes: Sequence[Route] = (CORE, TITAN)) -> None:
        self.clock = ManualClock()
        self.lines = MemoryLines()
        self.waiting = WaitingRoom(*jobs)
        self.routes = routes
        self.forecaster = self.made()

    def made(self) -> Forecaster:
        return Forecaster(
            self.lines,
            self.waiting,
            routes=self.routes,
            workers=worker_concurrency(self.routes),
            now=self.clock,
        )

    def told(self, job: Job) -> Outlook:
        return self.forecaster.outlook(job)

    def in_line(self, job: Job) -> InLine:
        told = self.told(job)
        assert isinstance(told, InLine)
        return told

    def underway(self, job: Job) -> Underway:
        told = self.told(job)
        assert isinstance(told, Underway)
        return told


def a_job(job_id: str, second: float = 0, *, model: str = "core") -> Job:
    return Job(
        job_id=job_id,
        user_id=f"usr_{job_id}",
        request=ImageRequest(prompt="a fox", model=model, aspect_ratio="1:1"),
        fingerprint="f",
        cost=2,
        created_at=START + timedelta(seconds=second),
    )


def started(job: Job, ago_seconds: float) -> Job:
    """The job, generating, its model's call begun so long ago."""
    return replace(
        job,
        status=JobStatus.GENERATING,
        starts_at=START - timedelta(seconds=ago_seconds),
    )


def test_a_position_counts_the_older_queued_jobs_of_the_same_model() -> None:
    first, second, third = a_job("c", 1), a_job("b", 2), a_job("a", 3)
    working = started(a_job("d", 0), 1)
    other = a_job("e", 0, model="titan")
    here = Here(third, other, second, working, first)
    positions = [here.in_line(job).position for job in (first, second, third, other)]
    assert positions == [1, 2, 3, 1]


def test_of_the_same_moment_the_id_tells_who_is_next() -> None:
    jobs = [a_job(name) for name in "abc"]
    here = Here(*jobs[::-1])
    assert [here.in_line(job).position for job in jobs] == [1, 2, 3]


def test_a_job_that_the_index_does_not_know_yet_has_its_place_already() -> None:
    older, newer = a_job("a", 1), a_job("b", 3)
    here = Here(older, newer)
    assert here.in_line(a_job("new", 2)).position == 2
    assert here.in_line(a_job("newest", 4)).position == 3


def test_the_next_job_is_due_when_a_call_has_lasted_from_the_next_slot() -> None:
    job = a_job("a")
    told = Here(job).in_line(job)
    assert told.position == 1
    assert told.eta_seconds == pytest.approx(READY + USUAL)


def test_each_job_ahead_takes_a_slot() -> None:
    jobs = [a_job(f"{number:02}") for number in range(12)]
    here = Here(*jobs)
    interval = interval_us(CORE, UNSLOWED) / US
    for ahead, job in enumerate(jobs):
        assert here.in_line(job).eta_seconds == pytest.approx(READY + ahead * interval + USUAL)


def test_a_busy_line_is_waited_for() -> None:
    job = a_job("a")
    here = Here(job)
    for _slot in range(10):
        here.lines.take(CORE, earliest_us=NOW_US, latest_us=NOW_US + 3600 * US)
    busy = 10 * interval_us(CORE, UNSLOWED) / US
    assert here.in_line(job).eta_seconds == pytest.approx(busy + USUAL)


def test_a_line_that_has_stood_idle_starts_now_and_has_saved_nothing_up() -> None:
    jobs = [a_job("a"), a_job("b")]
    here = Here(*jobs)
    here.lines.take(CORE, earliest_us=NOW_US - 3600 * US, latest_us=NOW_US)
    interval = interval_us(CORE, UNSLOWED) / US
    assert here.in_line(jobs[0]).eta_seconds == pytest.approx(READY + USUAL)
    assert here.in_line(jobs[1]).eta_seconds == pytest.approx(READY + interval + USUAL)


def test_a_line_that_was_slowed_down_is_waited_for_longer() -> None:
    jobs = [a_job("a"), a_job("b")]
    here = Here(*jobs)
    seen = here.lines.read([CORE])[CORE.name]
    here.lines.adapt(CORE, seen=seen, wanted=replace(seen, slowdown_permille=4 * UNSLOWED))
    gap = here.in_line(jobs[1]).eta_seconds - here.in_line(jobs[0]).eta_seconds
    assert gap == pytest.approx(interval_us(CORE, 4 * UNSLOWED) / US)
    assert gap > 3 * interval_us(CORE, UNSLOWED) / US


def test_where_the_workers_are_short_jobs_wait_for_calls_to_end() -> None:
    """Calls that last far longer than the route says need more workers than there are."""
    jobs = [a_job(f"{number:03}") for number in range(100)]
    here = Here(*jobs, routes=(CORE,))
    for place in range(5):
        here.lines.observe(CORE, place=place, latency_ms=60_000)
    workers = worker_concurrency((CORE,))
    assert here.in_line(jobs[99]).eta_seconds == pytest.approx(99 * 60 / workers + 60)
    assert here.in_line(jobs[0]).eta_seconds == pytest.approx(READY + 60)


def test_the_latencies_that_were_seen_count_for_all_routes_of_the_model() -> None:
    job = a_job("a")
    here = Here(job, routes=(CORE, EAST, TITAN))
    here.lines.observe(CORE, place=0, latency_ms=3_000)
    here.lines.observe(EAST, place=0, latency_ms=5_000)
    here.lines.observe(TITAN, place=0, latency_ms=60_000)
    assert here.in_line(job).eta_seconds == pytest.approx(READY + 4)


def test_before_anything_was_seen_the_slower_route_is_what_is_promised() -> None:
    job = a_job("a")
    here = Here(job, routes=(CORE, EAST))
    assert here.in_line(job).eta_seconds == pytest.approx(READY + MEDIAN_OF_P95 * EAST.p95_seconds)


def greedy(ahead: int, routes: Sequence[Route], lines: Mapping[str, Line], now_us: int) -> int:
    """The slot of whoever comes after so many that each take the earliest one there is."""
    slots = {route.name: max(lines[route.name].next_us, now_us + READY_US) for route in routes}
    for _job in range(ahead):
        route = min(routes, key=lambda route: slots[route.name])
        slots[route.name] += interval_us(route, lines[route.name].slowdown_permille)
    return min(slots.values())


@st.composite
def roads(draw: st.DrawFn) -> tuple[list[Route], dict[str, Line]]:
    """Some routes of one model, and how their lines are."""
    regions = draw(
        st.lists(st.sampled_from(["us-west-2", "us-east-1", "eu-west-1"]), min_size=1, unique=True)
    )
    routes = [
        Route(model="core", region=region, rate_per_second=draw(st.floats(0.05, 20)))
        for region in regions
    ]
    lines = {
        route.name: Line(
            next_us=NOW_US + draw(st.integers(-100 * US, 100 * US)),
            slowdown_permille=draw(st.integers(UNSLOWED, 4 * UNSLOWED)),
        )
        for route in routes
    }
    return routes, lines


@given(roads(), st.integers(0, 60))
def test_a_job_is_due_from_the_slot_that_is_left_when_those_ahead_have_theirs(
    road: tuple[list[Route], dict[str, Line]], ahead: int
) -> None:
    routes, lines = road
    usual = MEDIAN_OF_P95 * routes[0].p95_seconds
    due = due_in_seconds(ahead, routes=routes, lines=lines, now=START, workers=10_000)
    slot_us = greedy(ahead, routes, lines, NOW_US)
    assert due == pytest.approx((slot_us - NOW_US) / US + usual, abs=1e-5)


def test_a_job_that_generates_is_as_far_as_calls_are_that_began_when_its_did() -> None:
    job = started(a_job("a"), 3)
    here = Here(job)
    for place, latency_ms in enumerate((5_000, 6_000, 9_000)):
        here.lines.observe(CORE, place=place, latency_ms=latency_ms)
    latency = observed((5_000, 6_000, 9_000), p95_seconds=10)
    assert here.underway(job) == Underway(latency.percent(3), 0, latency.left_seconds(3))
    assert 0 < here.underway(job).percent < 99


def test_a_job_whose_slot_is_to_come_has_not_begun() -> None:
    job = started(a_job("a"), -2)
    told = Here(job).underway(job)
    assert told.percent == 0
    assert told.starts_in_seconds == pytest.approx(2)
    assert told.eta_seconds == pytest.approx(2 + USUAL)


def test_a_job_that_has_begun_starts_no_more() -> None:
    job = started(a_job("a"), 2)
    assert Here(job).underway(job).starts_in_seconds == 0


def test_as_time_goes_by_a_job_comes_nearer() -> None:
    job = started(a_job("a"), 0)
    here = Here(job)
    percents = []
    for _half_second in range(20):
        percents.append(here.underway(job).percent)
        here.clock.advance(0.5)
    assert percents == sorted(percents)
    assert percents[0] == 0
    assert percents[-1] > 60


def test_of_a_call_whose_start_is_not_known_nothing_is_told() -> None:
    job = replace(started(a_job("a"), 1), starts_at=None)
    assert Here(job).told(job) is None


@pytest.mark.parametrize("status", sorted({*TERMINAL, JobStatus.STALLED}))
def test_nothing_is_told_of_what_nobody_works_on_and_nothing_is_read(status: JobStatus) -> None:
    job = replace(a_job("a"), status=status)
    here = Here(job)
    here.lines = BrokenLines()
    here.forecaster = here.made()
    assert here.told(job) is None
    assert here.waiting.asked == []


@pytest.mark.parametrize("make", [a_job, lambda name: started(a_job(name), 1)])
def test_a_model_that_no_route_serves_any_more_has_no_outlook(
    make: Callable[[str], Job],
) -> None:
    job = make("a")
    here = Here(job, routes=(TITAN,))
    assert here.told(job) is None
    assert here.waiting.asked == []


@pytest.mark.parametrize("broken", ["lines", "waiting"])
@pytest.mark.parametrize("make", [a_job, lambda name: started(a_job(name), 1)])
def test_where_something_cannot_be_read_nobody_knows_and_a_log_says_so(
    make: Callable[[str], Job], broken: str, written: Callable[[], str]
) -> None:
    job = make("a")
    here = Here(job)
    if broken == "lines":
        here.lines = BrokenLines()
        here.forecaster = here.made()
    else:
        here.waiting.outage = True
    assert here.told(job) is None
    logged = written()
    assert "no outlook" in logged
    assert "did not work" in logged
    here.waiting.outage = False
    here.lines = MemoryLines()
    here.forecaster = here.made()
    assert here.told(job) is not None


def test_starts_that_are_given_away_and_still_to_come_are_ahead_too() -> None:
    job = a_job("a")
    here = Here(job)
    assert here.in_line(job).position == 1
    for _claimed in range(3):
        here.lines.take(CORE, earliest_us=here.clock.now_us() + READY_US, latest_us=2**62)
    here.clock.advance(FRESH_SECONDS)
    interval = interval_us(CORE, UNSLOWED) / US
    assert here.in_line(job).position == 3, "the first of them has begun by now"
    here.clock.advance(interval)
    assert here.in_line(job).position == 2
    here.clock.advance(10 * interval)
    assert here.in_line(job).position == 1
    here.lines.take(CORE, earliest_us=here.clock.now_us(), latest_us=2**62)
    here.forecaster = here.made()
    assert here.in_line(job).position == 1, "that start comes this very moment"


@pytest.mark.parametrize(
    ("rest", "due"), [(25, 25 + USUAL), (0, READY + USUAL), (-9, READY + USUAL)]
)
def test_a_job_that_rests_after_a_failure_is_not_due_before_its_rest_is_over(
    rest: float, due: float
) -> None:
    job = replace(a_job("a"), not_before=START + timedelta(seconds=rest))
    assert Here(job).in_line(job).eta_seconds == pytest.approx(due)
