"""An earlier image, over HTTP: asked for with `allow_cached`, told with `cached`, never charged."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from common.lines import FAILURES_MAX, US, Line
from functions.worker.handler import handler
from tests.fakes import Message
from tests.handlers.calls import Answer, Api, Context, event
from tests.handlers.test_vnpay_calls import counted
from tests.world import CORE_COST, CREDITS, PROMPT, World

ASKED = {"prompt": PROMPT, "allow_cached": True}


def deliver(message: Message) -> dict[str, Any]:
    """The worker's answer to a delivery."""
    sent = event("sqs")
    (record,) = sent["Records"]
    record["body"] = json.dumps({"job_id": message.job_id})
    record["messageId"] = message.message_id
    record["receiptHandle"] = message.receipt_handle
    return handler(sent, Context())


def break_(world: World) -> None:
    """Put every route out of order, for an hour."""
    retry_us = world.clock.now_us() + 3600 * US
    for route in world.worker_settings.routes:
        world.lines._lines[route.name] = Line(failures=FAILURES_MAX, retry_us=retry_us)


@pytest.fixture
def first(api: Api) -> dict[str, Any]:
    """A job that was done before the model broke."""
    job_id = api.call("post_jobs", body={"prompt": PROMPT}).json["job_id"]
    api.world.work_until_terminal(job_id)
    api.world.clock.advance(1)
    break_(api.world)
    return api.call("get_job", job_id=job_id).json


def submit(api: Api, **asked: Any) -> Answer:
    return api.call("post_jobs", body=asked, headers={"idempotency-key": "later"})


def test_a_job_made_by_the_model_is_not_cached(first: dict[str, Any]) -> None:
    assert first["cached"] is False
    assert first["charge"] == {"held": 0, "settled": CORE_COST, "released": 0}


def test_an_earlier_image_is_shown_as_one_and_costs_nothing(
    api: Api, first: dict[str, Any]
) -> None:
    queued = submit(api, **ASKED)
    assert (queued.status, queued.json["cached"]) == (202, False)
    assert deliver(api.world.next_message()) == {"batchItemFailures": []}
    answer = api.call("get_job", job_id=queued.json["job_id"])
    job = answer.json
    assert (job["status"], job["terminal"], job["cached"]) == ("succeeded", True, True)
    assert job["charge"] == {"held": 0, "settled": 0, "released": CORE_COST}
    assert job["image"]["url"].startswith(first["image"]["url"].partition("?")[0])
    assert job["seed"] == first["seed"], "the seed that made it"
    assert answer.headers["ETag"] != queued.headers["ETag"]
    balance = api.world.tables.users["usr_ann"].balance
    assert (balance.available, balance.held) == (CREDITS - CORE_COST, 0)
    kinds = [entry["kind"] for entry in api.call("get_ledger").json["entries"]]
    assert kinds[:2] == ["release", "hold"]
    (listed,) = [each for each in api.call("get_jobs").json["jobs"] if each["cached"]]
    assert listed["job_id"] == job["job_id"]
    assert submit(api, **ASKED).json["image"] is not None, "the same again is the same job"
    api.world.audit()


def test_a_job_that_does_not_allow_it_stays_queued(api: Api, first: dict[str, Any]) -> None:
    job_id = submit(api, prompt=PROMPT).json["job_id"]
    deliver(api.world.next_message())
    job = api.call("get_job", job_id=job_id).json
    assert (job["status"], job["cached"], job["image"]) == ("queued", False, None)
    assert first["image"] is not None


def test_allowing_it_is_another_request(api: Api) -> None:
    assert submit(api, prompt=PROMPT).status == 202
    assert submit(api, prompt=PROMPT, allow_cached=False).status == 202
    assert submit(api, **ASKED).problem == (422, "idempotency_key_reused")


def test_a_recalled_image_is_counted_and_told_which(
    api: Api, first: dict[str, Any], written: Callable[[], str]
) -> None:
    submit(api, **ASKED)
    written()
    deliver(api.world.next_message())
    logged = written()
    assert "JobsRecalled" in counted(logged)
    assert f'"image_of":"{first["job_id"]}"' in logged
