"""How many calls each request makes: the real services, as wired in Lambda, on a fake AWS."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from moto import mock_aws

from common import wiring
from common.aws import clients
from common.models.spec import Size
from common.pacing import Pacer
from common.routes import ROUTES
from common.services import WorkerServices
from common.sizing import TIMEOUTS
from functions.accounts import handler as accounts
from functions.status import handler as status
from functions.submit import handler as submit
from functions.worker import handler as worker
from tests.contract.backends import (
    BUCKET,
    JOBS_TABLE,
    LEDGER_TABLE,
    REGION,
    ROUTES_TABLE,
    USERS_TABLE,
    Aws,
    Endpoint,
)
from tests.fakes import ManualClock, answer, png
from tests.handlers.calls import Context, event
from tests.world import CORE

WIRED = (
    wiring.submit_services,
    wiring.status_services,
    wiring.accounts_services,
    wiring.worker_services,
)
CLIENTS = (clients.dynamodb, clients.sqs, clients.s3, clients.bedrock_runtime)
SUBMIT_CALLS = ["TransactWriteItems", "SendMessage"]
WORKER_CALLS = [
    "GetItem",  # the job
    "PutItem",  # the claim
    "UpdateItem",  # the slot; a line's first use …
    "UpdateItem",  # … is one more
    "InvokeModel",
    "PutObject",
    "TransactWriteItems",  # the settlement
]


def forget() -> None:
    """Nothing is wired and no client is made."""
    for made in (*WIRED, *CLIENTS):
        made.cache_clear()


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The operations that are called, in order, by functions whose environment is set."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    called: list[str] = []
    with mock_aws():
        aws = Aws.at(Endpoint(url=None))
        aws.create()
        for name, value in {
            "HOME_REGION": REGION,
            "JOBS_TABLE": JOBS_TABLE,
            "USERS_TABLE": USERS_TABLE,
            "LEDGER_TABLE": LEDGER_TABLE,
            "ROUTES_TABLE": ROUTES_TABLE,
            "IMAGES_BUCKET": BUCKET,
            "QUEUE_URL": aws.new_queue("jobs"),
            "ROUTES": ROUTES.dump_json((CORE,)).decode(),
            "SLOT_WAIT_SECONDS_MAX": str(TIMEOUTS.slot_wait_seconds_max),
            "MODEL_READ_SECONDS": str(TIMEOUTS.model_read_seconds),
            "LEASE_SECONDS": str(TIMEOUTS.lease_seconds),
        }.items():
            monkeypatch.setenv(name, value)
        forget()
        made: tuple[Any, ...] = (
            clients.dynamodb(REGION),
            clients.sqs(REGION),
            clients.s3(REGION),
            clients.bedrock_runtime(CORE.region, TIMEOUTS.model_read_seconds),
        )
        made[3].meta.events.register("before-send.bedrock-runtime.InvokeModel", _answering)
        for client in made:
            client.meta.events.register("before-call", _noting(called))
        wired = wiring.worker_services()
        monkeypatch.setattr(worker, "services", lambda: replace(wired, pacer=_punctual(wired)))
        yield called
        aws.close()
        for client in made:
            client.close()
        forget()


def _punctual(wired: WorkerServices) -> Pacer:
    """The pacer, on a machine that is never late: a late start would push the line."""
    clock = ManualClock()
    return Pacer(
        wired.pacer._lines,
        now_us=clock.now_us,
        sleep=clock.sleep,
        aside=lambda do: do(),
        wait_seconds_max=30,
    )


def _answering(**_request: object) -> AWSResponse:
    """The model, which moto does not have."""
    content = json.dumps(answer(png(Size(16, 16)))).encode()
    headers = HTTPHeaders.from_dict({"content-length": str(len(content))})
    return AWSResponse("https://bedrock.test", 200, headers, io.BytesIO(content))


def _noting(called: list[str]) -> Callable[..., None]:
    def note(model: Any, **_rest: object) -> None:
        called.append(model.name)

    return note


@pytest.fixture
def user_id(calls: list[str]) -> str:
    """A user who has signed in."""
    signed_in = accounts.handler(event("sign_in"), Context())
    calls.clear()
    claims: Mapping[str, str] = signed_in["response"]["claimsOverrideDetails"][
        "claimsToAddOrOverride"
    ]
    return claims["user_id"]


def call(name: str, user_id: str) -> dict[str, Any]:
    """The answer to a signed-in user's request."""
    sent = event(name)
    sent["requestContext"]["authorizer"]["jwt"]["claims"]["user_id"] = user_id
    handlers = {"post_jobs": submit.handler, "get_me": accounts.handler}
    return handlers.get(name, status.handler)(sent, Context())


@pytest.fixture
def job_id(user_id: str, calls: list[str]) -> str:
    """A job that was submitted."""
    body = json.loads(call("post_jobs", user_id)["body"])
    calls.clear()
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


def test_a_submit_makes_two_calls(calls: list[str], user_id: str) -> None:
    assert call("post_jobs", user_id)["statusCode"] == 202
    assert calls == SUBMIT_CALLS


def test_a_submit_that_is_refused_for_its_body_makes_no_call(
    calls: list[str], user_id: str
) -> None:
    sent = event("post_jobs") | {"body": "{}"}
    sent["requestContext"]["authorizer"]["jwt"]["claims"]["user_id"] = user_id
    assert submit.handler(sent, Context())["statusCode"] == 400
    assert calls == []


def test_the_same_again_makes_two_calls_while_the_job_is_queued(
    calls: list[str], user_id: str, job_id: str
) -> None:
    assert json.loads(call("post_jobs", user_id)["body"])["job_id"] == job_id
    assert calls == SUBMIT_CALLS


def test_the_same_again_makes_one_call_when_the_job_is_over(
    calls: list[str], user_id: str, job_id: str
) -> None:
    work(job_id)
    calls.clear()
    assert json.loads(call("post_jobs", user_id)["body"])["status"] == "succeeded"
    assert calls == ["TransactWriteItems"]


def test_a_look_at_a_job_is_one_call(calls: list[str], user_id: str, job_id: str) -> None:
    assert look(job_id, user_id)["statusCode"] == 200
    assert calls == ["GetItem"]


def test_a_look_at_a_finished_job_is_one_call_and_its_url_costs_none(
    calls: list[str], user_id: str, job_id: str
) -> None:
    work(job_id)
    calls.clear()
    image = json.loads(look(job_id, user_id)["body"])["image"]
    assert "X-Amz-Signature" in image["url"]
    assert f"images/{user_id}/{job_id}.png" in image["url"]
    assert calls == ["GetItem"]


def test_a_list_is_one_call(calls: list[str], user_id: str, job_id: str) -> None:
    (job,) = json.loads(call("get_jobs", user_id)["body"])["jobs"]
    assert job["job_id"] == job_id
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
