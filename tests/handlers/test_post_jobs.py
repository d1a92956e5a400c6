from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from common.errors import ServiceFailed
from common.http import BODY_BYTES_MAX, PROBLEM_JSON
from tests.fakes import MemoryJobStore
from tests.handlers.calls import Api, event
from tests.world import CORE, CORE_COST, CREDITS, TITAN, World

PROMPT = "a lighthouse at dawn"
JOB_ID = "job_5e247afc3034f9f6653987e996f3283d"


def everything(world: World) -> tuple[object, ...]:
    """All that a submit could change."""
    tables = world.tables
    return dict(tables.jobs), dict(tables.users), dict(tables.ledger), list(world.queue.sent)


def test_a_submit_is_accepted_and_says_where_and_when_to_look(api: Api) -> None:
    answer = api.call("post_jobs")
    assert answer.status == 202
    assert answer.headers["Location"] == f"/jobs/{JOB_ID}"
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["ETag"].startswith('W/"1-')
    assert answer.headers["Cache-Control"] == "no-store"
    job = answer.json
    seed = job.pop("seed")
    assert 0 < seed <= 4_294_967_294
    queue = job.pop("queue")
    assert queue.pop("eta_seconds") >= 1
    assert queue == {"position": 1}
    assert job == {
        "job_id": JOB_ID,
        "status": "queued",
        "terminal": False,
        "retryable": False,
        "version": 1,
        "prompt": PROMPT,
        "negative_prompt": None,
        "aspect_ratio": "1:1",
        "model": CORE.model,
        "created_at": "2026-11-01T12:00:00Z",
        "started_at": None,
        "finished_at": None,
        "progress": None,
        "cached": False,
        "charge": {"held": CORE_COST, "settled": 0, "released": 0},
        "image": None,
        "error": None,
        "urls": {"self": f"/jobs/{JOB_ID}", "cancel": f"/jobs/{JOB_ID}"},
    }
    assert api.world.queue.sent == [JOB_ID]
    api.world.audit()


def test_every_field_reaches_the_job(api: Api) -> None:
    asked = {
        "prompt": "un phare à l’aube 🌅",
        "negative_prompt": "people",
        "aspect_ratio": "3:5",
        "seed": 7,
        "model": TITAN.model,
    }
    job = api.call("post_jobs", body=asked).json
    assert {name: job[name] for name in asked} == asked


def test_a_body_in_base64_is_a_body(api: Api) -> None:
    raw = json.dumps({"prompt": PROMPT}).encode()
    assert api.call("post_jobs", raw=raw).json["prompt"] == PROMPT


def test_the_same_again_is_the_same_job(api: Api) -> None:
    first, again = api.call("post_jobs"), api.call("post_jobs")
    assert (again.status, again.json["job_id"]) == (202, first.json["job_id"])
    assert len(api.world.tables.jobs) == 1
    api.world.audit()


def test_the_same_again_after_the_end_has_the_image_and_no_reason_to_wait(api: Api) -> None:
    api.call("post_jobs")
    api.world.work_until_terminal(JOB_ID)
    again = api.call("post_jobs")
    assert again.status == 202
    assert "Retry-After" not in again.headers
    assert again.json["status"] == "succeeded"
    assert again.json["image"]["url"].startswith("https://")


def test_without_a_key_every_submit_is_a_new_job(api: Api) -> None:
    jobs = [api.call("post_jobs", headers={"idempotency-key": None}).json for _again in range(2)]
    assert len({job["job_id"] for job in jobs}) == 2


LONGEST = {"prompt": "\N{CRYSTAL BALL}" * 10_000, "negative_prompt": "\N{CRYSTAL BALL}" * 10_000}


def test_the_longest_valid_request_fits_however_it_is_escaped(api: Api) -> None:
    raw = json.dumps(LONGEST, ensure_ascii=True)
    assert api.call("post_jobs", raw=raw).status == 202


BAD_BODIES: dict[str, tuple[str | bytes, tuple[int, str]]] = {
    "nothing": ("", (400, "invalid_json")),
    "no JSON": ("prompt=a+cat", (400, "invalid_json")),
    "half of JSON": ('{"prompt": "a c', (400, "invalid_json")),
    "no text": (b"\xff\xfe\x00", (400, "invalid_json")),
    "half a character": ('{"prompt": "\\ud83d"}', (400, "invalid_json")),
    "a deep hole": ("[" * 100_000, (400, "invalid_json")),
    "a list": ("[]", (400, "invalid_request")),
    "null": ("null", (400, "invalid_request")),
    "no prompt": ("{}", (400, "invalid_request")),
    "a prompt that is a number": ('{"prompt": 7}', (400, "invalid_request")),
    "a seed that is text": ('{"prompt": "a", "seed": "7"}', (400, "invalid_request")),
    "a seed that is a fraction": ('{"prompt": "a", "seed": 7.5}', (400, "invalid_request")),
    "a seed that is true": ('{"prompt": "a", "seed": true}', (400, "invalid_request")),
    "a seed below zero": ('{"prompt": "a", "seed": -1}', (400, "invalid_request")),
    "a wish for an old image that is text": (
        '{"prompt": "a", "allow_cached": "yes"}',
        (400, "invalid_request"),
    ),
    "a wish for an old image that is a number": (
        '{"prompt": "a", "allow_cached": 1}',
        (400, "invalid_request"),
    ),
    "a wish for an old image that is null": (
        '{"prompt": "a", "allow_cached": null}',
        (400, "invalid_request"),
    ),
    "a field of no meaning": ('{"prompt": "a", "size": 9}', (400, "invalid_request")),
    "an empty prompt": ('{"prompt": ""}', (400, "prompt_empty")),
    "a blank prompt": ('{"prompt": " \\n"}', (400, "prompt_empty")),
    "too long a prompt": (json.dumps({"prompt": "x" * 10_001}), (400, "prompt_too_long")),
    "too long a prompt for the chosen model": (
        json.dumps({"prompt": "x" * 513, "model": TITAN.model}),
        (400, "prompt_too_long"),
    ),
    "an empty negative prompt": (
        '{"prompt": "a", "negative_prompt": ""}',
        (400, "negative_prompt_empty"),
    ),
    "an unknown model": ('{"prompt": "a", "model": "dall-e"}', (400, "unknown_model")),
    "an unknown aspect ratio": (
        '{"prompt": "a", "aspect_ratio": "4:20"}',
        (400, "unknown_aspect_ratio"),
    ),
    "too large a seed": ('{"prompt": "a", "seed": 4294967295}', (400, "seed_too_large")),
    "an endless seed": ('{"prompt": "a", "seed": 1' + "0" * 5000 + "}", (400, "invalid_json")),
    "a seed of a hundred digits": (
        '{"prompt": "a", "seed": 1' + "0" * 99 + "}",
        (400, "seed_too_large"),
    ),
    "too large a body": (
        json.dumps({"prompt": "x" * BODY_BYTES_MAX}),
        (413, "payload_too_large"),
    ),
    "too large a body in base64": (b" " * (BODY_BYTES_MAX + 1), (413, "payload_too_large")),
    "too large a body of wide characters": (
        "{" + "é" * (BODY_BYTES_MAX // 2) + "}",
        (413, "payload_too_large"),
    ),
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_bad_body_is_refused_and_changes_nothing(api: Api, name: str) -> None:
    raw, expected = BAD_BODIES[name]
    before = everything(api.world)
    assert api.call("post_jobs", raw=raw).problem == expected
    assert everything(api.world) == before


def test_a_body_that_claims_to_be_base64_and_is_not_is_refused(api: Api) -> None:
    sent = event("post_jobs") | {"isBase64Encoded": True, "body": "{}!"}
    assert api.send("post_jobs", sent).problem == (400, "invalid_json")


def test_a_request_without_any_body_is_refused(api: Api) -> None:
    sent = event("post_jobs")
    del sent["body"]
    assert api.send("post_jobs", sent).problem == (400, "invalid_json")


def test_what_does_not_fit_is_named(api: Api) -> None:
    answer = api.call("post_jobs", body={"seed": "x", "size": 9})
    assert answer.problem == (400, "invalid_request")
    fields = {error["field"] for error in answer.json["errors"]}
    assert fields == {"prompt", "seed", "size"}
    assert all(error["message"] for error in answer.json["errors"])


@pytest.mark.parametrize("key", ["", " ", "a b", "k" * 256, "schlüssel", "a\tb", "a\n"])
def test_a_bad_key_is_refused_and_changes_nothing(api: Api, key: str) -> None:
    before = everything(api.world)
    answer = api.call("post_jobs", headers={"idempotency-key": key})
    assert answer.problem == (400, "invalid_idempotency_key")
    assert everything(api.world) == before


@pytest.mark.parametrize("key", ["k", "k" * 255, "!~", "6f1c1d6e-0f5e-4f58-9d2c-000000000000"])
def test_a_good_key_is_taken(api: Api, key: str) -> None:
    assert api.call("post_jobs", headers={"idempotency-key": key}).status == 202


def test_a_key_with_another_body_is_refused(api: Api) -> None:
    api.call("post_jobs")
    before = everything(api.world)
    answer = api.call("post_jobs", body={"prompt": "another"})
    assert answer.problem == (422, "idempotency_key_reused")
    assert everything(api.world) == before


def test_too_little_credit_is_402(api: Api) -> None:
    api.world.person("usr_poor", available=CORE_COST - 1)
    before = everything(api.world)
    answer = api.call("post_jobs", user_id="usr_poor")
    assert answer.problem == (402, "insufficient_credits")
    assert everything(api.world) == before


def test_too_many_active_jobs_are_429_with_a_time_to_come_back(api: Api) -> None:
    for number in range(10):
        assert api.call("post_jobs", headers={"idempotency-key": f"k{number}"}).status == 202
    before = everything(api.world)
    answer = api.call("post_jobs", headers={"idempotency-key": "k10"})
    assert answer.problem == (429, "too_many_active_jobs")
    assert int(answer.headers["Retry-After"]) > 0
    assert everything(api.world) == before
    assert api.call("post_jobs", headers={"idempotency-key": "k0"}).status == 202, "a replay"
    assert api.world.tables.users["usr_ann"].balance.available == CREDITS - 10 * CORE_COST


def test_a_token_without_our_user_id_is_401(api: Api) -> None:
    before = everything(api.world)
    assert api.call("post_jobs", user_id=None).problem == (401, "unauthenticated")
    assert api.call("post_jobs", user_id="").problem == (401, "unauthenticated")
    sent = event("post_jobs")
    del sent["requestContext"]["authorizer"]
    assert api.send("post_jobs", sent).problem == (401, "unauthenticated")
    assert everything(api.world) == before


class BrokenJobs(MemoryJobStore):
    """A store that does not answer."""

    def open(self, *_args: object, **_kwargs: object) -> None:  # type: ignore[override]
        raise ServiceFailed("A transaction did not work: table arn:aws:dynamodb:secret.")


def test_a_store_that_does_not_answer_is_503_and_worth_another_try(
    api: Api, written: Callable[[], str]
) -> None:
    api.world.jobs = BrokenJobs(api.world.tables)
    answer = api.call("post_jobs")
    assert answer.problem == (503, "try_again")
    assert int(answer.headers["Retry-After"]) > 0
    assert "arn" not in answer.text
    assert "service_failed" in written()


class BuggyJobs(MemoryJobStore):
    """A store with a bug in it."""

    def open(self, *_args: object, **_kwargs: object) -> None:  # type: ignore[override]
        raise KeyError("a secret detail")


def test_a_bug_is_500_and_tells_nothing(api: Api, written: Callable[[], str]) -> None:
    api.world.jobs = BuggyJobs(api.world.tables)
    answer = api.call("post_jobs")
    assert answer.problem == (500, "internal_error")
    assert "secret" not in answer.text
    assert answer.headers["Content-Type"] == PROBLEM_JSON
    logged = written()
    assert "a secret detail" in logged
    assert "UnexpectedErrors" in logged


def test_no_prompt_and_no_address_is_logged(api: Api, written: Callable[[], str]) -> None:
    api.call("post_jobs", body={"prompt": "Gudrun", "negative_prompt": "Gudrun"})
    api.call("post_jobs", body={"prompt": "Gudrun again"})
    api.call("post_jobs", body={"prompt": "Gudrun", "seed": "x"})
    api.call("post_jobs", user_id="usr_nobody", body={"prompt": "Gudrun"})
    logged = written()
    assert f'"job_id":"{JOB_ID}"' in logged
    assert "Gudrun" not in logged
    assert "@" not in logged
