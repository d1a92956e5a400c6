"""The pipeline as its users meet it: over HTTP, on the deployed stack, with IAM enforced."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import boto3
import httpx
import pytest

from benchmarks.burst import JOBS, burst
from common.config import Config
from sandbox.clients import client_settings
from tests.e2e.stalling import break_until_stalled
from tests.product import MODEL_LATENCY_SECONDS, Sandbox, SignedIn

END_SECONDS_MAX = 90
WELCOME_CREDITS = Config().welcome_credits
OpenApi = Callable[[SignedIn | None], httpx.Client]


def submit(api: httpx.Client, prompt: str, key: str | None = None, **fields: Any) -> httpx.Response:
    headers = {"Idempotency-Key": key or uuid.uuid4().hex}
    return api.post("/jobs", json={"prompt": prompt, **fields}, headers=headers)


def follow(api: httpx.Client, job_id: str, *, until: str = "terminal") -> dict[str, Any]:
    deadline = time.monotonic() + END_SECONDS_MAX
    while time.monotonic() < deadline:
        job: dict[str, Any] = api.get(f"/jobs/{job_id}").raise_for_status().json()
        if job["terminal"] or job["status"] == until:
            return job
        time.sleep(0.5)
    pytest.fail(f"{job_id} did not end in {END_SECONDS_MAX} s")


def balance(api: httpx.Client) -> dict[str, int]:
    found: dict[str, int] = api.get("/me").raise_for_status().json()["balance"]
    return found


def dead_letters(sandbox: Sandbox) -> int:
    sqs = boto3.client("sqs", **client_settings(sandbox.state.emulator_url))
    answer = sqs.get_queue_attributes(
        QueueUrl=sandbox.outputs.DeadLetterQueueUrl,
        AttributeNames=["ApproximateNumberOfMessages"],
    )
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


def test_a_prompt_becomes_a_paid_for_image(api: httpx.Client) -> None:
    accepted = submit(api, "a lighthouse in the fog", aspect_ratio="16:9", seed=7)

    assert accepted.status_code == 202
    assert accepted.headers["retry-after"]
    job = accepted.json()
    assert accepted.headers["location"] == job["urls"]["self"] == f"/jobs/{job['job_id']}"
    assert job["charge"] == {"held": 2, "settled": 0, "released": 0}

    done = follow(api, job["job_id"])
    assert done["status"] == "succeeded"
    assert done["charge"] == {"held": 0, "settled": 2, "released": 0}
    assert (done["image"]["width"], done["image"]["height"]) == (1344, 768)
    image = httpx.get(done["image"]["url"], trust_env=False)
    assert image.status_code == 200
    assert len(image.content) == done["image"]["bytes"]
    assert balance(api) == {"available": WELCOME_CREDITS - 2, "held": 0}
    assert api.get("/jobs").json()["jobs"][0]["job_id"] == job["job_id"]


def test_an_unseen_job_is_304_and_an_image_is_private(api: httpx.Client) -> None:
    job = follow(api, submit(api, "a harbour").json()["job_id"])
    seen = api.get(f"/jobs/{job['job_id']}")

    again = api.get(f"/jobs/{job['job_id']}", headers={"If-None-Match": seen.headers["etag"]})
    unsigned = httpx.get(job["image"]["url"].partition("?")[0], trust_env=False)

    assert (again.status_code, again.content) == (304, b"")
    assert unsigned.status_code == 403


def test_a_repeated_submit_is_the_same_job(api: httpx.Client) -> None:
    key = uuid.uuid4().hex
    first = submit(api, "a pier", key).json()
    second = submit(api, "a pier", key)
    other = submit(api, "another pier", key)
    done = follow(api, first["job_id"])
    third = submit(api, "a pier", key)

    assert second.json()["job_id"] == first["job_id"] == third.json()["job_id"]
    assert third.json()["image"]["bytes"] == done["image"]["bytes"]
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert balance(api) == {"available": WELCOME_CREDITS - 2, "held": 0}


def test_a_refused_prompt_costs_nothing(api: httpx.Client, control: httpx.Client) -> None:
    job = follow(api, submit(api, "gore").json()["job_id"])

    assert (job["status"], job["error"]["code"]) == ("failed", "content_refused")
    assert (job["charge"]["released"], job["retryable"]) == (2, False)
    assert balance(api) == {"available": WELCOME_CREDITS, "held": 0}
    assert control.get("/state").json()["calls"] == 1


@pytest.mark.parametrize("fault", ["throttle", "internal"])
def test_a_model_that_fails_twice_is_asked_again(
    api: httpx.Client, control: httpx.Client, fault: str
) -> None:
    control.post("/behaviour", json={"kind": fault, "calls": 2}).raise_for_status()

    job = follow(api, submit(api, "a buoy").json()["job_id"])

    assert job["status"] == "succeeded"
    assert control.get("/state").json()["calls"] == 3
    assert balance(api) == {"available": WELCOME_CREDITS - 2, "held": 0}


def test_a_job_that_keeps_breaking_its_model_stalls_visibly(
    api: httpx.Client, others: httpx.Client, control: httpx.Client, sandbox: Sandbox
) -> None:
    before = dead_letters(sandbox)

    job = follow(api, break_until_stalled(api, control, others=others), until="stalled")

    assert (job["status"], job["terminal"], job["error"]["code"]) == (
        "stalled",
        False,
        "model_failed",
    )
    assert balance(api) == {"available": WELCOME_CREDITS - 2, "held": 2}
    deadline = time.monotonic() + END_SECONDS_MAX
    while dead_letters(sandbox) == before and time.monotonic() < deadline:
        time.sleep(0.5)
    assert dead_letters(sandbox) == before + 1


def test_nobody_sees_anothers_job(open_api: OpenApi, new_person: Callable[[], SignedIn]) -> None:
    owner, stranger = open_api(new_person()), open_api(new_person())
    job_id = submit(owner, "a secret cove").json()["job_id"]

    assert stranger.get(f"/jobs/{job_id}").status_code == 404
    assert stranger.delete(f"/jobs/{job_id}").status_code == 404
    assert stranger.get("/jobs").json()["jobs"] == []
    assert follow(owner, job_id)["status"] == "succeeded"


def test_nobody_is_refused_everything_that_is_somebodys(open_api: OpenApi) -> None:
    nobody = open_api(None)

    assert [nobody.get(path).status_code for path in ("/jobs", "/jobs/job_0", "/me")] == [401] * 3
    assert submit(nobody, "a raft").status_code == 401
    for path in ("/health", "/models", "/openapi.json", "/docs"):
        assert nobody.get(path).status_code == 200


def test_forty_jobs_at_once_all_succeed(sandbox: Sandbox, control: httpx.Client) -> None:
    before = dead_letters(sandbox)

    (expected,) = sandbox.state.routes
    figures = burst(
        sandbox.state,
        rate=expected.rate_per_second,
        latency_seconds=MODEL_LATENCY_SECONDS,
    )

    assert figures.succeeded == JOBS
    assert figures.dead_letters == before
    assert (figures.credits_held, figures.credits_settled) == (0, 2 * JOBS)
    assert figures.model_calls == JOBS + figures.throttled
    # On a crowded machine a start may leave some milliseconds late; without the pace, 40 would
    # come within a second or two.
    (route,) = control.get("/state").json()["routes"].values()
    assert route["early_seconds_max"] < 0.3
    assert figures.violations <= 4
