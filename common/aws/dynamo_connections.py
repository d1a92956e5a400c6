"""Sockets and tickets in DynamoDB, in one table whose items expire by themselves.

A ticket's key is `ticket#` and its digest. Deleting it under a condition is what uses it up, so of
two who try at once one gets it. Tickets have no `user_id`, so the index by user has sockets alone.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from common.aws.errors import ConditionFailed, service_errors
from common.aws.records import from_item, time_text, to_item
from common.feed import Socket, Ticket
from common.indexes import USER_INDEX

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoConnections:
    """The Connections table."""

    def __init__(self, client: DynamoDBClient, *, connections_table: str) -> None:
        self._client = client
        self._table = connections_table

    def put(self, ticket: Ticket) -> None:
        """Write the ticket."""
        item = {
            "connection_id": _ticket_key(ticket.digest),
            "ticket_of": ticket.user_id,
            "expires_at": _second(ticket.expires_at),
        }
        with service_errors("Keeping a ticket"):
            self._client.put_item(TableName=self._table, Item=to_item(item))

    def take(self, digest: str, *, now: datetime) -> str | None:
        """Delete the ticket if it is there and has not expired; DynamoDB itself is days late."""
        try:
            with service_errors("Taking a ticket"):
                answer = self._client.delete_item(
                    TableName=self._table,
                    Key=to_item({"connection_id": _ticket_key(digest)}),
                    ConditionExpression="expires_at > :now",
                    ExpressionAttributeValues=to_item({":now": _second(now)}),
                    ReturnValues="ALL_OLD",
                )
        except ConditionFailed:
            return None
        return str(from_item(answer["Attributes"])["ticket_of"])

    def add(self, socket: Socket) -> None:
        """Write the socket."""
        item = {
            "connection_id": socket.connection_id,
            "user_id": socket.user_id,
            "opened_at": time_text(socket.opened_at),
            "expires_at": _second(socket.expires_at),
        }
        with service_errors("Keeping a socket"):
            self._client.put_item(TableName=self._table, Item=to_item(item))

    def get(self, connection_id: str) -> Socket | None:
        """Read the socket, consistently."""
        with service_errors("Reading a socket"):
            answer = self._client.get_item(
                TableName=self._table,
                Key=to_item({"connection_id": connection_id}),
                ConsistentRead=True,
            )
        values = from_item(answer.get("Item", {}))
        if "user_id" not in values:
            return None
        return Socket(
            connection_id=values["connection_id"],
            user_id=values["user_id"],
            opened_at=datetime.fromisoformat(values["opened_at"]),
        )

    def remove(self, connection_id: str) -> None:
        """Delete the item, there or not."""
        with service_errors("Forgetting a socket"):
            self._client.delete_item(
                TableName=self._table, Key=to_item({"connection_id": connection_id})
            )

    def of_user(self, user_id: str, *, now: datetime) -> tuple[Socket, ...]:
        """Query the index by user, and leave out what should have expired."""
        with service_errors("Reading sockets"):
            answer = self._client.query(
                TableName=self._table,
                IndexName=USER_INDEX,
                KeyConditionExpression="user_id = :user_id",
                FilterExpression="expires_at > :now",
                ExpressionAttributeValues=to_item({":user_id": user_id, ":now": _second(now)}),
            )
        return tuple(
            Socket(
                connection_id=values["connection_id"],
                user_id=user_id,
                opened_at=datetime.fromisoformat(values["opened_at"]),
            )
            for values in map(from_item, answer["Items"])
        )


def _ticket_key(digest: str) -> str:
    return f"ticket#{digest}"


def _second(moment: datetime) -> int:
    """Seconds since the epoch, as DynamoDB reads the time to live."""
    return int(moment.astimezone(UTC).timestamp())
