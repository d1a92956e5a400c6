from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from ops.customer.client import ApiError, Client, retry_after

JOB = {"job_id": "job_1", "status": "queued", "terminal": False, "something_new": 1}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _seconds: None)


def client(answer: Callable[[httpx.Request], httpx.Response]) -> Client:
    return Client("http://api/base", "token", transport=httpx.MockTransport(answer))


def test_submit_sends_the_key_and_the_token_below_the_base() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(202, json=JOB, headers={"Retry-After": "2"})

    with client(answer) as api:
        look = api.submit({"prompt": "a fox"}, idempotency_key="k")

    (request,) = seen
    assert str(request.url) == "http://api/base/jobs"
    assert request.headers["Idempotency-Key"] == "k"
    assert request.headers["Authorization"] == "Bearer token"
    assert json.loads(request.content) == {"prompt": "a fox"}
    assert (look.job.job_id, look.retry_after_seconds) == ("job_1", 2.0)


def test_a_refusal_is_one_sentence_with_its_code() -> None:
    problem = {
        "title": "Bad Request",
        "code": "invalid_request",
        "detail": "The request does not fit.",
        "errors": [{"field": "prompt", "message": "too short"}],
    }
    with client(lambda _: httpx.Response(400, json=problem)) as api, pytest.raises(ApiError) as no:
        api.job("job_1")

    assert str(no.value) == "The request does not fit. (invalid_request) prompt: too short."
    assert (no.value.status, no.value.code) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (httpx.Response(401, json={"message": "Unauthorized"}), "Unauthorized"),
        (httpx.Response(500, text="<html>"), "The API answered 500."),
        (httpx.Response(404, json=["?"]), "The API answered 404."),
        (httpx.Response(200, text="<html>"), "The API answered 200 with something that is no"),
        (httpx.Response(200, json={"job_id": 1}), "The API answered 200 with something that is no"),
    ],
)
def test_an_answer_that_is_not_the_apis_own_is_told(answer: httpx.Response, sentence: str) -> None:
    with client(lambda _: answer) as api, pytest.raises(ApiError, match=sentence):
        api.job("job_1")


def test_a_passing_failure_is_tried_again() -> None:
    answers = iter([httpx.Response(503), httpx.Response(200, json=JOB)])
    with client(lambda _: next(answers)) as api:
        assert api.job("job_1").job.status == "queued"


def test_a_lasting_failure_is_told_after_four_tries() -> None:
    tries: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        tries.append(request)
        return httpx.Response(503, json={"code": "try_again", "detail": "Not just now."})

    with client(answer) as api, pytest.raises(ApiError, match=r"Not just now. \(try_again\)"):
        api.job("job_1")
    assert len(tries) == 4


def test_a_broken_connection_is_tried_again_and_then_told() -> None:
    tries: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        tries.append(request)
        raise httpx.ConnectError("refused", request=request)

    with client(answer) as api, pytest.raises(httpx.ConnectError):
        api.job("job_1")
    assert len(tries) == 4


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("2", 2.0), ("0.5", 0.5), ("-3", 0.0), ("86400", 60.0), ("soon", None), ("nan", None)],
)
def test_retry_after_is_bounded(header: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": header}) == seconds


def test_retry_after_may_be_missing() -> None:
    assert retry_after({}) is None
