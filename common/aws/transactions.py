"""DynamoDB transactions: all of it or nothing, tried again when two of them meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from common.aws.errors import ConditionFailed, error_code, service_errors
from common.aws.records import Item, entry_item, to_item
from common.credits import LedgerEntry
from common.errors import ServiceFailed
from common.retries import WriteConflict, conflict_retrying

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CONFLICTS = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
"""Cancellation reasons that another try may not meet."""


class Refused(Exception):
    """Conditions did not hold; `items[i]` is what the i-th write met, if its condition failed."""

    def __init__(self, items: Sequence[Item | None]) -> None:
        super().__init__("a condition did not hold")
        self.items = items


def transact(
    client: DynamoDBClient, writes: Sequence[Any], *, sleep: Callable[[float], None]
) -> None:
    """Do all the writes or none.

    Raises Refused when a condition does not hold, ServiceFailed when DynamoDB does not answer or
    the transaction keeps meeting others.
    """

    def once() -> None:
        try:
            with service_errors("A transaction"):
                client.transact_write_items(TransactItems=list(writes))
        except ServiceFailed as error:
            raise _sorted(error) from error

    patiently(once, sleep=sleep)


def patiently(write: Callable[[], None], *, sleep: Callable[[float], None]) -> None:
    """Do a write again while it meets transactions; raises ServiceFailed if that does not end."""
    try:
        conflict_retrying(sleep)(write)
    except WriteConflict as error:
        raise ServiceFailed("A write kept meeting transactions.") from error


def put_alone(
    client: DynamoDBClient, put: Mapping[str, Any], *, what: str, sleep: Callable[[float], None]
) -> Mapping[str, Any] | None:
    """Put one item; the answer is None, or the item that its condition met (empty: none)."""

    def once() -> None:
        with service_errors(what):
            client.put_item(**put)

    try:
        patiently(once, sleep=sleep)
    except ConditionFailed as failed:
        return failed.item
    return None


def balance_update(table: str, entry: LedgerEntry, *, active_jobs_max: int | None = None) -> Any:
    """The write that moves an entry's credits, on condition that none falls below zero."""
    bounds = ["available >= :taken", "held >= :unheld", "active_jobs >= :ended"]
    values = {
        ":available": entry.available,
        ":held": entry.held,
        ":active_jobs": entry.active_jobs,
        ":taken": -entry.available,
        ":unheld": -entry.held,
        ":ended": -entry.active_jobs,
    }
    if active_jobs_max is not None:
        bounds.append("active_jobs < :active_jobs_max")
        values[":active_jobs_max"] = active_jobs_max
    return {
        "Update": {
            "TableName": table,
            "Key": to_item({"user_id": entry.user_id}),
            "UpdateExpression": (
                "SET available = available + :available, held = held + :held, "
                "active_jobs = active_jobs + :active_jobs"
            ),
            "ConditionExpression": " AND ".join(bounds),
            "ExpressionAttributeValues": to_item(values),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


def entry_put(table: str, entry: LedgerEntry) -> Any:
    """The write of a ledger entry, on condition that its cause is not written yet."""
    return {
        "Put": {
            "TableName": table,
            "Item": entry_item(entry),
            "ConditionExpression": "attribute_not_exists(entry_id)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


def _sorted(error: ServiceFailed) -> Exception:
    """What a failed call means: a condition, a conflict, or what it says."""
    cause = error.__cause__
    if not isinstance(cause, ClientError):
        return error
    if error_code(cause) == "TransactionInProgressException":
        return WriteConflict()
    if error_code(cause) != "TransactionCanceledException":
        return error
    reasons: Sequence[Any] = cause.response.get("CancellationReasons", [])
    codes = [reason.get("Code") for reason in reasons]
    if "ConditionalCheckFailed" in codes:
        return Refused(
            [
                reason.get("Item", {}) if reason.get("Code") == "ConditionalCheckFailed" else None
                for reason in reasons
            ]
        )
    if CONFLICTS & set(codes):
        return WriteConflict()
    return error
