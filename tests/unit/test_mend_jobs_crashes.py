"""A sweep that dies at any call: a later one finishes, and nothing is lost or doubled."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from common.acts import What
from common.credits import EntryKind
from common.jobs import LOOK_SECONDS, Job, JobStatus, image_key
from tests.fakes import MemoryActs
from tests.fate import ProcessDied
from tests.unit.test_mend_jobs import (
    HOUR,
    NOTHING,
    PATIENCE,
    RELEASED,
    SETTLED,
    leased,
    stalled,
    unsent,
)
from tests.world import CORE_COST, CREDITS, World

LOOKS = ["jobs.due", "jobs.due", "jobs.due", "jobs.count"]


def begin_unsent(world: World) -> Job:
    job = unsent(world)
    world.clock.advance(LOOK_SECONDS)
    return job


def begin_lapsed(world: World) -> Job:
    job = leased(world)
    world.clock.advance(LOOK_SECONDS)
    return job


def begin_given_up(world: World) -> Job:
    job = stalled(world)
    world.clock.advance(PATIENCE)
    return job


def begin_stored(world: World) -> Job:
    job = begin_given_up(world)
    world.images.put(image_key(job), b"an image", width=4, height=2)
    return job


STORIES: dict[str, tuple[Callable[[World], Job], JobStatus, list[What]]] = {
    "unsent": (begin_unsent, JobStatus.SUCCEEDED, []),
    "lapsed": (begin_lapsed, JobStatus.SUCCEEDED, []),
    "given up": (begin_given_up, JobStatus.FAILED, [What.DISCARDED]),
    "image stored": (begin_stored, JobStatus.SUCCEEDED, [What.REDRIVEN]),
}
"""What was there, where that ends, and what was decided about it."""


def about_to_mend(story: str) -> tuple[World, Job]:
    prepare, _ending, _acts = STORIES[story]
    world = World()
    world.person()
    job = prepare(world)
    world.fate.calls.clear()
    return world, job


def calls_in(story: str) -> list[str]:
    world, _job = about_to_mend(story)
    world.mend()
    return world.fate.calls


EACH = {
    "unsent": ["jobs.get", "jobs.save", "queue.send"],
    "lapsed": ["jobs.get", "jobs.save", "queue.send"],
    "given up": ["jobs.get", "jobs.get", "images.find", "jobs.save"],
    "image stored": [
        "jobs.get",
        "jobs.get",
        "images.find",
        "jobs.get",
        "jobs.save",
        "queue.send",
    ],
}
DEATHS = [
    pytest.param(story, place, after, id=f"{story}-{'after' if after else 'before'}-{place}")
    for story in STORIES
    for place in range(1, len(LOOKS) + len(EACH[story]) + 1)
    for after in (False, True)
]


@pytest.mark.parametrize("story", STORIES)
def test_a_sweep_makes_these_calls_for_a_job(story: str) -> None:
    """Each is a place to die at."""
    made = calls_in(story)
    assert [call for call in made if call in LOOKS] == LOOKS
    assert [call for call in made if call not in LOOKS] == EACH[story]


def finished(world: World, job: Job) -> Job:
    """Sweep and work until there is nothing left to do."""
    for _hour in range(3):
        world.clock.advance(HOUR)
        world.mend()
        while message := world.queue.receive():
            world.work(message)
    return world.job(job.job_id)


@pytest.mark.parametrize(("story", "place", "after"), DEATHS)
def test_a_sweep_that_dies_anywhere_is_finished_by_a_later_one(
    story: str, place: int, *, after: bool
) -> None:
    _prepare, ending, acts = STORIES[story]
    world, job = about_to_mend(story)
    images = len(world.model.calls)
    world.fate.at, world.fate.after = place, after
    with pytest.raises(ProcessDied):
        world.mend()
    world.fate.at = None
    world.audit()

    done = finished(world, job)

    world.audit()
    assert done.status is ending
    assert world.kinds() == (SETTLED if ending is JobStatus.SUCCEEDED else RELEASED)
    spent = CORE_COST if ending is JobStatus.SUCCEEDED else 0
    assert world.tables.users["usr_ann"].balance.available == CREDITS - spent
    told = MemoryActs(world.tables).of(job.job_id)
    assert [act.what for act in told] == acts, "each decision is told once"
    assert len(world.model.calls) - images == int(story in {"unsent", "lapsed"})
    assert world.mend() == NOTHING
    assert world.queue._messages == {}


@pytest.mark.parametrize("story", STORIES)
def test_a_decision_that_was_written_down_is_not_taken_again(story: str) -> None:
    world, job = about_to_mend(story)
    place = calls_in(story).index("jobs.save") + 1
    world.fate.at, world.fate.after = place, True
    with pytest.raises(ProcessDied):
        world.mend()
    world.fate.at = None
    written = world.job(job.job_id)
    assert written.version == job.version + 1
    assert world.mend() == NOTHING, "it is not its time again"
    assert world.job(job.job_id) == written
    assert EntryKind.SETTLE not in world.kinds()
