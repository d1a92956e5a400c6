"""A model that is away: jobs wait it out, nothing is charged, and all succeed afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from common.credits import EntryKind
from common.errors import ContentRefused, ModelFailed, ModelRejected, ModelThrottled, ModelTimedOut
from common.jobs import JobStatus
from common.lines import FAILURES_MAX, REST_US, REST_US_MAX, US, Line
from common.routes import Route
from functions.worker.generate_image import OUTAGE_SECONDS_MAX, Again, Done
from tests.fakes import DELAY_SECONDS_MAX, Message
from tests.fakes_model import FakeModel
from tests.world import CORE, CORE_COST, World

EAST = Route(model=CORE.model, region="us-east-1")
HOUR = 3600
JOBS = 12
Broken = Callable[[], Exception]
BREAKS: dict[str, Broken] = {
    "failed": lambda: ModelFailed("It broke."),
    "timed out": lambda: ModelTimedOut("No answer."),
    "throttled": lambda: ModelThrottled("Too many.", retry_after_seconds=5),
}


class Away(FakeModel):
    """A model that breaks until a moment, in some regions or all, or on some prompts alone."""

    def __init__(self, broken: Broken = BREAKS["failed"]) -> None:
        super().__init__()
        self.world: World
        self.until: datetime
        self.broken = broken
        self.regions: set[str] = {CORE.region, EAST.region}
        self.prompt = ""
        self.broke: list[datetime] = []
        """When it broke."""

    def invoke(
        self, route: Route, body: Mapping[str, Any], *, wait: Callable[[], None]
    ) -> Mapping[str, Any]:
        def tell() -> None:
            wait()
            now = self.world.clock()
            away = now < self.until and route.region in self.regions
            if away and self.prompt in body["prompt"]:
                self.broke.append(now)
                raise self.broken()

        return super().invoke(route, body, wait=tell)


def away(model: Away, *, hours: float, routes: tuple[Route, ...] = (CORE,)) -> World:
    """A world whose model is away for so long from now on, and one person in it."""
    world = model.world = World(model=model, routes=routes, active_jobs_max=1000, alone=True)
    world.person(available=1000)
    model.until = world.clock() + timedelta(hours=hours)
    return world


def submit(world: World, *, jobs: int = JOBS) -> None:
    for number in range(jobs):
        world.submit(key=f"key-{number}")


def statuses(world: World) -> set[JobStatus]:
    return {job.status for job in world.tables.jobs.values()}


def work_until(world: World, moment: datetime, *, each: Callable[[], None]) -> None:
    """Deliver what there is to deliver, by workers beside each other, and sweep each minute."""
    swept = world.clock()
    while world.clock() < moment and not all(job.at_rest for job in world.tables.jobs.values()):
        if world.clock() - swept >= timedelta(minutes=1):
            swept = world.clock()
            world.mend()
        message = world.queue.receive()
        if message is None:
            world.clock.advance(1)
        else:
            assert message.receive_count <= world.worker_settings.attempts_max + 2, "a dead letter"
            world.work(message)
            each()


def test_a_last_call_that_leaves_the_route_out_of_order_says_nothing_of_the_job() -> None:
    world = World(model=FakeModel(*[BREAKS["failed"]() for _ in range(3)]), alone=True)
    world.lines._lines[CORE.name] = Line(failures=FAILURES_MAX - 3)
    job = world.submitted()
    world.work_once()

    assert not world.lines.read([CORE])[CORE.name].in_order
    assert world.job(job.job_id).attempts == 0


@pytest.mark.parametrize("name", BREAKS)
def test_jobs_wait_an_hours_outage_out_and_then_all_succeed(name: str) -> None:
    model = Away(BREAKS[name])
    world = away(model, hours=1)
    submit(world)

    def nothing_is_lost() -> None:
        assert statuses(world) == {JobStatus.QUEUED}
        assert set(world.kinds()) == {EntryKind.HOLD}

    work_until(world, model.until, each=nothing_is_lost)
    assert model.calls == []
    world.audit()
    work_until(world, model.until + timedelta(hours=1), each=lambda: None)
    assert statuses(world) == {JobStatus.SUCCEEDED}
    assert world.kinds().count(EntryKind.SETTLE) == len(model.calls) == JOBS
    assert world.dead_letters == []
    world.audit()


def test_the_queue_holds_one_message_a_job_after_hours_of_sweeps() -> None:
    model = Away()
    world = away(model, hours=4)
    submit(world)
    work_until(world, model.until, each=lambda: None)
    assert min(job.sendings for job in world.tables.jobs.values()) > 1, "they were sent again"
    world.clock.advance(DELAY_SECONDS_MAX)
    while world.queue.receive():
        continue
    waiting = Counter(message.job_id for message in world.queue._messages.values())
    assert waiting.keys() == world.tables.jobs.keys(), "each has one"
    assert waiting.total() <= 2 * JOBS, "and one that was sent last may be on its way to it"


def test_of_all_messages_of_a_job_only_the_one_that_has_just_tried_in_vain_comes_again() -> None:
    world = away(Away(), hours=24)
    job = world.submit()
    older = world.next_message()
    world.submit()
    later = world.next_message()
    world.lines._lines[CORE.name] = Line(failures=FAILURES_MAX, retry_us=world.clock.now_us())
    assert world.work(older) == Done()
    assert world.job(job.job_id).status is JobStatus.QUEUED
    assert world.work(later) == Done()
    (latest,) = world.queue._messages.values()
    assert latest.sending == world.job(job.job_id).sendings == 3


def test_a_model_that_is_away_is_tried_seldom() -> None:
    model = Away()
    world = away(model, hours=1)
    submit(world)
    work_until(world, model.until, each=lambda: None)
    assert len(model.broke) < FAILURES_MAX + HOUR / (REST_US / US) / 4
    rests = [(later - earlier).total_seconds() for earlier, later in pairwise(model.broke)]
    assert min(rests[FAILURES_MAX:]) >= REST_US / US
    assert max(rests) <= REST_US_MAX / US + 30, "and often enough to see that it is back"


def received(world: World, job_id: str) -> Message:
    """The job's message; others' that come before it are hidden for a while."""
    while (message := world.next_message()).job_id != job_id:
        continue
    return message


def test_a_job_submitted_during_an_outage_makes_no_call_of_its_own() -> None:
    model = Away()
    world = away(model, hours=1)
    submit(world, jobs=3)
    while world.lines.read([CORE])[CORE.name].in_order:
        world.work_once()
    broke = len(model.broke)
    late = world.submit(key="late")
    assert world.work(received(world, late.job_id)) == Done()
    assert len(model.broke) == broke
    assert world.job(late.job_id) == late, "nothing is written of it"
    assert world.queue.sent[-1] == late.job_id


@pytest.mark.parametrize("refused", [ContentRefused("No."), ModelRejected("Never.")])
def test_a_model_that_refuses_a_probe_works_again(refused: Exception) -> None:
    world = World(model=FakeModel(refused))
    world.person()
    job = world.submit()
    world.lines._lines[CORE.name] = Line(failures=FAILURES_MAX, retry_us=world.clock.now_us())
    assert world.work_once() == Done()
    assert world.job(job.job_id).status is JobStatus.FAILED
    assert world.lines.read([CORE])[CORE.name].in_order
    world.audit()


def test_a_failure_while_the_route_is_in_order_spends_the_attempt() -> None:
    model = Away()
    world = away(model, hours=1)
    job = world.submit()
    assert world.work_once() == Again(5)
    after = world.job(job.job_id)
    assert (after.status, after.attempts) == (JobStatus.QUEUED, 1)
    assert after.error is not None
    assert after.error.code == "model_failed"


def test_the_failure_that_puts_the_route_out_of_order_spends_none_and_is_told() -> None:
    model = Away()
    world = away(model, hours=1)
    first = world.submit()
    world.work_once()
    second = world.submit(key="key-2")
    world.work(received(world, second.job_id))
    after = world.job(second.job_id)
    assert not world.lines.read([CORE])[CORE.name].in_order
    assert (after.status, after.attempts) == (JobStatus.QUEUED, 0)
    assert after.error is not None, "its owner sees why it waits"
    assert after.error.code == "model_failed"
    assert world.job(first.job_id).attempts == 1


@pytest.mark.parametrize(("waited", "later"), [(0, 10), (39, 10), (2400, 600), (20 * HOUR, 900)])
def test_a_job_that_has_probed_in_vain_lets_others_try_before_it(waited: int, later: int) -> None:
    """It may be this job that breaks the model."""
    world = away(Away(), hours=24)
    job = world.submit()
    world.lines._lines[CORE.name] = Line(failures=FAILURES_MAX, retry_us=world.clock.now_us())
    world.clock.advance(waited)
    assert world.work_once() == Done()
    after = world.job(job.job_id)
    assert (after.status, after.attempts) == (JobStatus.QUEUED, 0)
    (message,) = world.queue._messages.values()
    wait = (message.visible_at - world.clock()).total_seconds()
    assert wait == pytest.approx(later, abs=1)


def test_a_job_that_breaks_its_model_among_others_that_work_stalls_alone() -> None:
    model = Away()
    world = away(model, hours=1000)
    model.prompt = "poison"
    poison = world.submit(key="poison", prompt="poison")
    submit(world)
    work_until(world, world.clock() + timedelta(hours=1), each=lambda: None)
    ended = world.job(poison.job_id)
    assert ended.status is JobStatus.STALLED
    assert world.kinds().count(EntryKind.SETTLE) == JOBS
    assert len(model.broke) <= 3 * world.worker_settings.attempts_max
    world.audit()


def test_a_job_that_is_alone_and_breaks_its_model_for_more_than_a_day_stalls() -> None:
    model = Away()
    world = away(model, hours=1000)
    job = world.submit()
    began = world.clock()
    while world.job(job.job_id).status is not JobStatus.STALLED:
        assert world.clock() - began < timedelta(hours=26), "it waits for ever"
        world.work_once()
    waited = (world.clock() - began).total_seconds()
    assert waited >= OUTAGE_SECONDS_MAX == 24 * HOUR
    stalled = world.job(job.job_id)
    assert stalled.attempts == world.worker_settings.attempts_max
    assert stalled.error is not None
    assert stalled.error.code == "model_failed"
    world.audit()


def test_a_job_goes_to_the_region_that_works_and_waits_for_nobody() -> None:
    model = Away()
    model.regions = {EAST.region}
    world = away(model, hours=1, routes=(EAST, CORE))
    submit(world)
    began = world.clock()
    work_until(world, began + timedelta(minutes=5), each=lambda: None)
    assert statuses(world) == {JobStatus.SUCCEEDED}
    assert {route for route, _body in model.calls} == {CORE}
    assert FAILURES_MAX <= len(model.broke) <= FAILURES_MAX + 5
    world.audit()


def test_both_regions_are_used_again_when_the_other_is_back() -> None:
    model = Away()
    model.regions = {EAST.region}
    world = away(model, hours=0.1, routes=(EAST, CORE))
    submit(world)
    work_until(world, model.until, each=lambda: None)
    world.clock.advance((model.until - world.clock()).total_seconds())
    for number in range(6):
        world.submit(key=f"late-{number}")
    work_until(world, model.until + timedelta(minutes=5), each=lambda: None)
    assert statuses(world) == {JobStatus.SUCCEEDED}
    lines = world.lines.read([EAST, CORE])
    assert all(line.in_order for line in lines.values())
    assert EAST in {route for route, _body in model.calls}


def test_an_outage_costs_its_users_nothing() -> None:
    model = Away()
    world = away(model, hours=3)
    submit(world)
    work_until(world, model.until - timedelta(minutes=1), each=lambda: None)
    balance = world.tables.users["usr_ann"].balance
    assert (balance.held, balance.active_jobs) == (JOBS * CORE_COST, JOBS)
    assert balance.available == 1000 - JOBS * CORE_COST
    world.audit()


def test_only_the_route_that_failed_last_says_whether_an_attempt_is_spent() -> None:
    """The first start fails and puts EAST out of order, the others have no image on CORE."""
    model = FakeModel(ModelFailed("It broke."), {"images": []}, {"images": []})
    world = World(model=model, routes=(EAST, CORE), alone=True)
    world.person()
    world.lines._lines[EAST.name] = Line(failures=FAILURES_MAX - 1)
    job = world.submit()
    world.work_once()
    assert [route for route, _body in model.calls] == [EAST, CORE, CORE]
    assert world.job(job.job_id).attempts == 1


def test_answers_without_an_image_are_failures_of_the_route() -> None:
    world = World(model=FakeModel(*[{"images": []}] * FAILURES_MAX), alone=True)
    job = world.submitted()
    while world.lines.read([CORE])[CORE.name].in_order:
        world.work_once()
    assert world.job(job.job_id).attempts == 1, "the last one says nothing of the job"
    assert world.work_until_terminal(job.job_id).status is JobStatus.SUCCEEDED
