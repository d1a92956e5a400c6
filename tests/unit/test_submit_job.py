"""Submitting: what is refused changes nothing, and what is repeated is the same job."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.api import SubmitRequest
from common.credits import BUSY_RETRY_AFTER_SECONDS, EntryKind, LedgerEntry
from common.errors import (
    InsufficientCredits,
    InvalidRequest,
    KeyReused,
    NotFound,
    ServiceFailed,
    TooManyActiveJobs,
)
from common.jobs import Job, JobStatus
from common.models.catalogue import find
from common.routes import Route
from functions.submit.submit_job import _fingerprint
from tests.fakes import MemoryJobStore, MemoryQueue
from tests.fate import ProcessDied
from tests.world import CORE, CORE_COST, CREDITS, TITAN, ULTRA, World

CALLS = ["jobs.open", "queue.send"]

REFUSED: dict[str, dict[str, Any]] = {
    "prompt_empty": {"prompt": ""},
    "prompt_too_long": {"prompt": "x" * 10_001},
    "prompt_unprintable": {"prompt": "a cat\x07"},
    "negative_prompt_empty": {"negative_prompt": " \n"},
    "negative_prompt_too_long": {"negative_prompt": "x" * 10_001},
    "unknown_model": {"model": "stability.unheard-of-v9:9"},
    "unknown_aspect_ratio": {"aspect_ratio": "4:20"},
    "seed_too_large": {"seed": 4_294_967_295},
}


def everything(world: World) -> tuple[object, ...]:
    """All that a submit could change."""
    tables = world.tables
    return dict(tables.jobs), dict(tables.users), dict(tables.ledger), list(world.queue.sent)


@pytest.mark.parametrize("code", REFUSED)
def test_bad_input_has_a_code_of_its_own_and_changes_nothing(code: str) -> None:
    world = World()
    world.person()
    before = everything(world)
    with pytest.raises(InvalidRequest) as refused:
        world.submit(**REFUSED[code])
    assert refused.value.code == code
    assert everything(world) == before


@pytest.mark.parametrize("prompt", [" ", "\t\n", "\u2003"])
def test_a_blank_prompt_is_an_empty_one(prompt: str) -> None:
    world = World()
    world.person()
    with pytest.raises(InvalidRequest) as refused:
        world.submit(prompt=prompt)
    assert refused.value.code == "prompt_empty"


@pytest.mark.parametrize(("chars", "fits"), [(512, True), (513, False)])
def test_a_prompt_is_measured_against_the_model_that_was_chosen(chars: int, *, fits: bool) -> None:
    world = World(routes=(CORE, TITAN))
    world.person()
    if fits:
        assert world.submit(prompt="x" * chars, model=TITAN.model)
        return
    with pytest.raises(InvalidRequest, match="512") as refused:
        world.submit(prompt="x" * chars, model=TITAN.model)
    assert refused.value.code == "prompt_too_long"
    assert world.submit(prompt="x" * chars), "the default model takes it"


def test_a_model_that_no_route_serves_is_unknown_here() -> None:
    world = World(routes=(CORE,))
    world.person()
    with pytest.raises(InvalidRequest, match=CORE.model) as refused:
        world.submit(model=ULTRA.model)
    assert refused.value.code == "unknown_model"


def test_too_little_credit_changes_nothing() -> None:
    world = World()
    world.person(available=CORE_COST - 1)
    before = everything(world)
    with pytest.raises(InsufficientCredits):
        world.submit()
    assert everything(world) == before


def test_one_job_too_many_changes_nothing_until_another_has_ended() -> None:
    world = World(active_jobs_max=2)
    world.person()
    world.submit(key="1")
    world.submit(key="2")
    before = everything(world)
    with pytest.raises(TooManyActiveJobs) as refused:
        world.submit(key="3")
    assert refused.value.retry_after_seconds == BUSY_RETRY_AFTER_SECONDS
    assert everything(world) == before
    world.work_once()
    assert world.submit(key="3").status is JobStatus.QUEUED
    world.audit()


def test_a_user_who_is_not_there_can_hold_nothing() -> None:
    world = World()
    with pytest.raises(NotFound) as refused:
        world.submit("usr_nobody")
    assert refused.value.code == "unknown_user"


def test_a_submit_holds_the_price_and_enqueues_the_job_in_two_calls() -> None:
    world = World()
    job = world.submitted()
    assert world.fate.calls == CALLS
    assert (job.status, job.attempts, job.version) == (JobStatus.QUEUED, 0, 1)
    assert job.cost == CORE_COST
    assert world.queue.sent == [job.job_id]
    assert world.kinds() == [EntryKind.HOLD]
    balance = world.tables.users["usr_ann"].balance
    assert (balance.available, balance.held) == (CREDITS - CORE_COST, CORE_COST)
    world.audit()


def test_a_job_that_nobody_works_on_is_looked_at_five_minutes_later() -> None:
    job = World().submitted()
    assert job.look_at == job.created_at + timedelta(minutes=5)


def test_an_earlier_image_is_allowed_only_by_who_says_so() -> None:
    world = World()
    job = world.submitted()
    assert not job.allow_cached
    again = world.submit(allow_cached=False)
    assert again.job_id == job.job_id, "it says what its absence says"
    with pytest.raises(KeyReused):
        world.submit(allow_cached=True)
    allowing = world.submit(key="key-2", allow_cached=True)
    assert world.job(allowing.job_id).allow_cached
    with pytest.raises(KeyReused):
        world.submit(key="key-2")


def test_the_first_route_is_the_default_model() -> None:
    world = World(routes=(ULTRA, CORE))
    job = world.submitted()
    spec = find(ULTRA.model)
    assert spec is not None
    assert (job.request.model, job.cost) == (ULTRA.model, spec.cost_credits)


def test_what_was_asked_is_what_is_kept() -> None:
    job = World(routes=(CORE, ULTRA)).submitted(
        prompt="  a cat  ",
        negative_prompt="dogs",
        aspect_ratio="16:9",
        seed=7,
        model=ULTRA.model,
    )
    asked = job.request
    assert (asked.prompt, asked.negative_prompt) == ("  a cat  ", "dogs")
    assert (asked.aspect_ratio, asked.seed, asked.model) == ("16:9", 7, ULTRA.model)


@pytest.mark.parametrize("route", [CORE, ULTRA, TITAN])
def test_a_job_without_a_seed_gets_one_of_its_own(route: Route) -> None:
    world = World(routes=(route,))
    world.person()
    spec = find(route.model)
    assert spec is not None
    seeds = {world.submit(key=f"key-{number}").request.seed for number in range(6)}
    assert len(seeds) == 6
    assert all(seed is not None and 0 < seed <= spec.seed_max for seed in seeds)
    assert world.submit(key="key-0").request.seed in seeds


def test_the_same_again_is_the_same_job_and_one_hold() -> None:
    world = World()
    job = world.submitted()
    for _again in range(3):
        assert world.submit().job_id == job.job_id
    assert len(world.tables.jobs) == 1
    assert world.kinds() == [EntryKind.HOLD]
    world.audit()


def test_the_same_a_thousand_times_sends_the_job_once_more_and_then_leaves_it_to_the_sweep() -> (
    None
):
    world = World()
    job = world.submitted()
    for _again in range(1000):
        world.submit()
    assert world.queue.sent == [job.job_id] * 2
    assert world.job(job.job_id).sendings == 2


def test_the_same_again_while_somebody_else_sees_to_the_job_says_what_became_of_it() -> None:
    world = World()
    job = world.submitted()

    class Claiming(MemoryJobStore):
        """A store in which a worker is quicker with the job."""

        def open(self, job: Job, hold: LedgerEntry, *, active_jobs_max: int) -> Job:
            there = super().open(job, hold, active_jobs_max=active_jobs_max)
            world.work_once()
            return there

    world.jobs = Claiming(world.tables)
    assert world.submit().status is JobStatus.SUCCEEDED
    assert world.queue.sent == [job.job_id]
    world.audit()


def test_the_same_again_is_the_same_job_however_late_and_whatever_became_of_it() -> None:
    world = World()
    job = world.submitted()
    done = world.work_until_terminal(job.job_id)
    sent = list(world.queue.sent)
    world.clock.advance(400 * 24 * 3600)
    assert world.submit() == done
    assert world.queue.sent == sent, "a finished job is not sent again"
    world.audit()


def test_the_same_again_is_given_to_a_user_who_has_spent_everything() -> None:
    world = World()
    world.person(available=CORE_COST)
    job = world.submit()
    assert world.submit().job_id == job.job_id


def test_the_same_again_is_given_to_a_user_with_as_many_jobs_as_there_may_be() -> None:
    world = World(active_jobs_max=1)
    job = world.submitted()
    assert world.submit().job_id == job.job_id


def test_a_key_with_another_request_is_refused_and_changes_nothing() -> None:
    world = World()
    world.submitted()
    before = everything(world)
    for other in ({"prompt": "another"}, {"seed": 1}, {"aspect_ratio": "16:9"}):
        with pytest.raises(KeyReused):
            world.submit(**other)
    assert everything(world) == before


def test_two_users_may_use_the_same_key() -> None:
    world = World()
    world.person("usr_ann")
    world.person("usr_ben")
    ann, ben = world.submit("usr_ann"), world.submit("usr_ben")
    assert ann.job_id != ben.job_id
    assert (ann.user_id, ben.user_id) == ("usr_ann", "usr_ben")
    assert world.kinds("usr_ann") == world.kinds("usr_ben") == [EntryKind.HOLD]
    world.audit()


def test_a_default_that_is_said_is_the_default_that_is_not() -> None:
    world = World()
    job = world.submitted()
    again = world.submit(aspect_ratio="1:1", negative_prompt=None, seed=None, model=None)
    assert again.job_id == job.job_id


def test_a_repeated_submit_survives_another_default_model() -> None:
    world = World(routes=(CORE, ULTRA))
    job = world.submitted()
    turned = {**world.submit_settings.model_dump(), "routes": (ULTRA, CORE)}
    world.submit_settings = type(world.submit_settings).model_validate(turned)
    assert world.submit().job_id == job.job_id


def test_a_repeated_submit_survives_the_end_of_its_model() -> None:
    world = World(routes=(CORE, ULTRA))
    job = world.submitted(model=ULTRA.model)
    world.submit_settings = world.submit_settings.model_copy(update={"routes": (CORE,)})
    assert world.submit(model=ULTRA.model).job_id == job.job_id
    with pytest.raises(KeyReused):
        world.submit(model="another model that is not there")


class NextYearsRequest(SubmitRequest):
    """The same body, when the API has grown."""

    allow_cached: bool = False


@given(prompt=st.text(min_size=1), seed=st.none() | st.integers(0, 2**40))
def test_a_body_of_today_reads_the_same_when_the_api_has_grown(
    prompt: str, seed: int | None
) -> None:
    today = SubmitRequest(prompt=prompt, seed=seed)
    assert _fingerprint(NextYearsRequest(prompt=prompt, seed=seed)) == _fingerprint(today)
    wanted = NextYearsRequest(prompt=prompt, seed=seed, allow_cached=True)
    assert _fingerprint(wanted) != _fingerprint(today)


class BrokenQueue(MemoryQueue):
    """A queue that takes nothing."""

    def send(self, *_message: object, **_how: object) -> None:
        raise ServiceFailed("Sending a job did not work.")


def test_a_send_that_fails_is_not_the_users_to_know(written: Callable[[], str]) -> None:
    world = World()
    queue, world.queue = world.queue, BrokenQueue(world.clock)
    job = world.submitted()
    assert job.status is JobStatus.QUEUED
    assert job.job_id in written()
    world.queue = queue
    assert world.submit().job_id == job.job_id
    assert queue.sent == [job.job_id], "the same again sends what was not sent"
    world.audit()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("place", range(1, len(CALLS) + 1))
def test_a_submit_that_dies_anywhere_is_finished_by_the_same_again(
    place: int, *, after: bool
) -> None:
    world = World()
    world.person()
    world.fate.at, world.fate.after = place, after
    with pytest.raises(ProcessDied):
        world.submit()
    world.audit()
    job = world.submit()
    assert world.work_until_terminal(job.job_id).status is JobStatus.SUCCEEDED
    assert len(world.tables.jobs) == len(world.model.calls) == 1
    assert world.kinds() == [EntryKind.HOLD, EntryKind.SETTLE]
    world.audit()
