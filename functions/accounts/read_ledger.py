"""A user's ledger, newest first, with what there was after each move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from common.credits import LedgerEntry
from common.errors import StaleWrite, Unauthenticated
from common.pages import Page

if TYPE_CHECKING:
    from common.ports import LedgerReader, UserReader

TRIES = 3


@dataclass(frozen=True, slots=True)
class Row:
    """An entry, and the balance after it."""

    entry: LedgerEntry
    available_after: int
    held_after: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: behind that entry, with the balance before it."""

    key: tuple[str, str]
    available: int
    held: int


@dataclass(frozen=True, slots=True)
class LedgerPage:
    """Some rows, and where the next page begins (None: no more)."""

    rows: tuple[Row, ...]
    next_place: Place | None


def read_ledger(
    user_id: str,
    *,
    limit: int,
    after: Place | None,
    users: UserReader,
    ledger: LedgerReader,
) -> LedgerPage:
    """The page behind `after`, or the newest.

    A write of an entry does not know the balance, so it is reckoned backwards: after the newest
    entry there is what the user has, and before each entry what it moved less. Raises
    Unauthenticated for no such user, StaleWrite when credits move at every look.
    """
    if after is None:
        page, available, held = _newest(user_id, limit, users, ledger)
    else:
        page = ledger.page(user_id, limit=limit, after=after.key)
        available, held = after.available, after.held
    rows = []
    for entry in page.items:
        rows.append(Row(entry, available, held))
        available -= entry.available
        held -= entry.held
    place = None if page.next_key is None else Place(page.next_key, available, held)
    return LedgerPage(tuple(rows), place)


def _newest(
    user_id: str, limit: int, users: UserReader, ledger: LedgerReader
) -> tuple[Page[LedgerEntry], int, int]:
    """The newest entries and the balance after them: no entry came while the balance was read."""
    page = ledger.page(user_id, limit=limit)
    for _try in range(TRIES):
        user = users.get(user_id)
        if user is None:
            raise Unauthenticated("There is no such user any more; sign in again.")
        before, page = page, ledger.page(user_id, limit=limit)
        if page == before:
            return page, user.balance.available, user.balance.held
    raise StaleWrite("Credits moved at every look.")
