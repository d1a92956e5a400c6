"""People in DynamoDB.

An index cannot be unique, so each address has a guard item, `user_id = email#<address>`, written
together with its owner: of two first sign-ins at once, one meets the other's guard.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from common.aws.errors import service_errors
from common.aws.records import from_item, to_item, user_from, user_item
from common.aws.transactions import Refused, entry_put, transact
from common.credits import LedgerEntry
from common.errors import StaleWrite
from common.indexes import EMAIL_INDEX
from common.users import User

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoUserStore:
    """The Users table, and the first ledger entry of each user."""

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

    def get(self, user_id: str) -> User | None:
        """Read the user, consistently; a guard item is no user."""
        with service_errors("Reading a user"):
            answer = self._client.get_item(
                TableName=self._users_table, Key=to_item({"user_id": user_id}), ConsistentRead=True
            )
        item = answer.get("Item")
        return user_from(item) if item and "email" in item else None

    def find_by_email(self, email: str) -> str | None:
        """Look the address up in `EmailIndex`, which may not know a user of this very moment."""
        with service_errors("Looking a user up"):
            answer = self._client.query(
                TableName=self._users_table,
                IndexName=EMAIL_INDEX,
                KeyConditionExpression="email = :email",
                ExpressionAttributeValues=to_item({":email": email}),
                Limit=1,
            )
        items = answer["Items"]
        return str(from_item(items[0])["user_id"]) if items else None

    def create(self, user: User, welcome: LedgerEntry | None) -> str:
        """Write guard, user and welcome in one transaction; the address's owner is the answer."""
        guard = to_item({"user_id": f"email#{user.email}", "owner": user.user_id})
        writes = [
            {
                "Put": {
                    "TableName": self._users_table,
                    "Item": item,
                    "ConditionExpression": "attribute_not_exists(user_id)",
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                }
            }
            for item in (guard, user_item(user))
        ]
        if welcome is not None:
            writes.append(entry_put(self._ledger_table, welcome))
        try:
            transact(self._client, writes, sleep=self._sleep)
        except Refused as refused:
            met_guard = refused.items[0]
            if not met_guard:
                raise StaleWrite(f"{user.user_id} exists with another address.") from refused
            return str(from_item(met_guard)["owner"])
        return user.user_id
