"""The ledger in DynamoDB: read by time, and written for what no job or payment moves."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from common.aws.errors import service_errors
from common.aws.records import balance_from, entry_from, position, to_item
from common.aws.transactions import Refused, balance_update, entry_put, transact
from common.credits import LedgerEntry, apply, same_move
from common.errors import NotFound, StaleWrite
from common.indexes import TIME_INDEX
from common.pages import Page

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoLedger:
    """The Ledger table, with the Users items whose balances it explains."""

    def __init__(
        self,
        client: DynamoDBClient,
        *,
        users_table: str,
        ledger_table: str,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._users_table = users_table
        self._ledger_table = ledger_table
        self._sleep = sleep

    def page(
        self, user_id: str, *, limit: int, after: tuple[str, str] | None = None
    ) -> Page[LedgerEntry]:
        """Query the user's entries by time, newest first, consistently."""
        query: dict[str, Any] = {
            "TableName": self._ledger_table,
            "IndexName": TIME_INDEX,
            "KeyConditionExpression": "user_id = :user_id",
            "ExpressionAttributeValues": to_item({":user_id": user_id}),
            "ScanIndexForward": False,
            "ConsistentRead": True,
            "Limit": limit,
        }
        if after is not None:
            query["ExclusiveStartKey"] = to_item(
                {"user_id": user_id, "created_at": after[0], "entry_id": after[1]}
            )
        with service_errors("Reading the ledger"):
            answer = self._client.query(**query)
        entries = tuple(entry_from(item) for item in answer["Items"])
        return Page(entries, position(answer.get("LastEvaluatedKey"), "entry_id"))

    def add(self, entry: LedgerEntry) -> None:
        """Write entry and balance in one transaction."""
        writes = [
            balance_update(self._users_table, entry),
            entry_put(self._ledger_table, entry),
        ]
        try:
            transact(self._client, writes, sleep=self._sleep)
        except Refused as refused:
            met_user, met_entry = refused.items
            if met_entry:
                if same_move(entry_from(met_entry), entry):
                    return
                raise StaleWrite(f"{entry.entry_id} was written before, otherwise.") from refused
            if met_user == {}:
                raise NotFound("There is no such user.", code="unknown_user") from refused
            if met_user:
                apply(balance_from(met_user), entry, active_jobs_max=None)
            raise StaleWrite(f"The balance changed while {entry.entry_id} was written.") from None
