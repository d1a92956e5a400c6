"""What a DynamoDB stream brings: the tables' items after each change, in the order of each item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from common.aws.records import balance_from, from_item, job_from
from common.changes import BalanceChanged, Change, JobChanged


def changes(event: Mapping[str, Any]) -> tuple[Change, ...]:
    """The changes in an event of the Jobs or the Users table's stream.

    Guard items of the Users table and deletions are no changes that anybody is told of.
    """
    found: list[Change] = []
    for record in event["Records"]:
        item = record["dynamodb"].get("NewImage", {})
        if "job_id" in item:
            found.append(JobChanged(job_from(item)))
        elif "available" in item:
            user_id = str(from_item({"user_id": item["user_id"]})["user_id"])
            found.append(BalanceChanged(user_id, balance_from(item)))
    return tuple(found)
