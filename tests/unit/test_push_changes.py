"""What has changed reaches the sockets of whoever it concerns, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from common.changes import BalanceChanged, Change, JobChanged
from common.credits import Balance
from common.errors import ServiceFailed
from common.feed import SOCKET_SECONDS_MAX, Socket
from common.jobs import Job
from functions.push import push_changes as pushing
from functions.push.push_changes import push_changes
from tests.fakes_feed import MemoryConnections
from tests.world import World

BALANCE = Balance(available=7, held=2, active_jobs=1)


@pytest.fixture
def world() -> World:
    world = World()
    for user_id in ("usr_ann", "usr_ben"):
        world.person(user_id)
    for connection_id in ("a1", "a2"):
        opened(world, connection_id, "usr_ann")
    opened(world, "b1", "usr_ben")
    return world


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is counted while changes are pushed."""
    names: list[str] = []
    monkeypatch.setattr(pushing, "count", lambda metric: names.append(metric.name))
    return names


def opened(world: World, connection_id: str, user_id: str) -> None:
    now = world.clock()
    world.connections.add(Socket(connection_id=connection_id, user_id=user_id, opened_at=now))


def pushed(world: World, *changes: Change) -> dict[str, list[dict[str, Any]]]:
    """What is said on each socket."""
    world.wire.said.clear()
    push_changes(changes, world.push_services())
    return dict(world.wire.said)


def changed(job: Job) -> JobChanged:
    return JobChanged(job)


def test_a_changed_job_is_told_on_all_sockets_of_its_user_as_it_is_now(world: World) -> None:
    job = world.submit()
    shown = world.snapshots().of(job).model_dump(mode="json")
    message = {"type": "job", "job": shown}
    assert pushed(world, changed(job)) == {"a1": [message], "a2": [message]}
    assert shown["queue"] == {"position": 1, "eta_seconds": 8}


def test_a_changed_balance_is_told_on_all_sockets_of_its_user(world: World) -> None:
    said = pushed(world, BalanceChanged("usr_ben", BALANCE))
    assert said == {"b1": [{"type": "balance", "balance": {"available": 7, "held": 2}}]}


def test_each_user_hears_of_their_own_alone(world: World) -> None:
    anns, bens = world.submit("usr_ann"), world.submit("usr_ben")
    said = pushed(world, changed(anns), changed(bens), BalanceChanged("usr_ben", BALANCE))
    assert [message["type"] for message in said["b1"]] == ["job", "balance"]
    for connection_id in ("a1", "a2"):
        assert [message["job"]["job_id"] for message in said[connection_id]] == [anns.job_id]
    assert anns.job_id not in str(said["b1"])


def test_of_several_changes_of_a_job_the_last_is_told_once(world: World) -> None:
    job = world.submit()
    changes = [changed(replace(job, version=version)) for version in (1, 2, 3)]
    said = pushed(world, *changes)
    assert [message["job"]["version"] for message in said["a1"]] == [3]


def test_of_several_changes_of_a_balance_the_last_is_told_once(world: World) -> None:
    changes = [BalanceChanged("usr_ann", replace(BALANCE, available=left)) for left in (9, 8, 7)]
    said = pushed(world, *changes)
    assert [message["balance"]["available"] for message in said["a1"]] == [7]


def test_changes_of_several_jobs_are_all_told_on_one_socket(world: World) -> None:
    jobs = [world.submit(key=key) for key in "123"]
    said = pushed(world, *map(changed, jobs))
    assert [message["job"]["job_id"] for message in said["a1"]] == [job.job_id for job in jobs]


def test_who_has_no_socket_costs_no_outlook(world: World) -> None:
    world.person("usr_eve")
    job = world.submit("usr_eve")
    world.fate.calls.clear()
    assert pushed(world, changed(job)) == {}
    assert world.fate.calls == ["sockets.of_user"]


def test_nothing_is_done_for_nothing(world: World) -> None:
    world.fate.calls.clear()
    assert pushed(world) == {}
    assert world.fate.calls == []


def test_a_users_sockets_are_read_once_for_all_changes(world: World) -> None:
    changes = [changed(world.submit(key=key)) for key in "123"]
    world.fate.calls.clear()
    pushed(world, *changes, BalanceChanged("usr_ann", BALANCE))
    assert world.fate.calls.count("sockets.of_user") == 1


def test_a_socket_that_is_gone_is_forgotten_and_the_others_hear(
    world: World, counted: list[str]
) -> None:
    world.wire.gone.add("a1")
    said = pushed(world, changed(world.submit()))
    assert set(said) == {"a2"}
    assert world.connections.get("a1") is None
    assert world.connections.get("a2") is not None
    assert sorted(counted) == sorted(["SocketsGone", "PushesTaken"])


def test_a_socket_that_takes_nothing_is_left_and_the_others_hear(
    world: World, counted: list[str], written: Callable[[], str]
) -> None:
    world.wire.stuck.add("a1")
    said = pushed(world, changed(world.submit()), BalanceChanged("usr_ben", BALANCE))
    assert set(said) == {"a2", "b1"}
    assert world.connections.get("a1") is not None
    assert sorted(counted) == sorted(["PushesFailed", "PushesTaken", "PushesTaken"])
    assert "a push was not taken" in written()


def test_a_socket_that_stops_taking_is_not_told_the_rest_out_of_order(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [world.submit(key=key) for key in "12"]
    heard: list[str] = []

    def once(connection_id: str, text: str) -> None:
        heard.append(connection_id)
        raise ServiceFailed(f"A buffer has no room for {text}.")

    monkeypatch.setattr(world.wire, "send", once)
    pushed(world, *map(changed, jobs))
    assert heard == ["a1", "a2"]


class Unreadable(MemoryConnections):
    """A table that does not say what sockets one user has, or does not forget any."""

    def __init__(self, world: World, *, user_id: str = "", forgets: bool = True) -> None:
        super().__init__()
        self.sockets = world.connections.sockets
        self._user_id = user_id
        self._forgets = forgets

    def of_user(self, user_id: str, *, now: datetime) -> tuple[Socket, ...]:
        if user_id == self._user_id:
            raise ServiceFailed("Reading sockets did not work.")
        return super().of_user(user_id, now=now)

    def remove(self, connection_id: str) -> None:
        if not self._forgets:
            raise ServiceFailed("Forgetting a socket did not work.")
        super().remove(connection_id)


def test_a_user_whose_sockets_cannot_be_read_keeps_nobody_else_from_hearing(
    world: World, counted: list[str], written: Callable[[], str]
) -> None:
    anns, bens = world.submit("usr_ann"), world.submit("usr_ben")
    world.connections = Unreadable(world, user_id="usr_ann")
    assert set(pushed(world, changed(anns), changed(bens))) == {"b1"}
    assert counted == ["PushesFailed", "PushesTaken"]
    assert "no sockets could be read" in written()


def test_a_gone_socket_that_cannot_be_forgotten_is_met_again(
    world: World, counted: list[str], written: Callable[[], str]
) -> None:
    world.connections = Unreadable(world, forgets=False)
    world.wire.gone.add("a1")
    assert set(pushed(world, changed(world.submit()))) == {"a2"}
    assert sorted(counted) == sorted(["SocketsGone", "PushesTaken"])
    assert "not forgotten" in written()


def test_a_socket_that_must_have_ended_is_not_spoken_on(world: World) -> None:
    job = world.submit()
    world.clock.advance(SOCKET_SECONDS_MAX)
    assert pushed(world, changed(job)) == {}


def test_a_bug_is_not_taken_for_a_socket_that_is_gone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def buggy(connection_id: str, text: str) -> None:
        raise KeyError(connection_id, text)

    monkeypatch.setattr(world.wire, "send", buggy)
    with pytest.raises(KeyError):
        pushed(world, changed(world.submit()))
    assert world.connections.get("a1") is not None


def test_the_clock_that_tells_sockets_is_the_services(world: World) -> None:
    late = world.clock() + timedelta(seconds=SOCKET_SECONDS_MAX)
    job = world.submit()
    given = replace(world.push_services(), now=lambda: late)
    push_changes([changed(job)], given)
    assert world.wire.said == {}
