"""What `benchmarks.coldstart` compares with: the same calls to AWS, and nothing around them.

Each function here makes the clients that the product's function needs for the request, with the
same configuration, makes the same calls with the same tables, and answers with JSON. It checks
nothing, logs nothing, and knows no errors: whoever wrote the product in one afternoon would start
like this, and no handler on boto3 can start faster.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config

CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=10,
    tcp_keepalive=True,
)
ENV = os.environ
USER = {"user_id": {"S": "usr_ann"}}
JOB_ID = "job_00000000000000000000000000000001"
NOW = "2026-11-01T12:00:00.000000Z"
IF_NEW = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
MODEL = "stability.stable-image-core-v1:1"


def _client(service: Any) -> Any:
    return boto3.client(service, region_name=ENV["HOME_REGION"], config=CONFIG)


def _outlook(dynamodb: Any) -> dict[str, Any]:
    waiting = dynamodb.query(
        TableName=ENV["JOBS_TABLE"],
        IndexName="WaitingIndex",
        KeyConditionExpression="waiting = :model",
        ExpressionAttributeValues={":model": {"S": MODEL}},
        Limit=5_000,
    )
    table = ENV["ROUTES_TABLE"]
    keys = [{"route": {"S": f"{MODEL}@us-west-2"}}]
    dynamodb.batch_get_item(RequestItems={table: {"Keys": keys, "ConsistentRead": True}})
    return {"position": waiting["Count"] + 1, "eta_seconds": 14}


def submit(event: dict[str, Any]) -> dict[str, Any]:
    """POST /jobs: the transaction, the message, and the two reads that tell of the wait."""
    dynamodb, sqs = _client("dynamodb"), _client("sqs")
    prompt = json.loads(event["body"])["prompt"]
    texts = {
        "job_id": JOB_ID,
        "prompt": prompt,
        "model": MODEL,
        "aspect_ratio": "1:1",
        "fingerprint": "0" * 64,
        "status": "queued",
        "created_at": NOW,
        "waiting": MODEL,
        "due": "queued",
        "look_at": NOW,
    }
    numbers = {"seed": 7, "cost": 2, "version": 1, "attempts": 0, "sendings": 1}
    job: dict[str, Any] = {**USER, **{name: {"S": text} for name, text in texts.items()}}
    job |= {name: {"N": str(number)} for name, number in numbers.items()}
    entry = {
        **USER,
        "entry_id": {"S": f"job#{JOB_ID}#hold"},
        "kind": {"S": "hold"},
        "available": {"N": "-2"},
        "held": {"N": "2"},
        "active_jobs": {"N": "1"},
        "created_at": {"S": NOW},
    }
    dynamodb.transact_write_items(
        TransactItems=[
            {
                "Put": {
                    "TableName": ENV["JOBS_TABLE"],
                    "Item": job,
                    "ConditionExpression": "attribute_not_exists(job_id)",
                    **IF_NEW,
                }
            },
            {
                "Update": {
                    "TableName": ENV["USERS_TABLE"],
                    "Key": USER,
                    "UpdateExpression": "SET available = available + :a, held = held + :h",
                    "ConditionExpression": "available >= :taken",
                    "ExpressionAttributeValues": {
                        ":a": {"N": "-2"},
                        ":h": {"N": "2"},
                        ":taken": {"N": "2"},
                    },
                    **IF_NEW,
                }
            },
            {
                "Put": {
                    "TableName": ENV["LEDGER_TABLE"],
                    "Item": entry,
                    "ConditionExpression": "attribute_not_exists(entry_id)",
                    **IF_NEW,
                }
            },
        ]
    )
    sqs.send_message(
        QueueUrl=ENV["QUEUE_URL"],
        MessageBody=json.dumps({"job_id": JOB_ID, "sending": 1}),
        MessageGroupId="usr_ann",
        DelaySeconds=0,
    )
    return _answer(202, {"job_id": JOB_ID, "prompt": prompt, "queue": _outlook(dynamodb)})


def status(event: dict[str, Any]) -> dict[str, Any]:
    """GET /jobs/{job_id} of a queued job: the job, and the two reads that tell of the wait."""
    dynamodb = _client("dynamodb")
    job_id = event["pathParameters"]["job_id"]
    item = dynamodb.get_item(
        TableName=ENV["JOBS_TABLE"], Key={"job_id": {"S": job_id}}, ConsistentRead=True
    )["Item"]
    job = {name: next(iter(value.values())) for name, value in item.items()}
    return _answer(200, {**job, "queue": _outlook(dynamodb)})


def accounts(_event: dict[str, Any]) -> dict[str, Any]:
    """GET /me: the user."""
    user = _client("dynamodb").get_item(
        TableName=ENV["USERS_TABLE"], Key=USER, ConsistentRead=True
    )["Item"]
    return _answer(200, {name: next(iter(value.values())) for name, value in user.items()})


def payments(event: dict[str, Any]) -> dict[str, Any]:
    """POST /payments: the merchant's account, the payments that are open, and the new one."""
    dynamodb, ssm = _client("dynamodb"), _client("ssm")
    wanted = json.loads(event["body"])["package"]
    ssm.get_parameter(Name=ENV["VNPAY_PARAMETER"], WithDecryption=True)
    dynamodb.query(
        TableName=ENV["PAYMENTS_TABLE"],
        IndexName="UserIndex",
        KeyConditionExpression="user_id = :user_id",
        ExpressionAttributeValues={":user_id": USER["user_id"]},
        ScanIndexForward=False,
        Limit=20,
    )
    texts = {"txn_ref": "IMG" + "0" * 32, "package": wanted, "created_at": NOW, "expires_at": NOW}
    dynamodb.put_item(
        TableName=ENV["PAYMENTS_TABLE"],
        Item={**USER, **{name: {"S": text} for name, text in texts.items()}},
        ConditionExpression="attribute_not_exists(txn_ref)",
        **IF_NEW,
    )
    return _answer(201, texts)


def feed(_event: dict[str, Any]) -> dict[str, Any]:
    """POST /feed/tickets: the ticket."""
    item = {
        "connection_id": {"S": "ticket#" + "0" * 64},
        "ticket_of": USER["user_id"],
        "expires_at": {"N": str(int(time.time()) + 60)},
    }
    _client("dynamodb").put_item(TableName=ENV["CONNECTIONS_TABLE"], Item=item)
    return _answer(201, {"ticket": "0" * 43})


HANDLERS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "submit": submit,
    "status": status,
    "accounts": accounts,
    "payments": payments,
    "feed": feed,
}


def _answer(status_code: int, body: dict[str, Any]) -> dict[str, Any]:
    headers = {"Content-Type": "application/json"}
    return {"statusCode": status_code, "headers": headers, "body": json.dumps(body)}
