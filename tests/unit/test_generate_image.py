"""One delivery of one job: what each way it can go means for job, credits and message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from common.credits import EntryKind
from common.errors import (
    ContentRefused,
    ImagifyError,
    ModelFailed,
    ModelRejected,
    ModelThrottled,
    ModelTimedOut,
    Permanent,
    ServiceFailed,
    Unavailable,
)
from common.jobs import Image, JobStatus, image_key
from common.models.spec import Size
from common.retries import redelivery_seconds
from common.routes import Route
from common.settings.worker import WorkerSettings
from functions.worker.generate_image import (
    PUT_OFF_SECONDS,
    Again,
    Delivery,
    Done,
    Outcome,
    generate_image,
)
from tests.fakes import START, MemoryImages
from tests.fakes_model import REFUSAL, FakeModel, png
from tests.fate import ProcessDied
from tests.world import CORE, CORE_COST, CREDITS, TITAN, ULTRA, World

HOLD, SETTLE, RELEASE = EntryKind.HOLD, EntryKind.SETTLE, EntryKind.RELEASE


@dataclass(frozen=True)
class Meant:
    """What one delivery leaves behind."""

    status: JobStatus
    attempts: int
    kinds: list[EntryKind]
    outcome: Outcome
    calls: int
    sent: int = 0
    """Messages sent for later."""


OUTCOMES: dict[str, tuple[list[Mapping[str, Any] | Exception], Meant]] = {
    "image": (
        [],
        Meant(JobStatus.SUCCEEDED, 1, [HOLD, SETTLE], Done(), calls=1),
    ),
    "refusal": (
        [REFUSAL],
        Meant(JobStatus.FAILED, 1, [HOLD, RELEASE], Done(), calls=1),
    ),
    "content refused": (
        [ContentRefused("No.")],
        Meant(JobStatus.FAILED, 1, [HOLD, RELEASE], Done(), calls=1),
    ),
    "rejected": (
        [ModelRejected("No such model.")],
        Meant(JobStatus.FAILED, 1, [HOLD, RELEASE], Done(), calls=1),
    ),
    "failed once": (
        [ModelFailed("It broke.")],
        Meant(JobStatus.SUCCEEDED, 1, [HOLD, SETTLE], Done(), calls=2),
    ),
    "failed three times": (
        [ModelFailed("It broke.")] * 3,
        Meant(JobStatus.QUEUED, 1, [HOLD], Again(5), calls=3),
    ),
    "no image in the answer": (
        [{"images": []}] * 3,
        Meant(JobStatus.QUEUED, 1, [HOLD], Again(5), calls=3),
    ),
    "timed out": (
        [ModelTimedOut("No answer.")],
        Meant(JobStatus.QUEUED, 1, [HOLD], Again(5), calls=1),
    ),
    "throttled once": (
        [ModelThrottled("Too many.", retry_after_seconds=5)],
        Meant(JobStatus.SUCCEEDED, 1, [HOLD, SETTLE], Done(), calls=2),
    ),
    "throttled three times": (
        [ModelThrottled("Too many.", retry_after_seconds=5)] * 3,
        Meant(JobStatus.QUEUED, 0, [HOLD], Done(), calls=3, sent=1),
    ),
}


@pytest.mark.parametrize("name", OUTCOMES)
def test_what_a_delivery_means(name: str) -> None:
    answers, meant = OUTCOMES[name]
    model = FakeModel(*answers)
    world = World(model=model)
    job = world.submitted()
    sent = len(world.queue.sent)
    outcome = world.work_once()
    after = world.job(job.job_id)
    found = Meant(
        after.status,
        after.attempts,
        world.kinds(),
        outcome,
        calls=len(model.calls),
        sent=len(world.queue.sent) - sent,
    )
    assert found == meant
    balance = world.tables.users["usr_ann"].balance
    assert balance.available == CREDITS - (0 if RELEASE in meant.kinds else CORE_COST)
    world.audit()


def errors(kind: type[ImagifyError]) -> list[type[ImagifyError]]:
    return [kind, *(lower for upper in kind.__subclasses__() for lower in errors(upper))]


def made(kind: type[ImagifyError]) -> ImagifyError:
    if issubclass(kind, Unavailable):
        return kind("Not now.", retry_after_seconds=7)
    return kind("Something.")


@pytest.mark.parametrize("kind", errors(Permanent))
def test_every_permanent_error_fails_the_job_and_gives_the_credits_back(
    kind: type[ImagifyError],
) -> None:
    model = FakeModel(made(kind))
    world = World(model=model)
    job = world.submitted()
    assert world.work_once() == Done()
    failed = world.job(job.job_id)
    assert failed.status is JobStatus.FAILED
    assert failed.error is not None
    assert failed.error.code == kind.code
    assert failed.finished_at is not None
    assert len(model.calls) == 1
    assert world.kinds() == [HOLD, RELEASE]
    world.audit()


def test_a_job_that_rests_between_two_attempts_knows_until_when() -> None:
    world = World(model=FakeModel(made(ModelTimedOut)))
    job = world.submitted()
    outcome = world.work_once()
    assert isinstance(outcome, Again)
    assert world.job(job.job_id).not_before == world.clock() + timedelta(seconds=outcome.seconds)


def others_succeed(world: World) -> None:
    """Jobs that work meanwhile: what fails then is the job and not its route."""
    world.lines.observe(CORE, place=0, latency_ms=4_000)


@pytest.mark.parametrize("kind", [ModelFailed, ModelTimedOut])
def test_every_failure_of_the_model_spends_an_attempt_and_stalls_the_job_at_last(
    kind: type[ImagifyError],
) -> None:
    world = World(model=FakeModel(*[made(kind)] * 9))
    job = world.submitted()
    outcomes = []
    for attempt in (1, 2, 3):
        outcomes.append(world.work_once())
        assert world.job(job.job_id).attempts == attempt
        others_succeed(world)
    assert outcomes == [Again(5), Again(25), Again(0)]
    stalled = world.job(job.job_id)
    assert stalled.status is JobStatus.STALLED
    assert stalled.error is not None
    assert stalled.error.code == kind.code
    assert world.kinds() == [HOLD]
    world.audit()


@pytest.mark.parametrize("kind", errors(Unavailable))
def test_no_unavailable_error_ever_spends_an_attempt(kind: type[ImagifyError]) -> None:
    world = World(model=FakeModel(*[made(kind) for _ in range(60)]))
    job = world.submitted()
    for _delivery in range(10):
        assert world.work_once() == Done()
        assert world.job(job.job_id).status is JobStatus.QUEUED
        assert world.job(job.job_id).attempts == 0
    assert world.kinds() == [HOLD]
    world.audit()


def test_a_message_that_was_delayed_comes_when_the_error_said() -> None:
    errors = [ModelThrottled("Too many.", retry_after_seconds=50) for _ in range(3)]
    world = World(model=FakeModel(*errors))
    job = world.submitted()
    world.work_once()
    asked = world.clock()
    world.work_once()
    assert (world.clock() - asked).total_seconds() == pytest.approx(50, abs=2)
    assert world.job(job.job_id).status is JobStatus.SUCCEEDED


def test_a_failed_attempt_rests_longer_each_time() -> None:
    assert [redelivery_seconds(attempts) for attempts in range(1, 6)] == [5, 25, 125, 300, 300]


def test_a_two_hour_outage_drains_by_itself_and_leaves_no_dead_letter() -> None:
    outage = [ModelThrottled("Too many.", retry_after_seconds=5) for _ in range(100_000)]
    model = FakeModel(*outage)
    world = World(model=model)
    job = world.submitted()
    began = world.clock()
    while (world.clock() - began).total_seconds() < 2 * 3600:
        world.work_once()
    model._answers.clear()
    assert world.work_until_terminal(job.job_id).status is JobStatus.SUCCEEDED
    assert world.dead_letters == []
    world.audit()


def test_a_terminal_job_is_left_alone() -> None:
    world = World()
    job = world.submitted()
    world.work_once()
    done = world.job(job.job_id)
    world.queue.send(job.job_id, job.user_id, sending=1)
    assert world.work_once() == Done()
    assert world.job(job.job_id) == done
    assert len(world.model.calls) == 1


def delivery_of(job_id: str, message_id: str = "message") -> Delivery:
    return Delivery(job_id=job_id, user_id="usr_ann", message_id=message_id, sent_at=START)


def test_a_message_for_no_job_is_a_bug() -> None:
    world = World()
    with pytest.raises(LookupError):
        generate_image(delivery_of("job_none"), world.worker_services())


def test_a_job_that_another_worker_has_waits_for_its_lease() -> None:
    world = World()
    job = world.submitted()
    message = world.next_message()
    world.fate.at = len(world.fate.calls) + 4
    with pytest.raises(ProcessDied, match=r"before models\.invoke"):
        world.work(message)
    claimed = world.job(job.job_id)
    world.queue.send(job.job_id, job.user_id, sending=1)
    asked = world.clock()
    assert world.work_once() == Done()
    assert world.job(job.job_id) == claimed
    assert world.work_once() == Done()
    assert world.job(job.job_id).status is JobStatus.SUCCEEDED
    waited = (world.clock() - asked).total_seconds()
    assert waited == pytest.approx(world.worker_settings.lease_seconds, abs=2)


class Meddling(FakeModel):
    """A model during whose call somebody else writes the job."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def invoke(
        self, route: Route, body: Mapping[str, Any], *, wait: Callable[[], None]
    ) -> Mapping[str, Any]:
        for job in self._world.tables.jobs.values():
            changed = replace(job, version=job.version + 1)
            self._world.tables.jobs[job.job_id] = changed
        return super().invoke(route, body, wait=wait)


def test_a_job_that_changed_under_the_worker_is_looked_at_again() -> None:
    world = World()
    job = world.submitted()
    world.model = Meddling(world)
    assert world.work_once() == Done()
    assert world.queue.sent == [job.job_id] * 2
    assert world.queue.receive() is None, "the new message is delayed"
    world.clock.advance(PUT_OFF_SECONDS)
    assert world.queue.receive() is not None
    assert world.job(job.job_id).status is JobStatus.GENERATING
    assert world.kinds() == [HOLD]
    world.audit()


class FullImages(MemoryImages):
    """A bucket that takes nothing for a while."""

    full = True

    def put(self, key: str, content: bytes, *, width: int, height: int) -> Image:
        if self.full:
            raise ServiceFailed("Storing an image did not work.")
        return super().put(key, content, width=width, height=height)


def test_a_job_whose_image_could_not_be_stored_is_tried_again_after_its_lease() -> None:
    """It is no failure of the model, and the image may be there: nobody else may have it yet."""
    world = World()
    job = world.submitted()
    images = world.images = FullImages()
    assert world.work_once() == Done()
    claimed = world.job(job.job_id)
    assert (claimed.status, claimed.attempts, claimed.error) == (JobStatus.GENERATING, 1, None)
    assert world.queue.sent == [job.job_id] * 2
    images.full = False
    began = world.clock()
    done = world.work_until_terminal(job.job_id)
    assert (done.status, done.attempts) == (JobStatus.SUCCEEDED, 2)
    waited = (world.clock() - began).total_seconds()
    assert waited == pytest.approx(world.worker_settings.lease_seconds, abs=2)
    assert world.dead_letters == []
    world.audit()


def test_the_stored_image_is_as_large_as_it_says() -> None:
    world = World(model=FakeModel(image=png(Size(640, 480))))
    job = world.work_until_terminal(world.submitted().job_id)
    assert job.image is not None
    assert (job.image.width, job.image.height) == (640, 480)
    assert job.image.key == image_key(job) == f"images/usr_ann/{job.job_id}.png"
    assert job.image.size_bytes == len(world.images.contents[job.image.key])


def test_a_job_goes_to_a_route_of_its_own_model() -> None:
    world = World(routes=(CORE, ULTRA))
    job = world.submitted(model=ULTRA.model)
    world.work_until_terminal(job.job_id)
    assert [route for route, _body in world.model.calls] == [ULTRA]


def test_a_job_whose_model_is_gone_fails_and_is_not_charged() -> None:
    world = World(routes=(CORE, TITAN))
    job = world.submitted(model=TITAN.model)
    without = {**world.worker_settings.model_dump(), "routes": (CORE,)}
    world.worker_settings = WorkerSettings.model_validate(without)
    done = world.work_until_terminal(job.job_id)
    assert done.status is JobStatus.FAILED
    assert done.error is not None
    assert done.error.code == "model_not_served"
    assert world.model.calls == []
    assert world.kinds() == [HOLD, RELEASE]


def test_fewer_attempts_in_the_settings_do_not_break_jobs_on_their_way() -> None:
    world = World(model=FakeModel(*[ModelTimedOut("No answer.")] * 2))
    job = world.submitted()
    world.work_once()
    world.work_once()
    lower = {**world.worker_settings.model_dump(), "attempts_max": 1}
    world.worker_settings = WorkerSettings.model_validate(lower)
    assert world.work_until_terminal(job.job_id).status is JobStatus.SUCCEEDED


def test_no_prompt_is_logged(written: Callable[[], str]) -> None:
    secret = "a portrait of my neighbour Gudrun"
    for answers, _meant in OUTCOMES.values():
        world = World(model=FakeModel(*answers))
        world.submitted(prompt=secret, negative_prompt=secret)
        world.work_once()
    logged = written()
    assert '"message":"succeeded"' in logged
    assert "Gudrun" not in logged
