"""`Prefer: wait=N` on POST /jobs and GET /jobs/{job_id}."""

from __future__ import annotations

from typing import Any

import pytest

from common.errors import ServiceFailed
from common.jobs import Job
from common.long_polling import LOOK_SECONDS, WAIT_SECONDS_MAX
from tests.fakes import MemoryJobStore
from tests.fate import ProcessDied
from tests.handlers.calls import Answer, Api
from tests.handlers.test_jobs import JOB_ID, UNKNOWN, submit
from tests.world import World


def ends_after(world: World, seconds: float, patch: pytest.MonkeyPatch) -> None:
    """Let the job be worked on when whoever waits has slept so long."""
    sleep, clock = world.clock.sleep, world.clock
    at = clock().timestamp() + seconds

    def sleep_then_work(seconds: float) -> None:
        sleep(seconds)
        if clock().timestamp() >= at:
            with pytest.MonkeyPatch.context() as meanwhile:
                meanwhile.setattr(clock, "sleep", sleep)
                world.work_until_terminal(JOB_ID)

    patch.setattr(clock, "sleep", sleep_then_work)


def preferring(api: Api, name: str, prefer: str, **more: Any) -> tuple[Answer, float]:
    """The answer, and for how long it was waited."""
    began = api.world.clock()
    answer = api.call(name, headers={"prefer": prefer, **more.pop("headers", {})}, **more)
    return answer, (api.world.clock() - began).total_seconds()


def test_a_look_that_waits_is_answered_when_the_job_ends(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(api, "key-1")
    ends_after(api.world, 3, monkeypatch)
    answer, seconds = preferring(api, "get_job", "wait=20")
    assert (answer.status, answer.json["status"]) == (200, "succeeded")
    assert answer.headers["Preference-Applied"] == "wait=20"
    assert "Retry-After" not in answer.headers
    assert 3 <= seconds < 3 + 2 * LOOK_SECONDS


def test_a_look_that_has_waited_long_enough_is_answered_as_it_is_then(api: Api) -> None:
    submit(api, "key-1")
    answer, seconds = preferring(api, "get_job", "wait=2")
    assert seconds == pytest.approx(2)
    assert (answer.status, answer.json["status"]) == (200, "queued")
    assert answer.headers["Preference-Applied"] == "wait=2"
    assert int(answer.headers["Retry-After"]) >= 1


def test_nobody_waits_longer_than_may_be(api: Api) -> None:
    submit(api, "key-1")
    answer, seconds = preferring(api, "get_job", "respond-async, wait=600")
    assert seconds == pytest.approx(WAIT_SECONDS_MAX)
    assert answer.headers["Preference-Applied"] == f"wait={WAIT_SECONDS_MAX}"


@pytest.mark.parametrize("prefer", ["wait=0", "wait=soon", "respond-async"])
def test_who_prefers_no_wait_has_none(api: Api, prefer: str) -> None:
    submit(api, "key-1")
    answer, seconds = preferring(api, "get_job", prefer)
    assert seconds == 0
    assert "Preference-Applied" not in answer.headers


def test_a_job_that_is_over_is_told_at_once(api: Api) -> None:
    submit(api, "key-1")
    api.world.work_until_terminal(JOB_ID)
    answer, seconds = preferring(api, "get_job", "wait=20")
    assert (answer.json["status"], seconds) == ("succeeded", 0)


def test_a_job_that_is_as_it_was_after_the_wait_is_304(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(api, "key-1")
    etag = api.call("get_job").headers["ETag"]
    ends_after(api.world, 3, monkeypatch)
    answer, _seconds = preferring(api, "get_job", "wait=2", headers={"if-none-match": "*"})
    assert (answer.status, answer.text) == (304, "")
    assert answer.headers["Preference-Applied"] == "wait=2"
    answer, _seconds = preferring(api, "get_job", "wait=9", headers={"if-none-match": etag})
    assert (answer.status, answer.json["status"]) == (200, "succeeded")


@pytest.mark.parametrize("job_id", [JOB_ID, UNKNOWN, "job_x"])
def test_nobody_waits_for_anothers_job(api: Api, job_id: str) -> None:
    submit(api, "key-1")
    api.world.person("usr_ben")
    answer, seconds = preferring(api, "get_job", "wait=20", user_id="usr_ben", job_id=job_id)
    assert (answer.problem, seconds) == ((404, "not_found"), 0)


def test_a_submit_that_waits_is_answered_with_the_image(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends_after(api.world, 4, monkeypatch)
    answer, seconds = preferring(api, "post_jobs", "wait=20")
    assert answer.status == 202
    assert answer.json["status"] == "succeeded"
    assert answer.json["image"]["url"].startswith("https://")
    assert answer.headers["Preference-Applied"] == "wait=20"
    assert 4 <= seconds < 4 + 2 * LOOK_SECONDS
    api.world.audit()


def test_a_submit_that_has_waited_long_enough_says_how_the_job_is(api: Api) -> None:
    answer, seconds = preferring(api, "post_jobs", "wait=1")
    assert seconds == pytest.approx(1)
    assert (answer.status, answer.json["status"]) == (202, "queued")
    assert answer.json["queue"]["position"] == 1


def test_a_refused_submit_does_not_wait(api: Api) -> None:
    answer, seconds = preferring(api, "post_jobs", "wait=20", body={"prompt": ""})
    assert (answer.problem, seconds) == ((400, "prompt_empty"), 0)


class Unreadable(MemoryJobStore):
    """A store that writes, and does not read."""

    def get(self, job_id: str) -> Job | None:
        raise ServiceFailed(f"Reading {job_id} did not work.")


def test_a_submit_that_was_accepted_is_no_failure_for_a_look_that_was_one(api: Api) -> None:
    """Without a key the same again would be another job, paid for once more."""
    api.world.jobs = Unreadable(api.world.tables)
    answer, _seconds = preferring(api, "post_jobs", "wait=5", headers={"idempotency-key": None})
    assert (answer.status, answer.json["status"]) == (202, "queued")


def test_what_a_job_waits_for_grows_less_as_time_goes_by(api: Api) -> None:
    etas = []
    submit(api, "key-1")
    api.world.fate.at = len(api.world.fate.calls) + 4
    with pytest.raises(ProcessDied, match=r"models\.invoke"):
        api.world.work_once()
    for _second in range(4):
        progress = api.call("get_job").json["progress"]
        etas.append((progress["percent"], -progress["eta_seconds"]))
        api.world.clock.advance(1)
    assert etas == sorted(etas)
    assert len(set(etas)) > 1
