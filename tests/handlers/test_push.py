"""The tables' streams: what was written reaches the sockets of its owner."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Barrier
from typing import Any

import pytest

from common.aws.clients import PUSHES_AT_ONCE
from common.aws.records import job_item, user_item
from common.aws.streams import changes
from common.changes import BalanceChanged, JobChanged
from common.feed import Socket
from common.jobs import JobStatus
from common.wiring.push import together
from functions.push.handler import handler
from tests.handlers.calls import Context, event
from tests.handlers.test_vnpay_calls import counted
from tests.unit.test_jobs import JOBS
from tests.world import PROMPT, World

JOB_ID = "job_5e247afc3034f9f6653987e996f3283d"


@pytest.fixture
def sockets(world: World) -> list[str]:
    """Two sockets of one user, and one of another."""
    world.person("usr_ben")
    for connection_id, user_id in (("a1", "usr_ann"), ("a2", "usr_ann"), ("b1", "usr_ben")):
        socket = Socket(connection_id=connection_id, user_id=user_id, opened_at=world.clock())
        world.connections.add(socket)
    return ["a1", "a2", "b1"]


def streamed(name: str, *records: int) -> dict[str, Any]:
    """A batch with those records of the file, or with all of them."""
    sent = event(name)
    if records:
        sent["Records"] = [sent["Records"][number] for number in records]
    return sent


def test_a_new_job_is_told_to_its_owner(
    world: World, sockets: list[str], written: Callable[[], str]
) -> None:
    assert handler(streamed("stream_jobs", 0), Context()) == {}
    assert set(world.wire.said) == {*sockets} - {"b1"}
    (message,) = world.wire.said["a1"]
    job = message["job"]
    assert (job["job_id"], job["status"], job["version"]) == (JOB_ID, "queued", 1)
    assert (job["prompt"], job["seed"]) == (PROMPT, 7)
    assert job["queue"]["position"] == 1
    logged = written()
    assert counted(logged) == {"PushesTaken"}
    assert PROMPT not in logged


def test_of_a_batch_the_last_that_became_of_a_job_is_told(world: World, sockets: list[str]) -> None:
    handler(streamed("stream_jobs"), Context())
    assert set(world.wire.said) == {*sockets} - {"b1"}
    (message,) = world.wire.said["a1"]
    job = message["job"]
    assert (job["status"], job["version"], job["terminal"]) == ("succeeded", 3, True)
    assert job["image"]["url"].startswith(f"https://images.test/images/usr_ann/{JOB_ID}.png")
    assert (job["image"]["width"], job["image"]["bytes"]) == (1536, 2_345_678)
    assert job["charge"] == {"held": 0, "settled": 2, "released": 0}


def test_a_push_says_what_the_api_says(world: World, sockets: list[str]) -> None:
    job = world.submit()
    image = {"dynamodb": {"NewImage": job_item(job)}}
    handler({"Records": [image]}, Context())
    assert sockets
    shown = world.snapshots().of(job).model_dump(mode="json")
    assert world.wire.said["a1"] == [{"type": "job", "job": shown}]


def test_a_balance_is_told_to_its_owner_and_a_guard_to_nobody(
    world: World, sockets: list[str]
) -> None:
    handler(streamed("stream_users"), Context())
    assert set(world.wire.said) == {*sockets} - {"b1"}
    balance = {"type": "balance", "balance": {"available": 48, "held": 2}}
    assert world.wire.said["a1"] == [balance]
    assert "@" not in str(world.wire.said)


@pytest.mark.parametrize(("name", "record"), [("stream_jobs", 2), ("stream_users", 0)])
def test_what_concerns_nobody_is_told_to_nobody(world: World, name: str, record: int) -> None:
    world.fate.calls.clear()
    assert handler(streamed(name, record), Context()) == {}
    assert world.fate.calls == []


def test_without_a_socket_nobody_is_spoken_to(world: World) -> None:
    world.fate.calls.clear()
    handler(streamed("stream_jobs"), Context())
    assert world.fate.calls == ["sockets.of_user"]
    assert world.wire.said == {}


def test_a_socket_that_is_gone_and_one_that_is_stuck_are_counted(
    world: World, sockets: list[str], written: Callable[[], str]
) -> None:
    world.wire.gone.add(sockets[0])
    world.wire.stuck.add(sockets[1])
    assert handler(streamed("stream_jobs"), Context()) == {}
    assert counted(written()) == {"SocketsGone", "PushesFailed"}


def test_a_record_that_makes_no_sense_fails_the_batch_so_that_it_is_parted(world: World) -> None:
    sent = streamed("stream_jobs", 0)
    del sent["Records"][0]["dynamodb"]["NewImage"]["status"]
    with pytest.raises(KeyError):
        handler(sent, Context())
    assert world.wire.said == {}


@pytest.mark.parametrize("status", JobStatus)
def test_a_job_comes_out_of_the_stream_as_it_was_written(status: JobStatus) -> None:
    record = {"dynamodb": {"NewImage": job_item(JOBS[status])}}
    assert changes({"Records": [record]}) == (JobChanged(JOBS[status]),)


def test_a_balance_comes_out_of_the_stream_as_it_was_written(world: World) -> None:
    user = world.tables.users["usr_ann"]
    record = {"dynamodb": {"NewImage": user_item(user)}}
    (change,) = changes({"Records": [record]})
    assert change == BalanceChanged("usr_ann", user.balance)


def test_pushes_are_made_together_and_answered_in_order() -> None:
    barrier = Barrier(PUSHES_AT_ONCE, timeout=10)

    def push(number: int) -> int:
        if number < PUSHES_AT_ONCE:
            barrier.wait()  # none of the first comes by unless all are made at the same time
        return number

    to_do = [partial(push, number) for number in range(2 * PUSHES_AT_ONCE)]
    assert together(to_do) == list(range(2 * PUSHES_AT_ONCE))
    assert together([]) == []


def test_a_push_that_raises_is_not_hidden_by_the_others() -> None:
    def buggy() -> int:
        raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        together([lambda: 1, buggy, lambda: 2])
