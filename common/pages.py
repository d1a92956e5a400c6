"""Lists that are read in pieces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some of what a user has, newest first, and where the next page begins (None: no more)."""

    items: tuple[Item, ...]
    next_key: tuple[str, str] | None
    """When the last one was made, and its id."""
