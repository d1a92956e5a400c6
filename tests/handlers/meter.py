"""What calls to AWS are billed by: units of tables, requests, messages, bytes.

moto's own `ConsumedCapacity` is 0.5 or 1 whatever is written, so units are reckoned here, from the
items before and after each call, as DynamoDB documents them:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html (writes to indexes)
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html (twice)

That a transaction doubles writes to local indexes and not to global ones, which follow later, is
not documented in so many words.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.client import BaseClient

WRITE_BYTES = 1024
READ_BYTES = 4096
ITEM_OVERHEAD_BYTES = 100
"""What DynamoDB adds to each stored item, and to each entry of an index."""

Item = Mapping[str, Mapping[str, Any]]


def item_bytes(item: Item) -> int:
    """An item's size: names and values in UTF-8, numbers two digits a byte."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Mapping[str, Any]) -> int:
    ((kind, held),) = value.items()
    match kind:
        case "S":
            return len(held.encode())
        case "N":
            return math.ceil(len(held.lstrip("-").replace(".", "").strip("0")) / 2) + 1
        case "M":
            return 3 + sum(1 + len(name) + _value_bytes(each) for name, each in held.items())
        case "L":
            return 3 + sum(1 + _value_bytes(each) for each in held)
        case "BOOL" | "NULL":
            return 1
    raise AssertionError(f"an attribute of kind {kind} is not written by this product")


def units(size_bytes: int, unit_bytes: int) -> int:
    """How many units that many bytes are, one at least."""
    return max(1, math.ceil(size_bytes / unit_bytes))


@dataclass(frozen=True)
class Index:
    """An index of a table."""

    name: str
    key: Sequence[str]
    keys_only: bool
    local: bool

    def entry(self, item: Item | None, table_key: Sequence[str]) -> Item | None:
        """What the index keeps of an item, if anything."""
        if item is None or not all(name in item for name in self.key):
            return None
        kept = {*self.key, *table_key} if self.keys_only else set(item)
        return {name: item[name] for name in sorted(kept)}

    def write_units(self, old: Item | None, new: Item | None) -> int:
        """What changing one entry into another takes."""
        if old == new:
            return 0
        if old and new and all(old[name] == new[name] for name in self.key):
            return units(max(item_bytes(old), item_bytes(new)), WRITE_BYTES)
        return sum(units(item_bytes(entry), WRITE_BYTES) for entry in (old, new) if entry)


@dataclass(frozen=True)
class Table:
    """A table's key and its indexes."""

    key: Sequence[str]
    indexes: Sequence[Index]

    def write_units(
        self, old: Item | None, new: Item | None, *, transaction: bool
    ) -> Iterator[tuple[str, int]]:
        """What a write takes that found one item and left another: in the table, each index."""
        times = 2 if transaction else 1
        size = max(item_bytes(old or {}), item_bytes(new or {}))
        yield "", times * units(size, WRITE_BYTES)
        for index in self.indexes:
            taken = index.write_units(index.entry(old, self.key), index.entry(new, self.key))
            yield f"/{index.name}", (times if index.local else 1) * taken

    def stored_bytes(self, items: Sequence[Item]) -> int:
        """What the items take in the table and all its indexes."""
        entries = [index.entry(item, self.key) for index in self.indexes for item in items]
        stored = [*items, *(entry for entry in entries if entry)]
        return sum(item_bytes(each) + ITEM_OVERHEAD_BYTES for each in stored)


class Meter:
    """Adds up what is billed of the calls that clients make."""

    def __init__(self, *, looking: Any) -> None:
        """`looking` is a DynamoDB client that is not metered."""
        self._looking = looking
        self._tables: dict[str, Table] = {}
        self.counts: defaultdict[str, float] = defaultdict(float)
        self.writes: Counter[str] = Counter()
        """Write units by table, and by `table/index`."""
        self.written: list[tuple[str, Item]] = []
        """The table and the item of each write that left one, in order."""

    def reset(self) -> None:
        """Begin anew."""
        self.counts.clear()
        self.writes.clear()
        self.written.clear()

    def watch(self, client: BaseClient) -> None:
        """Count this client's calls."""
        events = client.meta.events
        events.register("before-parameter-build", self._before)
        events.register("after-call", self._after)

    def stored_bytes(self, *tables: str) -> int:
        """What those tables keep, with their indexes."""
        return sum(
            self._table(name).stored_bytes(self._looking.scan(TableName=name)["Items"])
            for name in tables
        )

    def _before(
        self, params: Mapping[str, Any], model: Any, context: dict[str, Any], **_: Any
    ) -> None:
        context["metered"] = params
        context["found"] = [self._get(*target) for target in _targets(model.name, params)]

    def _after(
        self, parsed: Mapping[str, Any], model: Any, context: Mapping[str, Any], **_: Any
    ) -> None:
        params = context["metered"]
        transaction = model.name == "TransactWriteItems"
        targets = list(_targets(model.name, params))
        for (name, key), old in zip(targets, context["found"], strict=True):
            table = self._table(name)
            new = self._get(name, key)
            if new is not None and new != old:
                self.written.append((name, new))
            for where, taken in table.write_units(old, new, transaction=transaction):
                self.counts["write_units"] += taken
                self.writes[name + where] += taken
        self.counts["read_units"] += self._read_units(model.name, params, parsed)
        match model.name:
            case "SendMessage":
                self.counts["queue_requests"] += 1
            case "PutObject":
                self.counts["image_puts"] += 1
            case "PostToConnection":
                self.counts["socket_messages"] += 1
                self.counts["out_bytes"] += len(params["Data"])

    def _read_units(self, name: str, params: Mapping[str, Any], parsed: Mapping[str, Any]) -> float:
        take = partial(_reads, consistent=bool(params.get("ConsistentRead")))
        match name:
            case "GetItem":
                return take(item_bytes(parsed.get("Item", {})))
            case "Query":
                size = sum(item_bytes(item) for item in parsed.get("Items", ()))
                # What a filter leaves out was read too.
                return take(size * parsed["ScannedCount"] // max(1, parsed["Count"]))
            case "BatchGetItem":
                asked = params["RequestItems"]
                return sum(
                    _reads(item_bytes(item), consistent=bool(asked[table].get("ConsistentRead")))
                    for table in asked
                    for item in parsed["Responses"][table]
                )
        return 0

    def _get(self, table: str, key: Item) -> Item | None:
        found: Item | None = self._looking.get_item(
            TableName=table, Key={name: key[name] for name in self._table(table).key}
        ).get("Item")
        return found

    def _table(self, name: str) -> Table:
        if name not in self._tables:
            told = self._looking.describe_table(TableName=name)["Table"]
            indexes = [
                Index(
                    name=each["IndexName"],
                    key=_key(each),
                    keys_only=each["Projection"]["ProjectionType"] == "KEYS_ONLY",
                    local=kind.startswith("Local"),
                )
                for kind in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes")
                for each in told.get(kind, ())
            ]
            self._tables[name] = Table(key=_key(told), indexes=indexes)
        return self._tables[name]


def _reads(size_bytes: int, *, consistent: bool) -> float:
    return units(size_bytes, READ_BYTES) * (1 if consistent else 0.5)


def _key(told: Mapping[str, Any]) -> list[str]:
    return [each["AttributeName"] for each in told["KeySchema"]]


def _targets(operation: str, params: Mapping[str, Any]) -> Iterator[tuple[str, Item]]:
    """The table of each item that a call writes, and its key or an item that has it."""
    if operation in {"PutItem", "UpdateItem", "DeleteItem"}:
        yield params["TableName"], params.get("Item") or params["Key"]
    elif operation == "TransactWriteItems":
        for action in params["TransactItems"]:
            ((_kind, what),) = action.items()
            yield what["TableName"], what.get("Item") or what["Key"]
