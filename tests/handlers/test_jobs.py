"""GET /jobs, GET and DELETE /jobs/{job_id}."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from common.credits import EntryKind
from common.errors import ModelTimedOut, ServiceFailed, StaleWrite
from common.jobs import JobStatus
from tests.fakes import MemoryJobStore
from tests.fakes_model import REFUSAL, FakeModel
from tests.fate import ProcessDied
from tests.handlers.calls import Answer, Api
from tests.world import CORE_COST, CREDITS, PROMPT

JOB_ID = "job_5e247afc3034f9f6653987e996f3283d"
UNKNOWN = "job_" + "0" * 32


def submit(api: Api, *keys: str, user_id: str = "usr_ann") -> list[str]:
    """Jobs, a second apart, the oldest first."""
    ids = []
    for key in keys:
        ids.append(api.world.submit(user_id, key=key).job_id)
        api.world.clock.advance(1)
    return ids


def finish(api: Api) -> dict[str, Any]:
    """The first job, done."""
    submit(api, "key-1")
    api.world.work_until_terminal(JOB_ID)
    return api.call("get_job").json


def test_a_queued_job_says_when_to_look_again(api: Api) -> None:
    submit(api, "key-1")
    answer = api.call("get_job")
    assert answer.status == 200
    assert answer.headers["Retry-After"] == "2"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json["urls"] == {"self": f"/jobs/{JOB_ID}", "cancel": f"/jobs/{JOB_ID}"}


def test_a_job_being_generated_is_held_and_cannot_be_canceled(api: Api) -> None:
    submit(api, "key-1")
    api.world.fate.at = len(api.world.fate.calls) + 4
    with pytest.raises(ProcessDied, match=r"models\.invoke"):
        api.world.work_once()
    answer = api.call("get_job")
    job = answer.json
    assert (job["status"], job["terminal"]) == ("generating", False)
    assert job["started_at"] is not None
    assert job["charge"] == {"held": CORE_COST, "settled": 0, "released": 0}
    assert job["urls"]["cancel"] is None
    assert "Retry-After" in answer.headers
    assert api.call("delete_job").problem == (409, "not_cancelable")
    api.world.audit()


def test_a_finished_job_has_its_image_and_its_charge(api: Api) -> None:
    job = finish(api)
    assert (job["status"], job["terminal"], job["retryable"]) == ("succeeded", True, False)
    assert job["charge"] == {"held": 0, "settled": CORE_COST, "released": 0}
    image = job["image"]
    assert image["url"].startswith(f"https://images.test/images/usr_ann/{JOB_ID}.png")
    assert (image["width"], image["height"]) == (16, 16)
    assert image["content_type"] == "image/png"
    assert image["bytes"] == len(api.world.images.contents[f"images/usr_ann/{JOB_ID}.png"])
    assert image["expires_at"] > job["finished_at"]
    assert "Retry-After" not in api.call("get_job").headers


def test_a_refused_job_says_why_and_that_the_same_again_is_no_use(api: Api) -> None:
    api.world.model = FakeModel(REFUSAL)
    job = finish(api)
    assert (job["status"], job["terminal"], job["retryable"]) == ("failed", True, False)
    assert job["error"]["code"] == "content_refused"
    assert job["charge"] == {"held": 0, "settled": 0, "released": CORE_COST}
    assert job["image"] is None


def test_a_stalled_job_is_not_over(api: Api) -> None:
    api.world.model = FakeModel(*[ModelTimedOut("No answer.")] * 3)
    submit(api, "key-1")
    for _attempt in range(3):
        api.world.work_once()
    job = api.call("get_job").json
    assert (job["status"], job["terminal"]) == ("stalled", False)
    assert job["charge"] == {"held": CORE_COST, "settled": 0, "released": 0}
    assert job["error"]["code"] == "model_timed_out"
    assert api.call("delete_job").problem == (409, "not_cancelable")


def test_looking_at_a_job_is_one_read(api: Api) -> None:
    submit(api, "key-1")
    api.world.fate.calls.clear()
    api.call("get_job")
    assert api.world.fate.calls == ["jobs.get"]


def seen(api: Api, etag: str) -> Answer:
    return api.call("get_job", headers={"if-none-match": etag})


def test_a_job_as_it_was_is_304(api: Api) -> None:
    submit(api, "key-1")
    full = api.call("get_job")
    etag = full.headers["ETag"]
    for sent in (etag, f"W/{etag}", f'"0", {etag}', "*"):
        answer = seen(api, sent)
        assert (answer.status, answer.text) == (304, "")
        assert answer.headers["ETag"] == etag
        assert answer.headers["Retry-After"] == full.headers["Retry-After"]
        assert answer.headers["Cache-Control"] == "no-store"
    for sent in ('"0"', "1", "", '"11"'):
        assert seen(api, sent).status == 200


def test_a_job_that_changed_is_not_304(api: Api) -> None:
    submit(api, "key-1")
    etag = api.call("get_job").headers["ETag"]
    api.world.work_until_terminal(JOB_ID)
    answer = seen(api, etag)
    assert answer.status == 200
    assert answer.headers["ETag"] != etag


def test_an_image_url_is_renewed_before_it_expires(api: Api) -> None:
    finish(api)
    etag = api.call("get_job").headers["ETag"]
    for _minute in range(30):
        answer = seen(api, etag)
        if answer.status == 200:
            etag = answer.headers["ETag"]
            expires_at = answer.json["image"]["expires_at"]
        api.world.clock.advance(60)
    left = api.call("get_job").json["image"]
    assert left["expires_at"] >= expires_at
    assert 450 <= int(left["url"].rpartition("=")[2]) <= 900, "at least half of its life is left"


@pytest.mark.parametrize("name", ["get_job", "delete_job"])
@pytest.mark.parametrize(
    "job_id", [UNKNOWN, "job", "job_x", "j" * 3000, JOB_ID.upper(), f"{JOB_ID}0", "..", "%20"]
)
def test_an_unknown_id_is_404(api: Api, name: str, job_id: str) -> None:
    submit(api, "key-1")
    assert api.call(name, job_id=job_id).problem == (404, "not_found")


@pytest.mark.parametrize("job_id", ["j" * 3000, "job_x"])
def test_what_cannot_be_an_id_is_not_asked_for(api: Api, job_id: str) -> None:
    api.call("get_job", job_id=job_id)
    assert api.world.fate.calls == []


@pytest.mark.parametrize("name", ["get_job", "delete_job"])
def test_anothers_job_is_as_good_as_unknown(api: Api, name: str) -> None:
    submit(api, "key-1")
    api.world.person("usr_ben")
    other = api.call(name, user_id="usr_ben")
    assert other.problem == (404, "not_found")
    assert other.text == api.call(name, user_id="usr_ben", job_id=UNKNOWN).text
    assert api.world.job(JOB_ID).status is JobStatus.QUEUED


@pytest.mark.parametrize("name", ["get_job", "get_jobs", "delete_job", "get_me"])
def test_a_token_without_our_user_id_is_401(api: Api, name: str) -> None:
    assert api.call(name, user_id=None).problem == (401, "unauthenticated")


def test_a_queued_job_can_be_canceled_once_and_again(api: Api) -> None:
    submit(api, "key-1")
    first = api.call("delete_job")
    assert first.status == 200
    job = first.json
    assert (job["status"], job["terminal"], job["retryable"]) == ("canceled", True, True)
    assert job["charge"] == {"held": 0, "settled": 0, "released": CORE_COST}
    assert "Retry-After" not in first.headers
    api.world.clock.advance(5)
    assert api.call("delete_job").json == job
    assert api.world.kinds() == [EntryKind.HOLD, EntryKind.RELEASE]
    assert api.world.tables.users["usr_ann"].balance.available == CREDITS
    api.world.audit()


def test_a_canceled_job_is_never_generated(api: Api) -> None:
    submit(api, "key-1")
    api.call("delete_job")
    api.world.work_once()
    assert api.world.model.calls == []
    assert api.world.job(JOB_ID).status is JobStatus.CANCELED


def test_a_finished_job_cannot_be_canceled(api: Api) -> None:
    finish(api)
    assert api.call("delete_job").problem == (409, "not_cancelable")
    api.world.audit()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("place", [1, 2])
def test_a_cancel_that_dies_anywhere_is_finished_by_the_same_again(
    api: Api, place: int, *, after: bool
) -> None:
    submit(api, "key-1")
    api.world.fate.at, api.world.fate.after = len(api.world.fate.calls) + place, after
    with pytest.raises(ProcessDied):
        api.call("delete_job")
    api.world.audit()
    assert api.call("delete_job").json["status"] == "canceled"
    assert api.world.kinds() == [EntryKind.HOLD, EntryKind.RELEASE]
    api.world.audit()


class Racing(MemoryJobStore):
    """A store where somebody else is always quicker."""

    def save(self, *_args: object, **_kwargs: object) -> None:
        raise StaleWrite("It has changed.")


def test_a_cancel_that_always_comes_second_may_be_tried_again(api: Api) -> None:
    submit(api, "key-1")
    api.world.jobs = Racing(api.world.tables)
    answer = api.call("delete_job")
    assert answer.problem == (503, "try_again")
    assert answer.headers["Retry-After"]


def test_jobs_are_listed_newest_first(api: Api) -> None:
    ids = submit(api, "1", "2", "3")
    answer = api.call("get_jobs")
    assert answer.status == 200
    assert [job["job_id"] for job in answer.json["jobs"]] == ids[::-1]
    assert answer.json["next_cursor"] is None
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_user_without_jobs_has_an_empty_list(api: Api) -> None:
    assert api.call("get_jobs").json == {"jobs": [], "next_cursor": None}


def test_nobody_sees_anothers_jobs(api: Api) -> None:
    submit(api, "1", "2")
    api.world.person("usr_ben")
    theirs = submit(api, "1", user_id="usr_ben")
    answer = api.call("get_jobs", user_id="usr_ben")
    assert [job["job_id"] for job in answer.json["jobs"]] == theirs


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 7])
def test_pages_give_every_job_once(api: Api, limit: int) -> None:
    ids = submit(api, *"12345")
    found, cursor = [], None
    for _page in range(6):
        query = {"limit": str(limit), **({"cursor": cursor} if cursor else {})}
        page = api.call("get_jobs", query=query).json
        assert len(page["jobs"]) <= limit
        found += [job["job_id"] for job in page["jobs"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert cursor is None
    assert found == ids[::-1]


def test_a_cursor_shows_nobody_elses_jobs(api: Api) -> None:
    submit(api, *"123")
    api.world.person("usr_ben")
    cursor = api.call("get_jobs", query={"limit": "1"}).json["next_cursor"]
    answer = api.call("get_jobs", user_id="usr_ben", query={"cursor": cursor})
    assert answer.json["jobs"] == []


def test_jobs_are_filtered_by_status(api: Api) -> None:
    ids = submit(api, *"12")
    api.world.work_once()
    for status, expected in (("succeeded", ids[:1]), ("queued", ids[1:]), ("failed", [])):
        answer = api.call("get_jobs", query={"status": status})
        assert [job["job_id"] for job in answer.json["jobs"]] == expected


def cursor_of(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


BAD_CURSORS = {
    "empty": "",
    "not base64": "!!!",
    "not JSON": "abcd",
    "a word of two letters": cursor_of("ab"),
    "an object of two names": cursor_of({"a": 1, "b": 2}),
    "numbers": cursor_of([1, 2]),
    "empty texts": cursor_of(["", ""]),
    "one": cursor_of(["a"]),
    "three": cursor_of(["a", "b", "c"]),
    "null": cursor_of(None),
    "not ASCII": cursor_of(["é", "b"]),
    "half a character": base64.urlsafe_b64encode(b'["\\ud83d", "b"]').decode(),
    "too long": cursor_of(["a" * 2000, "b"]),
    "a deep hole": base64.urlsafe_b64encode(b"[" * 5000).decode(),
    "wide digits": "\N{FULLWIDTH DIGIT ONE}" * 4,
}


@pytest.mark.parametrize("name", BAD_CURSORS)
def test_a_bad_cursor_is_refused(api: Api, name: str) -> None:
    submit(api, "1")
    answer = api.call("get_jobs", query={"cursor": BAD_CURSORS[name]})
    assert answer.problem == (400, "invalid_cursor")


@pytest.mark.parametrize("limit", ["0", "51", "-1", "x", "", "1.5", " 1", "1e1", "99999", "٣"])
def test_a_bad_limit_is_refused(api: Api, limit: str) -> None:
    assert api.call("get_jobs", query={"limit": limit}).problem == (400, "invalid_limit")


@pytest.mark.parametrize("status", ["done", "", "QUEUED", "queued,failed"])
def test_a_bad_status_is_refused(api: Api, status: str) -> None:
    assert api.call("get_jobs", query={"status": status}).problem == (400, "invalid_status")


class BrokenJobs(MemoryJobStore):
    """A store that does not answer."""

    def get(self, job_id: str) -> None:
        raise ServiceFailed(f"Reading {job_id} did not work.")


def test_a_store_that_does_not_answer_is_503(api: Api) -> None:
    api.world.jobs = BrokenJobs(api.world.tables)
    assert api.call("get_job").problem == (503, "try_again")


def test_a_job_tells_what_was_asked_and_nothing_of_how_it_is_kept(api: Api) -> None:
    job = finish(api)
    assert job["prompt"] == PROMPT
    kept = {"user_id", "lease_id", "lease_expires_at", "attempts", "fingerprint", "cost"}
    assert not kept & set(job)
