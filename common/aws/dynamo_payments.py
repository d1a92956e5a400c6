"""Payments in DynamoDB, and the credits that move with them."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from common.aws.errors import service_errors
from common.aws.payment_records import DUE, payment_from, payment_item
from common.aws.records import balance_from, from_item, position, time_text, to_item
from common.aws.transactions import Refused, balance_update, entry_put, put_alone, transact
from common.credits import LedgerEntry, apply
from common.errors import StaleWrite
from common.indexes import DUE_INDEX, USER_INDEX
from common.pages import Page
from common.payments import Payment

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoPaymentStore:
    """The Payments table, with the Users and Ledger items that a payment's credits touch."""

    def __init__(
        self,
        client: DynamoDBClient,
        *,
        payments_table: str,
        users_table: str,
        ledger_table: str,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._payments_table = payments_table
        self._users_table = users_table
        self._ledger_table = ledger_table
        self._sleep = sleep

    def get(self, txn_ref: str) -> Payment | None:
        """Read one payment, consistently."""
        with service_errors("Reading a payment"):
            answer = self._client.get_item(
                TableName=self._payments_table,
                Key=to_item({"txn_ref": txn_ref}),
                ConsistentRead=True,
            )
        return payment_from(answer["Item"]) if "Item" in answer else None

    def open(self, payment: Payment) -> Payment:
        """Put the payment if there is none of its reference."""
        put = self._put(payment, "attribute_not_exists(txn_ref)")
        met = put_alone(self._client, put, what="Beginning a payment", sleep=self._sleep)
        return payment_from(met) if met else payment

    def save(self, payment: Payment, *, entry: LedgerEntry | None = None) -> None:
        """Write the payment over the version before it, and what the entry moves, or nothing."""
        put = self._put(payment, "version = :before")
        put["ExpressionAttributeValues"] = to_item({":before": payment.version - 1})
        if entry is None:
            met = put_alone(self._client, put, what="Writing a payment", sleep=self._sleep)
            if met is not None:
                _accept_if_written(payment, met)
            return
        writes = [
            {"Put": put},
            balance_update(self._users_table, entry),
            entry_put(self._ledger_table, entry),
        ]
        try:
            transact(self._client, writes, sleep=self._sleep)
        except Refused as refused:
            met_payment, met_user, _met_entry = refused.items
            if met_payment is None and met_user:
                apply(balance_from(met_user), entry, active_jobs_max=None)
            _accept_if_written(payment, met_payment)

    def page(
        self, user_id: str, *, limit: int, after: tuple[str, str] | None = None
    ) -> Page[Payment]:
        """Query the user's payments by time, newest first."""
        query: dict[str, Any] = {
            "TableName": self._payments_table,
            "IndexName": USER_INDEX,
            "KeyConditionExpression": "user_id = :user_id",
            "ExpressionAttributeValues": to_item({":user_id": user_id}),
            "ScanIndexForward": False,
            "Limit": limit,
        }
        if after is not None:
            query["ExclusiveStartKey"] = to_item(
                {"user_id": user_id, "created_at": after[0], "txn_ref": after[1]}
            )
        with service_errors("Listing payments"):
            answer = self._client.query(**query)
        found = tuple(payment_from(item) for item in answer["Items"])
        return Page(found, position(answer.get("LastEvaluatedKey"), "txn_ref"))

    def due(self, now: datetime, *, limit: int) -> tuple[str, ...]:
        """Query the sparse index, which may be a moment behind: read each before acting on it."""
        with service_errors("Looking for due payments"):
            answer = self._client.query(
                TableName=self._payments_table,
                IndexName=DUE_INDEX,
                KeyConditionExpression="due = :due AND due_at <= :now",
                ExpressionAttributeValues=to_item({":due": DUE, ":now": time_text(now)}),
                Limit=limit,
            )
        return tuple(str(from_item(item)["txn_ref"]) for item in answer["Items"])

    def _put(self, payment: Payment, condition: str) -> dict[str, Any]:
        return {
            "TableName": self._payments_table,
            "Item": payment_item(payment),
            "ConditionExpression": condition,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }


def _accept_if_written(payment: Payment, met: Any) -> None:
    """Meeting just what was to be written means that it was: its answer had been lost."""
    if not met or payment_from(met) != payment:
        raise StaleWrite(f"{payment.txn_ref} is no longer at version {payment.version - 1}.")
