"""One message, handed to five of the deployed worker's processes at once, with its own role."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx

from common.api import SubmitRequest
from common.aws.dynamo_jobs import DynamoJobStore
from common.routes import Route
from functions.submit.submit_job import submit_job
from sandbox.clients import client_settings
from tests.contract.backends import at_once, raised
from tests.fakes import START, ManualClock, MemoryQueue
from tests.product import Sandbox

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client

WORKER = "functions.worker.handler.handler"
DELIVERIES = 5
EVENT = Path(__file__).parents[1] / "handlers" / "events" / "sqs.json"


def worker(sandbox: Sandbox) -> Callable[[str], dict[str, Any]]:
    """Delivers one message to the worker, as Lambda's event source does, and gives its answer."""
    client: LambdaClient = boto3.client("lambda", **client_settings(sandbox.state.emulator_url))
    functions = client.list_functions()["Functions"]
    (name,) = [each["FunctionName"] for each in functions if each["Handler"] == WORKER]

    def deliver(event: str) -> dict[str, Any]:
        answer = client.invoke(FunctionName=name, Payload=event)
        said: dict[str, Any] = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, said
        return said

    return deliver


def message(job_id: str, user_id: str) -> str:
    event = json.loads(EVENT.read_text(encoding="utf-8"))
    (record,) = event["Records"]
    record["messageId"] = record["receiptHandle"] = str(uuid.uuid4())
    record["body"] = json.dumps({"job_id": job_id})
    record["attributes"]["MessageGroupId"] = user_id
    return json.dumps(event)


def queued_job(sandbox: Sandbox, api: httpx.Client) -> tuple[str, str]:
    """The ids of a person's job that is paid for and that no message brings; and the person's."""
    user_id: str = api.get("/me").json()["user_id"]
    models: list[dict[str, Any]] = api.get("/models").json()["models"]
    dynamodb: DynamoDBClient = boto3.client(
        "dynamodb", **client_settings(sandbox.state.emulator_url)
    )
    outputs = sandbox.outputs
    job = submit_job(
        SubmitRequest(prompt="five gulls"),
        user_id=user_id,
        key="key",
        jobs=DynamoJobStore(
            dynamodb,
            jobs_table=outputs.JobsTable,
            users_table=outputs.UsersTable,
            ledger_table=outputs.LedgerTable,
        ),
        queue=MemoryQueue(ManualClock()),
        routes=[Route(model=models[0]["model"], region="us-west-2")],
        active_jobs_max=10,
        now=START,
    )
    return job.job_id, user_id


def ledger(sandbox: Sandbox, user_id: str) -> list[str]:
    """Why the user's credits moved."""
    client: DynamoDBClient = boto3.client("dynamodb", **client_settings(sandbox.state.emulator_url))
    entries = client.query(
        TableName=sandbox.outputs.LedgerTable,
        KeyConditionExpression="user_id = :user_id",
        ExpressionAttributeValues={":user_id": {"S": user_id}},
    )["Items"]
    return sorted(entry["kind"]["S"] for entry in entries)


def images(sandbox: Sandbox, user_id: str) -> list[str]:
    client: S3Client = boto3.client("s3", **client_settings(sandbox.state.emulator_url))
    found = client.list_objects_v2(Bucket=sandbox.outputs.ImagesBucket, Prefix=f"images/{user_id}/")
    return [each["Key"] for each in found.get("Contents", [])]


def test_a_message_handed_to_five_workers_at_once_is_one_image_and_one_settle(
    sandbox: Sandbox, api: httpx.Client, control: httpx.Client
) -> None:
    had = api.get("/me").json()["balance"]["available"]
    job_id, user_id = queued_job(sandbox, api)
    deliver = partial(worker(sandbox), message(job_id, user_id))

    def state() -> tuple[object, ...]:
        job = api.get(f"/jobs/{job_id}").json()
        return (
            job["status"],
            job["charge"],
            job["version"],
            control.get("/state").json()["calls"],
            images(sandbox, user_id),
            ledger(sandbox, user_id),
            api.get("/me").json()["balance"],
        )

    assert raised(at_once([deliver] * DELIVERIES)) == []
    done = state()
    assert done == (
        "succeeded",
        {"held": 0, "settled": 2, "released": 0},
        3,
        1,
        [f"images/{user_id}/{job_id}.png"],
        ["grant", "hold", "settle"],
        {"available": had - 2, "held": 0},
    )

    assert at_once([deliver] * DELIVERIES) == [{"batchItemFailures": []}] * DELIVERIES
    assert state() == done
