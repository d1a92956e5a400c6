"""The AWS side of the contract suites: clients, and the same keys and indexes as the stack."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import boto3
import pytest
from botocore.config import Config

from common.aws.records import from_item, to_item
from common.credits import EntryKind, LedgerEntry
from common.ports import JobStore, UserStore
from common.settings import EMAIL_INDEX, USER_INDEX

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

MEMORY = "memory"
MOTO = "moto"
EMULATOR = "emulator"

on_threads = pytest.mark.parametrize(
    "backend",
    [MEMORY, pytest.param(EMULATOR, marks=pytest.mark.emulator)],
    indirect=True,
)
"""For races: moto's transactions are not safe under threads."""

REGION: Literal["ap-southeast-1"] = "ap-southeast-1"
USERS_TABLE = "Users"
JOBS_TABLE = "Jobs"
LEDGER_TABLE = "Ledger"
ROUTES_TABLE = "Routes"
BUCKET = "contract-images"
VISIBILITY_SECONDS = 30

Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where AWS is; None is AWS's own address, which moto answers for."""

    url: str | None
    region: str = REGION


@dataclass(frozen=True, kw_only=True)
class Stores:
    """The stores that share tables, and a way to read the ledger that they write."""

    jobs: JobStore
    users: UserStore
    ledger: Callable[[str], Sequence[LedgerEntry]]


@dataclass(frozen=True, kw_only=True)
class Aws:
    """Clients of one AWS."""

    dynamodb: DynamoDBClient
    sqs: SQSClient
    s3: S3Client

    @classmethod
    def at(cls, endpoint: Endpoint) -> Aws:
        session = _session(endpoint.region)
        config = Config(
            connect_timeout=2,
            read_timeout=20,
            retries={"mode": "standard", "total_max_attempts": 1},
            max_pool_connections=50,
            proxies={},
        )
        signed = config.merge(Config(signature_version="s3v4", s3={"addressing_style": "path"}))
        url = endpoint.url
        return cls(
            dynamodb=session.client("dynamodb", endpoint_url=url, config=config),
            sqs=session.client("sqs", endpoint_url=url, config=config),
            s3=session.client("s3", endpoint_url=url, config=signed),
        )

    def create(self) -> None:
        """Make the tables and the bucket, with the keys and indexes of `infra/storage.py`."""
        self._table(USERS_TABLE, ["user_id"], {EMAIL_INDEX: ["email"]})
        self._table(JOBS_TABLE, ["job_id"], {USER_INDEX: ["user_id", "created_at"]})
        self._table(LEDGER_TABLE, ["user_id", "entry_id"])
        self._table(ROUTES_TABLE, ["route"])
        self.s3.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )

    def new_queue(self, name: str) -> str:
        """A queue of its own, whose messages come back after `VISIBILITY_SECONDS`."""
        answer = self.sqs.create_queue(
            QueueName=name, Attributes={"VisibilityTimeout": str(VISIBILITY_SECONDS)}
        )
        return answer["QueueUrl"]

    def ledger(self, user_id: str) -> list[LedgerEntry]:
        """The user's entries as they are stored."""
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=LEDGER_TABLE,
            KeyConditionExpression="user_id = :user_id",
            ExpressionAttributeValues=to_item({":user_id": user_id}),
            ConsistentRead=True,
        )
        return [_entry(from_item(item)) for page in pages for item in page["Items"]]

    def close(self) -> None:
        for client in (self.dynamodb, self.sqs, self.s3):
            client.close()

    def _table(
        self, name: str, key: list[str], indexes: Mapping[str, list[str]] | None = None
    ) -> None:
        indexes = indexes or {}
        attributes = {*key, *(name for key in indexes.values() for name in key)}
        table: dict[str, Any] = {
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": _schema(key),
            "AttributeDefinitions": [
                {"AttributeName": attribute, "AttributeType": "S"}
                for attribute in sorted(attributes)
            ],
        }
        if indexes:
            table["GlobalSecondaryIndexes"] = [
                {
                    "IndexName": index,
                    "KeySchema": _schema(index_key),
                    "Projection": {"ProjectionType": "ALL"},
                }
                for index, index_key in indexes.items()
            ]
        self.dynamodb.create_table(**table)


@cache
def _session(region: str) -> boto3.session.Session:
    """One for all tests: reading the services' descriptions is what makes clients slow to make."""
    return boto3.session.Session(
        aws_access_key_id="test", aws_secret_access_key="test", region_name=region
    )


def at_once(calls: Sequence[Callable[[], Result]]) -> list[Result | Exception]:
    """Make all the calls at the same moment, a thread each; answer what each gave or raised."""
    barrier = threading.Barrier(len(calls))

    def one(call: Callable[[], Result]) -> Result | Exception:
        barrier.wait(timeout=30)
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - the test looks at what was raised
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


def raised(answers: Sequence[object]) -> list[type[BaseException]]:
    """The types of the errors among the answers."""
    return [type(answer) for answer in answers if isinstance(answer, BaseException)]


def _schema(key: Sequence[str]) -> list[dict[str, str]]:
    return [
        {"AttributeName": name, "KeyType": kind}
        for name, kind in zip(key, ("HASH", "RANGE"), strict=False)
    ]


def _entry(values: Mapping[str, Any]) -> LedgerEntry:
    return LedgerEntry(
        user_id=values["user_id"],
        entry_id=values["entry_id"],
        kind=EntryKind(values["kind"]),
        created_at=datetime.fromisoformat(values["created_at"]),
        available=int(values["available"]),
        held=int(values["held"]),
        active_jobs=int(values["active_jobs"]),
        job_id=values.get("job_id"),
        reason=values.get("reason"),
    )
