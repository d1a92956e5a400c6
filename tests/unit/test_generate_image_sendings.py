"""Of a job that was sent again only the latest message waits, however often it must."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from common.errors import ModelTimedOut
from common.jobs import JobStatus
from common.lines import FAILURES_MAX, US, Line
from common.routes import Route
from tests.fakes_model import FakeModel
from tests.world import CORE, World

AWAY_SECONDS = 3 * 3600


def away(world: World) -> None:
    """The model does not work, and nobody may try it for hours."""
    retry_us = world.clock.now_us() + AWAY_SECONDS * US
    world.lines._lines[CORE.name] = Line(failures=FAILURES_MAX, retry_us=retry_us)


def deliver_all(world: World) -> int:
    """Work on each message that is visible now; answers how many there were."""
    number = 0
    while message := world.queue.receive():
        world.work(message)
        number += 1
    return number


def test_messages_of_a_waiting_job_do_not_multiply_however_often_it_is_sent_again() -> None:
    world = World()
    job = world.submitted()
    away(world)
    for _minute in range(AWAY_SECONDS // 60 - 1):
        world.clock.advance(60)
        world.mend()
        deliver_all(world)
    sendings = world.job(job.job_id).sendings
    assert sendings > 5
    world.clock.advance(900)
    assert deliver_all(world) == 1
    world.clock.advance(900)
    assert world.work_until_terminal(job.job_id).status is JobStatus.SUCCEEDED
    world.audit()


@pytest.mark.parametrize(
    ("sending", "waits"), [(1, False), (2, True), (None, True)], ids=["older", "latest", "by hand"]
)
def test_only_the_latest_sending_or_one_that_does_not_say_waits(
    sending: int | None, *, waits: bool
) -> None:
    world = World()
    job = world.submitted()
    away(world)
    first = world.next_message()
    world.submit()
    world.next_message()

    before = len(world.queue.sent)
    world.work(replace(first, sending=sending))

    assert len(world.queue.sent) - before == int(waits)
    assert world.job(job.job_id).status is JobStatus.QUEUED


def test_an_older_sending_is_worked_on_like_any_when_it_need_not_wait() -> None:
    world = World()
    job = world.submitted()
    first = world.next_message()
    world.submit()
    world.work(first)
    assert world.job(job.job_id).status is JobStatus.SUCCEEDED


def test_an_older_sending_does_not_wait_for_the_one_that_is_worked_on() -> None:
    world = World()
    world.submitted()
    first = world.next_message()
    world.submit()
    second = world.next_message()
    during: list[int] = []

    class Interrupted(FakeModel):
        """A model during whose call the older message comes."""

        def invoke(
            self, route: Route, body: Mapping[str, Any], *, wait: Callable[[], None]
        ) -> Mapping[str, Any]:
            before = len(world.queue.sent)
            world.work(first)
            during.append(len(world.queue.sent) - before)
            return super().invoke(route, body, wait=wait)

    world.model = Interrupted()
    world.work(second)
    assert during == [0]


def test_a_redrive_in_the_queue_waits_whichever_sending_its_message_was_of() -> None:
    """The console sends the message that stalled it; the job may have been sent again since."""
    world = World(model=FakeModel(*[ModelTimedOut("No answer.")] * 3))
    job = world.submitted()
    first = world.next_message()
    world.submit()
    for _attempt in range(3):
        world.clock.advance(200)
        world.work(first)
    assert world.job(job.job_id).status is JobStatus.STALLED
    world.queue._messages.clear()
    away(world)
    world.clock.advance(1)
    world.queue.send(job.job_id, job.user_id, sending=1)

    world.work_once()
    assert world.job(job.job_id).status is JobStatus.STALLED
    assert world.next_message().sending == 2
    world.clock.advance(AWAY_SECONDS)
    assert world.work_until_terminal(job.job_id).status is JobStatus.SUCCEEDED
