"""Stalled jobs on the deployed stack: broken until they stall, or left as a worker leaves them."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import boto3
import httpx
import pytest

from common import jobs as lifecycle
from common.api import SubmitRequest
from common.aws.dynamo_jobs import DynamoJobStore
from common.jobs import JobError
from common.wall_clock import utc_now
from functions.submit.submit_job import submit_job
from sandbox.clients import client_settings
from tests.product import Sandbox

BREAKING = "a wreck that breaks the model"
"""A prompt that does."""
STALL_SECONDS_MAX = 150
OTHERS_AT_ONCE = 3


def break_until_stalled(api: httpx.Client, control: httpx.Client, *, others: httpx.Client) -> str:
    """Make a job of `api`'s person stall, and give back its id; the model works again then.

    Others' images are made all the while: else a failure would be nobody's, and the job would wait.
    """
    _settings(control, broken_prompts=[BREAKING], picture="plain")
    job_id = _submit(api, BREAKING)
    drawn: list[str] = []
    deadline = time.monotonic() + STALL_SECONDS_MAX
    while (job := _look(api, job_id))["status"] != "stalled":
        if time.monotonic() > deadline:
            pytest.fail(f"{job_id} is {job['status']}, not stalled")
        drawn = [each for each in drawn if not _look(others, each)["terminal"]]
        if len(drawn) < OTHERS_AT_ONCE:
            drawn.append(_submit(others, "a calm sea"))
        time.sleep(0.3)
    _settings(control, broken_prompts=[], picture="full")
    return job_id


def _settings(control: httpx.Client, **changed: object) -> None:
    control.post("/settings", json=changed).raise_for_status()


def _look(api: httpx.Client, job_id: str) -> dict[str, Any]:
    job: dict[str, Any] = api.get(f"/jobs/{job_id}").raise_for_status().json()
    return job


def _submit(api: httpx.Client, prompt: str) -> str:
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    answer = api.post("/jobs", json={"prompt": prompt}, headers=headers)
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["job_id"]
    return job_id


class _Nowhere:
    """A queue that brings nothing to anybody."""

    def send(self, *_message: object, **_how: object) -> None:
        """Take a message, and lose it."""

    def hide(self, *_message: object, **_how: object) -> None:
        """There is none."""


def leave_stalled(sandbox: Sandbox, api: httpx.Client) -> str:
    """A job of `api`'s person as a worker has left it, its message in the dead-letter queue."""
    settings = client_settings(sandbox.state.emulator_url)
    outputs = sandbox.outputs
    jobs = DynamoJobStore(
        boto3.client("dynamodb", **settings),
        jobs_table=outputs.JobsTable,
        users_table=outputs.UsersTable,
        ledger_table=outputs.LedgerTable,
    )
    job = submit_job(
        SubmitRequest(prompt=BREAKING),
        user_id=api.get("/me").raise_for_status().json()["user_id"],
        key=uuid.uuid4().hex,
        jobs=jobs,
        queue=_Nowhere(),
        routes=sandbox.state.routes,
        active_jobs_max=10,
        now=utc_now(),
    )
    message_id = boto3.client("sqs", **settings).send_message(
        QueueUrl=outputs.DeadLetterQueueUrl,
        MessageBody=json.dumps({"job_id": job.job_id, "sending": job.sendings}),
        MessageGroupId=job.user_id,
    )["MessageId"]
    now = utc_now()
    claimed = lifecycle.claim(job, lease_id="lease", sent_at=now, now=now, lease_seconds=1)
    jobs.save(claimed)
    error = JobError(code="model_failed", message="It broke.")
    jobs.save(lifecycle.stall(claimed, error=error, message_id=message_id, now=utc_now()))
    return job.job_id
