"""Tables that note every change: what was there before, and what is there now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.fakes import MemoryTables


@dataclass(frozen=True, slots=True)
class Change:
    """One write to one item."""

    table: str
    key: Any
    before: Any
    after: Any


class _Watched(dict[Any, Any]):
    """A table of a dict."""

    def __init__(self, table: str, changes: list[Change]) -> None:
        super().__init__()
        self._table = table
        self._changes = changes

    def __setitem__(self, key: Any, value: Any) -> None:
        self._changes.append(Change(self._table, key, self.get(key), value))
        super().__setitem__(key, value)

    def __delitem__(self, key: Any) -> None:
        self._changes.append(Change(self._table, key, self.get(key), None))
        super().__delitem__(key)

    def setdefault(self, key: Any, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: Any, *default: Any) -> Any:
        if key in self:
            self._changes.append(Change(self._table, key, self.get(key), None))
        return super().pop(key, *default)


WATCHED = ("jobs", "users", "ledger", "payments")


def watch(tables: MemoryTables) -> list[Change]:
    """From now on each write to the tables, which are empty, is added to the list."""
    changes: list[Change] = []
    for name in WATCHED:
        assert not getattr(tables, name)
        # The stores hold these tables already, which are frozen.
        object.__setattr__(tables, name, _Watched(name, changes))
    return changes
