"""Stalled jobs and dead letters on the deployed stack, with the command that operators type."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest

from sandbox.clients import client_settings
from tests.e2e.stalling import BREAKING, leave_stalled
from tests.e2e.terminal import imagify, imagify_on_aws
from tests.e2e.test_money import audit
from tests.e2e.test_pipeline import WELCOME_CREDITS, balance, follow, submit
from tests.product import Sandbox

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

COST = 2


@pytest.fixture
def sqs(sandbox: Sandbox) -> SQSClient:
    client: SQSClient = boto3.client("sqs", **client_settings(sandbox.state.emulator_url))
    return client


def listed(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    """What the list tells programs, by id."""
    done = imagify(sandbox, "dlq", "list", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    return {
        "jobs": {each["job_id"]: each for each in found["jobs"]},
        "messages": {each["message_id"]: each for each in found["messages"]},
    }


def results(done: Any, kind: str = "jobs") -> list[str]:
    """What a command tells programs that it has done."""
    return [each["result"] for each in json.loads(done.stdout)[kind]]


def test_a_stalled_job_is_seen_redriven_once_and_paid_for_once(
    sandbox: Sandbox, api: httpx.Client
) -> None:
    job_id = leave_stalled(sandbox, api)
    assert balance(api) == {"available": WELCOME_CREDITS - COST, "held": COST}
    assert job_id in imagify(sandbox, "dlq", "list", "--error", "model_failed").stdout
    other = imagify(sandbox, "dlq", "list", "--error", "model_timed_out")
    assert job_id not in other.stdout
    assert "Nothing is stalled by that; " in other.stderr
    shown = imagify_on_aws(sandbox, "dlq", "show", job_id, "--json")
    assert json.loads(shown.stdout)["credits_held"] == COST
    assert BREAKING not in shown.stdout
    tried = imagify(sandbox, "dlq", "redrive", job_id, "--dry-run")
    assert f"{job_id}  would be redriven" in tried.stdout
    assert api.get(f"/jobs/{job_id}").json()["status"] == "stalled"

    done = imagify_on_aws(sandbox, "dlq", "redrive", "--all", "--reason", "it is calm", "--json")
    again = imagify(sandbox, "dlq", "redrive", job_id, "--json")

    assert (done.returncode, again.returncode) == (0, 0), done.stderr + again.stderr
    outcomes = {each["job_id"]: each for each in json.loads(done.stdout)["jobs"]}
    assert outcomes[job_id]["result"] == "redriven"
    assert outcomes[job_id]["messages_deleted"] == 1
    assert results(again) == ["nothing_to_do"]
    assert follow(api, job_id)["status"] == "succeeded"
    assert balance(api) == {"available": WELCOME_CREDITS - COST, "held": 0}
    found = listed(sandbox)
    assert job_id not in found["jobs"]
    assert job_id not in {each["job_id"] for each in found["messages"].values()}
    (act,) = json.loads(imagify(sandbox, "dlq", "show", job_id, "--json").stdout)["acts"]
    assert (act["what"], act["why"]) == ("redriven", "it is calm")
    assert act["by"].startswith("arn:aws:")
    assert audit(sandbox) == []


def test_a_discarded_job_ends_with_its_reason_and_its_credits_given_back(
    sandbox: Sandbox, api: httpx.Client
) -> None:
    job_id = leave_stalled(sandbox, api)
    shown = imagify(sandbox, "dlq", "show", job_id, "--json").stdout
    (message,) = json.loads(shown)["messages"]
    refused = imagify(sandbox, "dlq", "remove", message["message_id"], "--reason", "x")
    assert refused.returncode == 1
    assert "redrive or discard" in refused.stdout

    discard = ("dlq", "discard", job_id, "--reason", "We are sorry.", "--json")
    done, again = imagify(sandbox, *discard), imagify_on_aws(sandbox, *discard)

    assert (done.returncode, again.returncode) == (0, 0), done.stderr + again.stderr
    assert results(done) + results(again) == ["discarded", "nothing_to_do"]
    job = api.get(f"/jobs/{job_id}").json()
    assert (job["status"], job["charge"]["released"]) == ("failed", COST)
    assert job["error"] == {"code": "discarded", "message": "We are sorry."}
    assert balance(api) == {"available": WELCOME_CREDITS, "held": 0}
    assert job_id not in {each["job_id"] for each in listed(sandbox)["messages"].values()}
    assert audit(sandbox) == []


def test_after_a_purge_two_terminals_redrive_a_job_once(
    sandbox: Sandbox, api: httpx.Client, sqs: SQSClient
) -> None:
    job_id = leave_stalled(sandbox, api)
    sqs.purge_queue(QueueUrl=sandbox.outputs.DeadLetterQueueUrl)
    assert listed(sandbox)["jobs"][job_id]["message_in_queue"] is False

    redrive = ("dlq", "redrive", job_id, "--json")
    with ThreadPoolExecutor(2) as terminals:
        both = list(terminals.map(lambda _one: imagify(sandbox, *redrive), range(2)))

    assert [each.returncode for each in both] == [0, 0], [each.stderr for each in both]
    assert sorted(result for each in both for result in results(each)) == [
        "nothing_to_do",
        "redriven",
    ]
    assert follow(api, job_id)["status"] == "succeeded"
    assert balance(api) == {"available": WELCOME_CREDITS - COST, "held": 0}
    assert audit(sandbox) == []


def test_a_redrive_by_the_console_needs_no_other(
    sandbox: Sandbox, api: httpx.Client, sqs: SQSClient
) -> None:
    job_id = leave_stalled(sandbox, api)
    outputs = sandbox.outputs
    dead = sqs.receive_message(QueueUrl=outputs.DeadLetterQueueUrl, MaxNumberOfMessages=10)
    for message in dead["Messages"]:
        if job_id in message["Body"]:
            sqs.send_message(
                QueueUrl=outputs.JobsQueueUrl, MessageBody=message["Body"], MessageGroupId="console"
            )
            receipt = message["ReceiptHandle"]
            sqs.delete_message(QueueUrl=outputs.DeadLetterQueueUrl, ReceiptHandle=receipt)

    assert follow(api, job_id)["status"] == "succeeded"
    done = imagify(sandbox, "dlq", "redrive", job_id, "--json")

    assert (done.returncode, results(done)) == (0, ["nothing_to_do"])
    assert balance(api) == {"available": WELCOME_CREDITS - COST, "held": 0}
    assert audit(sandbox) == []


def test_foreign_and_left_over_messages_are_told_apart_and_taken_out(
    sandbox: Sandbox, api: httpx.Client, sqs: SQSClient
) -> None:
    over = follow(api, submit(api, "a calm day").json()["job_id"])["job_id"]

    def put(body: str) -> str:
        url = sandbox.outputs.DeadLetterQueueUrl
        return sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="x")["MessageId"]

    foreign, left_over = put("hello"), put(json.dumps({"job_id": over}))
    messages = listed(sandbox)["messages"]
    assert (messages[foreign]["what"], messages[left_over]["what"]) == ("unreadable", "left_over")
    assert f"left over: {over} is succeeded" in imagify(sandbox, "dlq", "list").stdout

    remove = ("dlq", "remove", foreign, "--reason", "not ours", "--json")
    tried = imagify(sandbox, *remove, "--dry-run")
    assert foreign in listed(sandbox)["messages"]
    done, again = imagify_on_aws(sandbox, *remove), imagify(sandbox, *remove)
    swept = imagify(sandbox, "dlq", "tidy", "--json")

    assert [results(each, "messages") for each in (tried, done, again)] == [
        ["removed"],
        ["removed"],
        ["nothing_to_do"],
    ]
    assert left_over in {each["message_id"] for each in json.loads(swept.stdout)["messages"]}
    assert {foreign, left_over} & listed(sandbox)["messages"].keys() == set()
    assert imagify(sandbox, "dlq", "remove", "nothing", "--reason", "x").returncode == 1
