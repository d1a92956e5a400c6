"""Jobs in DynamoDB, and the credits that move with them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from common.acts import Act
from common.aws.dynamo_acts import act_put
from common.aws.errors import service_errors
from common.aws.records import (
    balance_from,
    from_item,
    job_from,
    job_item,
    position,
    time_text,
    to_item,
)
from common.aws.transactions import Refused, balance_update, entry_put, put_alone, transact
from common.credits import LedgerEntry, apply
from common.errors import NotFound, StaleWrite
from common.indexes import DUE_INDEX, USER_INDEX, WAITING_INDEX
from common.jobs import TERMINAL, Job, JobStatus, Waiting
from common.pages import Page

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

READ_MAX = 200
"""Jobs read for one page at most, however few of them match."""
WAITING_MAX = 5_000
"""Queued jobs of one model read at most, about a megabyte: 40 minutes of work at 2 a second."""


class DynamoJobStore:
    """The Jobs table, with the Users and Ledger items that a job's credits touch."""

    def __init__(
        self,
        client: DynamoDBClient,
        *,
        jobs_table: str,
        users_table: str,
        ledger_table: str,
        acts_table: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._jobs_table = jobs_table
        self._users_table = users_table
        self._ledger_table = ledger_table
        self._acts_table = acts_table
        self._sleep = sleep

    def get(self, job_id: str) -> Job | None:
        """Read one job, consistently."""
        with service_errors("Reading a job"):
            answer = self._client.get_item(
                TableName=self._jobs_table, Key=to_item({"job_id": job_id}), ConsistentRead=True
            )
        return job_from(answer["Item"]) if "Item" in answer else None

    def open(self, job: Job, hold: LedgerEntry, *, active_jobs_max: int) -> Job:
        """Write the job, its hold and the ledger entry in one transaction."""
        writes = [
            self._job_put(job, "attribute_not_exists(job_id)"),
            balance_update(self._users_table, hold, active_jobs_max=active_jobs_max),
            entry_put(self._ledger_table, hold),
        ]
        try:
            transact(self._client, writes, sleep=self._sleep)
        except Refused as refused:
            return self._explain_open(job, hold, refused, active_jobs_max)
        return job

    def save(self, job: Job, *, entry: LedgerEntry | None = None, act: Act | None = None) -> None:
        """Write the job over the version before it, with what it moves and the act, or nothing."""
        writes = [self._job_put(job, "version = :before", {":before": job.version - 1})]
        if entry is not None:
            writes.append(balance_update(self._users_table, entry))
            writes.append(entry_put(self._ledger_table, entry))
        if act is not None:
            if self._acts_table is None:
                raise ValueError("This store was not told where acts are kept.")
            writes.append(act_put(self._acts_table, act))
        if len(writes) == 1:
            put = writes[0]["Put"]
            met = put_alone(self._client, put, what="Writing a job", sleep=self._sleep)
            if met is not None:
                self._accept_if_written(job, met)
            return
        try:
            transact(self._client, writes, sleep=self._sleep)
        except Refused as refused:
            self._accept_if_written(job, refused.items[0])

    def page(
        self,
        user_id: str,
        *,
        limit: int,
        status: JobStatus | None = None,
        after: tuple[str, str] | None = None,
    ) -> Page[Job]:
        """Query the user's jobs by time, newest first, until the page is full or enough is read."""
        statuses = None if status is None else (status,)
        return self._page(user_id, limit=limit, statuses=statuses, after=after)

    def active(self, user_id: str, *, limit: int) -> tuple[Job, ...]:
        """Those of the user's latest jobs that are not terminal."""
        statuses = tuple(status for status in JobStatus if status not in TERMINAL)
        return self._page(user_id, limit=limit, statuses=statuses, after=None).items

    def _page(
        self,
        user_id: str,
        *,
        limit: int,
        statuses: Sequence[JobStatus] | None,
        after: tuple[str, str] | None,
    ) -> Page[Job]:
        query: dict[str, Any] = {
            "TableName": self._jobs_table,
            "IndexName": USER_INDEX,
            "KeyConditionExpression": "user_id = :user_id",
            "ExpressionAttributeValues": to_item({":user_id": user_id}),
            "ScanIndexForward": False,
            "Limit": limit,
        }
        if statuses is not None:
            # DynamoDB counts before it filters, so a page of some statuses reads ahead.
            query["Limit"] = READ_MAX
            wanted = {f":status{number}": str(status) for number, status in enumerate(statuses)}
            query["FilterExpression"] = f"#status IN ({', '.join(wanted)})"
            query["ExpressionAttributeNames"] = {"#status": "status"}
            query["ExpressionAttributeValues"] |= to_item(wanted)
        if after is not None:
            query["ExclusiveStartKey"] = to_item(
                {"user_id": user_id, "created_at": after[0], "job_id": after[1]}
            )
        found: list[Job] = []
        read = 0
        while True:
            with service_errors("Listing jobs"):
                answer = self._client.query(**query)
            found += [job_from(item) for item in answer["Items"]]
            read += answer["ScannedCount"]
            key = answer.get("LastEvaluatedKey")
            if len(found) > limit:
                last = found[limit - 1]
                return Page(tuple(found[:limit]), (time_text(last.created_at), last.job_id))
            if not key or len(found) == limit or read >= READ_MAX:
                return Page(tuple(found), position(key, "job_id"))
            query["ExclusiveStartKey"] = key

    def waiting(self, model: str) -> Waiting:
        """Query the queued jobs of the model, by the sparse index that only they are in."""
        query: dict[str, Any] = {
            "TableName": self._jobs_table,
            "IndexName": WAITING_INDEX,
            "KeyConditionExpression": "waiting = :model",
            "ExpressionAttributeValues": to_item({":model": model}),
            "Limit": WAITING_MAX,
        }
        found: list[tuple[datetime, str]] = []
        while True:
            with service_errors("Reading who waits"):
                answer = self._client.query(**query)
            items = map(from_item, answer["Items"])
            found += [(datetime.fromisoformat(at["created_at"]), at["job_id"]) for at in items]
            key = answer.get("LastEvaluatedKey")
            if not key or len(found) >= WAITING_MAX:
                # The index keeps no order among those of the same moment.
                return Waiting(tuple(sorted(found)), complete=not key)
            query["ExclusiveStartKey"] = key

    def due(self, status: JobStatus, *, before: datetime, limit: int) -> tuple[str, ...]:
        """Query the sparse index that jobs are in until they are over."""
        query: dict[str, Any] = {
            "TableName": self._jobs_table,
            "IndexName": DUE_INDEX,
            "KeyConditionExpression": "due = :status AND look_at <= :before",
            "ExpressionAttributeValues": to_item(
                {":status": str(status), ":before": time_text(before)}
            ),
            "Limit": limit,
        }
        job_ids: list[str] = []
        while True:
            with service_errors("Looking for jobs"):
                answer = self._client.query(**query)
            job_ids += [str(from_item(item)["job_id"]) for item in answer["Items"]]
            if len(job_ids) >= limit or "LastEvaluatedKey" not in answer:
                return tuple(job_ids[:limit])
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def count(self, status: JobStatus) -> int:
        """Count the status's part of the sparse index."""
        query: dict[str, Any] = {
            "TableName": self._jobs_table,
            "IndexName": DUE_INDEX,
            "KeyConditionExpression": "due = :status",
            "ExpressionAttributeValues": to_item({":status": str(status)}),
            "Select": "COUNT",
        }
        number = 0
        while True:
            with service_errors("Counting jobs"):
                answer = self._client.query(**query)
            number += answer["Count"]
            if "LastEvaluatedKey" not in answer:
                return number
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _job_put(
        self, job: Job, condition: str, values: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        put: dict[str, Any] = {
            "TableName": self._jobs_table,
            "Item": job_item(job),
            "ConditionExpression": condition,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if values:
            put["ExpressionAttributeValues"] = to_item(values)
        return {"Put": put}

    @staticmethod
    def _accept_if_written(job: Job, met: Mapping[str, Any] | None) -> None:
        """Meeting just what was to be written means that it was: its answer had been lost."""
        if not met or job_from(met) != job:
            raise StaleWrite(f"{job.job_id} is no longer at version {job.version - 1}.")

    def _explain_open(
        self, job: Job, hold: LedgerEntry, refused: Refused, active_jobs_max: int
    ) -> Job:
        """The job already there, or the error that the user's balance means."""
        met_job, met_user, _met_entry = refused.items
        # DynamoDB need not name every condition that failed: an older job goes before the balance.
        existing = job_from(met_job) if met_job else self.get(job.job_id)
        if existing is not None:
            return existing
        if met_user == {}:
            raise NotFound("There is no such user.", code="unknown_user")
        if met_user is not None:
            apply(balance_from(met_user), hold, active_jobs_max=active_jobs_max)
        raise StaleWrite("The balance changed while the job was opened.")
