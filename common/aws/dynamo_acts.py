"""Acts in DynamoDB."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from common.acts import Act, What
from common.aws.errors import service_errors
from common.aws.records import from_item, time_text, to_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoActs:
    """The Acts table."""

    def __init__(self, client: DynamoDBClient, *, acts_table: str) -> None:
        self._client = client
        self._table = acts_table

    def write(self, act: Act) -> None:
        """Put the act; a subject's act is the same whenever it is written."""
        with service_errors("Writing an act"):
            self._client.put_item(**act_put(self._table, act)["Put"])

    def of(self, subject: str) -> tuple[Act, ...]:
        """Query the subject's acts, consistently."""
        found: list[Act] = []
        query: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "subject = :subject",
            "ExpressionAttributeValues": to_item({":subject": subject}),
            "ConsistentRead": True,
        }
        while True:
            with service_errors("Reading acts"):
                answer = self._client.query(**query)
            found += map(_act, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return tuple(found)
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def act_put(table: str, act: Act) -> dict[str, Any]:
    """The write of an act."""
    return {
        "Put": {
            "TableName": table,
            "Item": to_item(
                {
                    "subject": act.subject,
                    "act_id": act.act_id,
                    "what": str(act.what),
                    "at": time_text(act.at),
                    "by": act.by,
                    "why": act.why,
                    "body": act.body,
                }
            ),
        }
    }


def _act(item: Mapping[str, Any]) -> Act:
    values = from_item(item)
    return Act(
        subject=values["subject"],
        act_id=values["act_id"],
        what=What(values["what"]),
        at=datetime.fromisoformat(values["at"]),
        by=values["by"],
        why=values["why"],
        body=values.get("body"),
    )
