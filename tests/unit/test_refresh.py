"""The answer to a refresh: everything that the client must know, and of nobody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from common.api import balance_view
from common.errors import ModelTimedOut, ServiceFailed
from common.feed import ACTIVE_SHOWN_MAX, Socket
from common.jobs import Job
from functions.feed.refresh import refresh
from tests.fakes import MemoryJobStore, MemoryUserStore
from tests.fakes_model import FakeModel
from tests.world import CORE_COST, CREDITS, World


@pytest.fixture
def world() -> World:
    world = World()
    world.person("usr_ann")
    world.person("usr_ben")
    opened(world, "c1")
    return world


def opened(world: World, connection_id: str, user_id: str = "usr_ann") -> None:
    now = world.clock()
    world.connections.add(Socket(connection_id=connection_id, user_id=user_id, opened_at=now))


def refreshed(world: World, connection_id: str = "c1") -> list[dict[str, Any]]:
    """What is said on the socket."""
    refresh(connection_id, world.feed_services())
    return world.wire.said.pop(connection_id, [])


def test_a_user_who_waits_for_nothing_hears_the_balance_and_that_this_was_all(
    world: World,
) -> None:
    assert refreshed(world) == [
        {"type": "balance", "balance": {"available": CREDITS, "held": 0}},
        {"type": "refreshed", "active": []},
    ]


def test_each_active_job_is_shown_the_newest_first(world: World) -> None:
    first = world.submit(key="1")
    world.clock.advance(1)
    second = world.submit(key="2")
    said = refreshed(world)
    assert [message["type"] for message in said] == ["job", "job", "balance", "refreshed"]
    snapshots = world.snapshots()
    for message, job in zip(said, (second, first), strict=False):
        assert message["job"] == snapshots.of(job).model_dump(mode="json")
    assert [message["job"]["queue"]["position"] for message in said[:2]] == [2, 1]
    assert said[-1] == {"type": "refreshed", "active": [second.job_id, first.job_id]}
    assert said[-2]["balance"] == {"available": CREDITS - 2 * CORE_COST, "held": 2 * CORE_COST}


def test_what_is_over_is_not_shown_and_not_active(world: World) -> None:
    done = world.work_until_terminal(world.submit(key="1").job_id)
    waits = world.submit(key="2")
    said = refreshed(world)
    assert [message["job"]["job_id"] for message in said if message["type"] == "job"] == [
        waits.job_id
    ]
    assert said[-1]["active"] == [waits.job_id]
    assert done.job_id not in str(said)


def test_a_stalled_job_is_active(world: World) -> None:
    world.model = FakeModel(*[ModelTimedOut("No answer.")] * 3)
    job = world.submit()
    for _attempt in range(3):
        world.work_once()
    said = refreshed(world)
    assert said[0]["job"]["status"] == "stalled"
    assert said[-1]["active"] == [job.job_id]


def test_nobody_hears_of_anothers_jobs_or_balance(world: World) -> None:
    theirs = world.submit("usr_ben")
    said = refreshed(world)
    assert theirs.job_id not in str(said)
    assert said == [
        {"type": "balance", "balance": {"available": CREDITS, "held": 0}},
        {"type": "refreshed", "active": []},
    ]


def test_only_who_asked_is_answered(world: World) -> None:
    opened(world, "c2")
    world.submit()
    refresh("c1", world.feed_services())
    assert set(world.wire.said) == {"c1"}


def test_of_very_many_jobs_the_newest_are_shown(world: World) -> None:
    world.submit_settings = world.submit_settings.model_copy(update={"active_jobs_max": 100})
    world.person("usr_rich", available=1000)
    opened(world, "c9", "usr_rich")
    jobs: list[Job] = []
    for number in range(ACTIVE_SHOWN_MAX + 2):
        jobs.append(world.submit("usr_rich", key=f"key-{number}"))
        world.clock.advance(1)
    said = refreshed(world, "c9")
    newest = [job.job_id for job in jobs[:1:-1]]
    assert said[-1]["active"] == newest
    assert [message["job"]["job_id"] for message in said[:-2]] == newest


def test_a_user_who_has_never_signed_in_has_no_balance(world: World) -> None:
    opened(world, "c9", "usr_new")
    assert refreshed(world, "c9") == [{"type": "refreshed", "active": []}]


def test_an_unknown_socket_is_closed_and_told_nothing(world: World) -> None:
    world.submit()
    assert refreshed(world, "unknown") == []
    assert world.wire.closed == ["unknown"]
    assert world.connections.get("c1") is not None


def test_a_socket_that_goes_meanwhile_is_forgotten(
    world: World, written: Callable[[], str]
) -> None:
    world.wire.gone.add("c1")
    assert refreshed(world) == []
    assert world.connections.get("c1") is None
    assert world.wire.closed == []
    assert "SocketsGone" not in written(), "metrics are written by the handler"


def test_a_socket_that_takes_nothing_now_is_left_and_asks_again(
    world: World, written: Callable[[], str]
) -> None:
    world.wire.stuck.add("c1")
    assert refreshed(world) == []
    assert world.connections.get("c1") is not None
    assert "a push was not taken" in written()


class BrokenJobs(MemoryJobStore):
    def active(self, user_id: str, *, limit: int) -> tuple[Job, ...]:
        raise ServiceFailed(f"Listing {limit} jobs of {user_id} did not work.")


class BrokenUsers(MemoryUserStore):
    def get(self, user_id: str) -> None:
        raise ServiceFailed(f"Reading {user_id} did not work.")


@pytest.mark.parametrize("broken", ["jobs", "users"])
def test_a_refresh_that_cannot_be_whole_is_never_said_to_be(world: World, broken: str) -> None:
    """Without `refreshed` the client knows that it has not heard everything."""
    world.submit()
    if broken == "jobs":
        world.jobs = BrokenJobs(world.tables)
    else:
        world.users = BrokenUsers(world.tables)
    said = refreshed(world)
    assert "refreshed" not in {message["type"] for message in said}
    assert world.connections.get("c1") is not None


def test_the_balance_is_the_one_that_the_api_tells(world: World) -> None:
    balance = world.tables.users["usr_ann"].balance
    assert refreshed(world)[0]["balance"] == balance_view(balance).model_dump()
