"""Whether the tables and their indexes are in order, and can be had back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from common.config import Config
from ops.checkup.finding import DEPLOY_OR_REVERT, Finding, fail, ok, skip
from ops.checkup.permissions import INDEXES

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ACTIVE = "ACTIVE"
INDEXES_CHECK = "tables: indexes"
RECOVERY, PROTECTION = "tables: recovery", "tables: deletion protection"


def look_at_tables(
    dynamodb: DynamoDBClient, tables: Mapping[str, str], *, config: Config, emulated: bool
) -> Iterator[Finding]:
    """Ask about each table; `tables` has their names in AWS by those in our code."""
    told: dict[str, Any] = {
        name: dynamodb.describe_table(TableName=physical)["Table"]
        for name, physical in tables.items()
    }
    yield indexes(told)
    yield protection(told, keep=config.removal == "keep")
    if emulated:
        yield skip(RECOVERY, "The emulator does not turn it on when it deploys.")
        return
    backups: dict[str, Any] = {
        name: dynamodb.describe_continuous_backups(TableName=physical)[
            "ContinuousBackupsDescription"
        ]
        for name, physical in tables.items()
    }
    yield recovery(backups, tables)


def indexes(told: Mapping[str, Mapping[str, Any]]) -> Finding:
    """Tables and the indexes that functions query, all active; a local index has no status."""
    wrong = [name for name, table in told.items() if table["TableStatus"] != ACTIVE]
    wanted = sorted({each for queried in INDEXES.values() for each in queried})
    for name, index in wanted:
        states = {
            each["IndexName"]: each.get("IndexStatus", ACTIVE)
            for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")
            for each in told.get(name, {}).get(kind, [])
        }
        state = states.get(index, "missing")
        if state != ACTIVE:
            wrong.append(f"{name}/{index} ({state})")
    if wrong:
        return fail(INDEXES_CHECK, f"Not in order: {', '.join(wrong)}.", DEPLOY_OR_REVERT)
    return ok(INDEXES_CHECK, f"{len(told)} tables and {len(wanted)} indexes are active.")


def protection(told: Mapping[str, Mapping[str, Any]], *, keep: bool) -> Finding:
    """Whether a stage that keeps its data cannot lose a table by mistake."""
    if not keep:
        return ok(PROTECTION, 'This stage\'s removal is "destroy": its data goes with it.')
    bare = [name for name, table in told.items() if not table.get("DeletionProtectionEnabled")]
    if bare:
        command = "aws dynamodb update-table --deletion-protection-enabled --table-name"
        mend = "; ".join(f"{command} {told[name]['TableName']}" for name in bare)
        return fail(PROTECTION, f"Off for {', '.join(bare)}.", mend)
    return ok(PROTECTION, f"On for all {len(told)}.")


def recovery(backups: Mapping[str, Mapping[str, Any]], tables: Mapping[str, str]) -> Finding:
    """Whether each table can be had back as it was at any second of the last days."""
    off = [
        name
        for name, told in backups.items()
        if told.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus")
        != "ENABLED"
    ]
    if off:
        command = (
            "aws dynamodb update-continuous-backups "
            "--point-in-time-recovery-specification PointInTimeRecoveryEnabled=true"
        )
        return fail(
            RECOVERY,
            f"Point-in-time recovery is off for {', '.join(off)}.",
            "; ".join(f"{command} --table-name {tables[name]}" for name in off),
        )
    return ok(RECOVERY, f"Point-in-time recovery is on for all {len(backups)}.")
