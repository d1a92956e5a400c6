"""Reads a stack's books, while it goes on working.

A table is not read at one moment, so while people submit, what is read first does not fit what is
read last. Whoever seems wrong is therefore looked at once more alone, with the balance read before
and after everything else: a discrepancy counts when it is there while the balance stands still.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from common.aws.payment_records import payment_from
from common.aws.records import entry_from, from_item, job_from, to_item, user_from
from common.jobs import Job
from common.payments import Payment
from common.users import User
from ops.money.books import Books, Discrepancy, audit
from sandbox.state import Outputs

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

TRIES = 5
PAUSE_SECONDS = 0.5
KEYS_MAX = 100
"""Items that one BatchGetItem takes."""

Tell = Callable[[str], None]
Item = Mapping[str, Any]


class BooksReader:
    """The books of one stack."""

    def __init__(
        self,
        outputs: Outputs,
        *,
        dynamodb: DynamoDBClient,
        s3: S3Client,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._outputs = outputs
        self._dynamodb = dynamodb
        self._s3 = s3
        self._sleep = sleep

    def discrepancies(self, tell: Tell) -> tuple[Books, list[Discrepancy]]:
        """The books as they were read, and what is wrong with them at a second look too."""
        books = self.read(tell)
        seen = audit(books)
        suspects = sorted({found.user_id for found in seen} - {""})
        certain = [found for found in seen if not found.user_id]
        for number, user_id in enumerate(suspects, start=1):
            tell(f"Looking closer at {number} of {len(suspects)}")
            one = self._of_user(user_id, books)
            if one is None:
                tell(f"{user_id} moved at every look and is not judged")
            else:
                certain += audit(one)
        return books, sorted(certain)

    def payments(self) -> list[Payment]:
        """All payments, in no order."""
        return [payment_from(item) for item in self._scan(self._outputs.PaymentsTable)]

    def read(self, tell: Tell) -> Books:
        """All there is, as it is read."""
        outputs = self._outputs
        tell("Reading the users")
        users = {user.user_id: user for user in map(_user, self._scan(outputs.UsersTable)) if user}
        tell(f"Reading the ledger of {len(users)} users")
        entries = [entry_from(item) for item in self._scan(outputs.LedgerTable)]
        tell(f"Reading the jobs ({len(entries)} entries are read)")
        jobs = {job.job_id: job for job in map(job_from, self._scan(outputs.JobsTable))}
        tell(f"Reading the payments ({len(jobs)} jobs are read)")
        payments = {payment.txn_ref: payment for payment in self.payments()}
        tell("Listing the images")
        images = frozenset(self._images(""))
        return Books(users=users, entries=entries, jobs=jobs, payments=payments, images=images)

    def _of_user(self, user_id: str, books: Books) -> Books | None:
        """One user's books, read while the balance stood still; None if it never does."""
        for _try in range(TRIES):
            before = self._user(user_id)
            one = self._look(user_id, before, books)
            if self._user(user_id) == before:
                return one
            self._sleep(PAUSE_SECONDS)
        return None

    def _look(self, user_id: str, user: User | None, books: Books) -> Books:
        entries = [entry_from(item) for item in self._ledger(user_id)]
        job_ids = {entry.job_id for entry in entries if entry.job_id}
        job_ids |= {job.job_id for job in books.jobs.values() if job.user_id == user_id}
        txn_refs = {entry.txn_ref for entry in entries if entry.txn_ref}
        txn_refs |= {each.txn_ref for each in books.payments.values() if each.user_id == user_id}
        jobs: dict[str, Job] = {}
        for item in self._items(self._outputs.JobsTable, "job_id", job_ids):
            job = job_from(item)
            jobs[job.job_id] = job
        payments: dict[str, Payment] = {}
        for item in self._items(self._outputs.PaymentsTable, "txn_ref", txn_refs):
            payment = payment_from(item)
            payments[payment.txn_ref] = payment
        return Books(
            users={user_id: user} if user else {},
            entries=entries,
            jobs=jobs,
            payments=payments,
            images=frozenset(self._images(f"{user_id}/")),
        )

    def _user(self, user_id: str) -> User | None:
        answer = self._dynamodb.get_item(
            TableName=self._outputs.UsersTable,
            Key=to_item({"user_id": user_id}),
            ConsistentRead=True,
        )
        return _user(answer.get("Item", {}))

    def _scan(self, table: str) -> Iterator[Item]:
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        for page in pages:
            yield from page["Items"]

    def _ledger(self, user_id: str) -> Iterator[Item]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._outputs.LedgerTable,
            KeyConditionExpression="user_id = :user_id",
            ExpressionAttributeValues=to_item({":user_id": user_id}),
            ConsistentRead=True,
        )
        for page in pages:
            yield from page["Items"]

    def _items(self, table: str, key: str, values: Iterable[str]) -> Iterator[Item]:
        left = [to_item({key: value}) for value in sorted(values)]
        while left:
            asked, left = left[:KEYS_MAX], left[KEYS_MAX:]
            answer = self._dynamodb.batch_get_item(
                RequestItems={table: {"Keys": asked, "ConsistentRead": True}}
            )
            yield from answer["Responses"].get(table, [])
            unread = answer["UnprocessedKeys"].get(table)
            left += unread["Keys"] if unread else []

    def _images(self, owner: str) -> Iterator[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._outputs.ImagesBucket, Prefix=f"images/{owner}"
        )
        for page in pages:
            for image in page.get("Contents", []):
                yield image["Key"]


def _user(item: Item) -> User | None:
    """The user in an item; an address's guard is none."""
    return user_from(item) if "email" in from_item(item) else None
