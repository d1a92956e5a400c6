"""The AWS side of the contract suites: clients, and the same keys and indexes as the stack."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import boto3
import pytest
from botocore.config import Config

from common.aws.records import entry_from, to_item
from common.credits import LedgerEntry
from common.indexes import DUE_INDEX, EMAIL_INDEX, TIME_INDEX, USER_INDEX, WAITING_INDEX
from common.ports import ActLog, Granter, JobStore, LedgerReader, PaymentStore, UserStore

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
PAYMENTS_TABLE = "Payments"
ROUTES_TABLE = "Routes"
ACTS_TABLE = "Acts"
CONNECTIONS_TABLE = "Connections"
BUCKET = "contract-images"
VISIBILITY_SECONDS = 30

Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where AWS is; None is AWS's own address, which moto answers for."""

    url: str | None
    region: str = REGION


class Books(LedgerReader, Granter, Protocol):
    """The ledger, read by time and written to by hand."""


@dataclass(frozen=True, kw_only=True)
class Stores:
    """The stores that share tables, and a way to read all that they write into the ledger."""

    jobs: JobStore
    users: UserStore
    payments: PaymentStore
    books: Books
    acts: ActLog
    ledger: Callable[[str], Sequence[LedgerEntry]]


@dataclass(frozen=True)
class Index:
    """An index of a table; a local one is read consistently."""

    name: str
    key: list[str]
    local: bool = False
    projection: Literal["ALL", "KEYS_ONLY"] = "ALL"


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
        self._table(USERS_TABLE, ["user_id"], Index(EMAIL_INDEX, ["email"]))
        self._table(
            JOBS_TABLE,
            ["job_id"],
            Index(USER_INDEX, ["user_id", "created_at"]),
            Index(WAITING_INDEX, ["waiting", "created_at"], projection="KEYS_ONLY"),
            Index(DUE_INDEX, ["due", "look_at"], projection="KEYS_ONLY"),
        )
        self._table(
            LEDGER_TABLE,
            ["user_id", "entry_id"],
            Index(TIME_INDEX, ["user_id", "created_at"], local=True),
        )
        self._table(
            PAYMENTS_TABLE,
            ["txn_ref"],
            Index(USER_INDEX, ["user_id", "created_at"]),
            Index(DUE_INDEX, ["due", "due_at"], projection="KEYS_ONLY"),
        )
        self._table(ROUTES_TABLE, ["route"])
        self._table(ACTS_TABLE, ["subject", "act_id"])
        self._table(CONNECTIONS_TABLE, ["connection_id"], Index(USER_INDEX, ["user_id"]))
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
        return [entry_from(item) for page in pages for item in page["Items"]]

    def close(self) -> None:
        for client in (self.dynamodb, self.sqs, self.s3):
            client.close()

    def _table(self, name: str, key: list[str], *indexes: Index) -> None:
        attributes = {*key, *(attribute for index in indexes for attribute in index.key)}
        table: dict[str, Any] = {
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": _schema(key),
            "AttributeDefinitions": [
                {"AttributeName": attribute, "AttributeType": "S"}
                for attribute in sorted(attributes)
            ],
        }
        for index in indexes:
            kind = "LocalSecondaryIndexes" if index.local else "GlobalSecondaryIndexes"
            table.setdefault(kind, []).append(
                {
                    "IndexName": index.name,
                    "KeySchema": _schema(index.key),
                    "Projection": {"ProjectionType": index.projection},
                }
            )
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
