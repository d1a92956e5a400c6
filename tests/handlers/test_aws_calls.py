"""How many calls each request makes: the real services, as wired in Lambda, on a fake AWS."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from common.outlook import FRESH_SECONDS
from functions.accounts import handler as accounts
from functions.status import handler as status
from functions.submit import handler as submit
from functions.worker import handler as worker
from tests.handlers.calls import Context, event
from tests.handlers.wired import call

OUTLOOK_CALLS = [
    "Query",  # who waits
    "BatchGetItem",  # the lines
]
"""What tells how a job stands that is not over."""
SUBMIT_CALLS = ["TransactWriteItems", "SendMessage"]
WORKER_CALLS = [
    "GetItem",  # the job
    "UpdateItem",  # the slot; a line's first use …
    "UpdateItem",  # … is one more
    "PutItem",  # the claim
    "InvokeModel",
    "PutObject",
    "TransactWriteItems",  # the settlement
    "UpdateItem",  # the latency
]


@pytest.fixture
def job_id(user_id: str, calls: list[str]) -> str:
    """A job that was submitted."""
    body = json.loads(call("post_jobs", user_id)["body"])
    calls.clear()
    time.sleep(FRESH_SECONDS)  # what the submit read of lines and places is used again until then
    submitted: str = body["job_id"]
    return submitted


def work(job_id: str) -> dict[str, Any]:
    """The worker's answer to the job's message."""
    sent = event("sqs")
    sent["Records"][0]["body"] = json.dumps({"job_id": job_id})
    return worker.handler(sent, Context())


def look(job_id: str, user_id: str, name: str = "get_job") -> dict[str, Any]:
    """The answer to a look at the job."""
    sent = event(name)
    sent["requestContext"]["authorizer"]["jwt"]["claims"]["user_id"] = user_id
    sent["rawPath"] = sent["requestContext"]["http"]["path"] = f"/jobs/{job_id}"
    return status.handler(sent, Context())


def test_a_submit_makes_two_calls_and_two_to_tell_of_the_wait(
    calls: list[str], user_id: str
) -> None:
    answer = call("post_jobs", user_id)
    assert answer["statusCode"] == 202
    assert json.loads(answer["body"])["queue"]["position"] == 1
    assert calls == [*SUBMIT_CALLS, *OUTLOOK_CALLS]


def test_a_submit_that_is_refused_for_its_body_makes_no_call(
    calls: list[str], user_id: str
) -> None:
    sent = event("post_jobs") | {"body": "{}"}
    sent["requestContext"]["authorizer"]["jwt"]["claims"]["user_id"] = user_id
    assert submit.handler(sent, Context())["statusCode"] == 400
    assert calls == []


def test_the_same_again_makes_one_call_more_and_then_one_less_while_the_job_is_queued(
    calls: list[str], user_id: str, job_id: str
) -> None:
    assert json.loads(call("post_jobs", user_id)["body"])["job_id"] == job_id
    assert calls == ["TransactWriteItems", "PutItem", "SendMessage", *OUTLOOK_CALLS]
    calls.clear()
    assert json.loads(call("post_jobs", user_id)["body"])["job_id"] == job_id
    assert [name for name in calls if name not in OUTLOOK_CALLS] == ["TransactWriteItems"]


def test_the_same_again_makes_one_call_when_the_job_is_over(
    calls: list[str], user_id: str, job_id: str
) -> None:
    work(job_id)
    calls.clear()
    assert json.loads(call("post_jobs", user_id)["body"])["status"] == "succeeded"
    assert calls == ["TransactWriteItems"]


def test_a_look_at_a_queued_job_is_one_call_and_two_to_tell_of_the_wait(
    calls: list[str], user_id: str, job_id: str
) -> None:
    assert look(job_id, user_id)["statusCode"] == 200
    assert calls == ["GetItem", *OUTLOOK_CALLS]


def test_a_crowd_of_looks_asks_who_waits_once(calls: list[str], user_id: str, job_id: str) -> None:
    began = time.monotonic()
    for _look in range(4):
        look(job_id, user_id)
    looked_again = (time.monotonic() - began) // FRESH_SECONDS
    assert calls.count("GetItem") == 4
    assert calls.count("Query") == calls.count("BatchGetItem") <= 1 + looked_again


def test_a_look_at_a_finished_job_is_one_call_and_its_url_costs_none(
    calls: list[str], user_id: str, job_id: str
) -> None:
    work(job_id)
    calls.clear()
    image = json.loads(look(job_id, user_id)["body"])["image"]
    assert "X-Amz-Signature" in image["url"]
    assert f"images/{user_id}/{job_id}.png" in image["url"]
    assert calls == ["GetItem"]


def test_a_list_is_one_call_and_two_for_those_who_wait(
    calls: list[str], user_id: str, job_id: str
) -> None:
    (job,) = json.loads(call("get_jobs", user_id)["body"])["jobs"]
    assert job["job_id"] == job_id
    assert calls == ["Query", *OUTLOOK_CALLS]


def test_a_list_of_what_is_over_is_one_call(calls: list[str], user_id: str, job_id: str) -> None:
    work(job_id)
    calls.clear()
    (job,) = json.loads(call("get_jobs", user_id)["body"])["jobs"]
    assert job["status"] == "succeeded"
    assert calls == ["Query"]


def test_a_cancel_is_two_calls(calls: list[str], user_id: str, job_id: str) -> None:
    assert look(job_id, user_id, "delete_job")["statusCode"] == 200
    assert calls == ["GetItem", "TransactWriteItems"]


def test_a_worker_makes_these_calls(calls: list[str], user_id: str, job_id: str) -> None:
    assert work(job_id) == {"batchItemFailures": []}
    assert json.loads(look(job_id, user_id)["body"])["status"] == "succeeded"
    assert calls == [*WORKER_CALLS, "GetItem"]


def test_a_message_that_comes_again_is_one_read(
    calls: list[str], user_id: str, job_id: str
) -> None:
    work(job_id)
    calls.clear()
    assert work(job_id) == {"batchItemFailures": []}
    assert calls == ["GetItem"]
    assert json.loads(look(job_id, user_id)["body"])["charge"]["settled"] > 0


def test_me_is_one_call(calls: list[str], user_id: str) -> None:
    assert json.loads(call("get_me", user_id)["body"])["user_id"] == user_id
    assert calls == ["GetItem"]


def test_a_later_sign_in_is_one_call(calls: list[str], user_id: str) -> None:
    accounts.handler(event("sign_in"), Context())
    assert calls == ["Query"]
    assert user_id.startswith("usr_")


def test_what_tells_of_the_service_makes_no_call(calls: list[str]) -> None:
    for name in ("get_health", "get_models", "get_openapi", "get_docs"):
        assert status.handler(event(name), Context())["statusCode"] == 200
    assert calls == []
