"""The ledger: each move with the balance after it, on all pages, whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from common.credits import Balance, EntryKind, LedgerEntry, grant
from common.errors import StaleWrite, Unauthenticated
from common.pages import Page
from common.users import User
from functions.accounts.read_ledger import LedgerPage, Place, Row, read_ledger
from functions.status.cancel_job import cancel_job
from tests.fakes_money import MemoryLedger
from tests.unit.test_heal_payments import notify
from tests.world import CORE_COST, CREDITS, SMALL, World


@pytest.fixture
def world() -> World:
    """One user's story: a welcome, a purchase, an image, and a job that was canceled."""
    world = World()
    world.person()
    world.clock.advance(1)
    payment = world.buy()
    notify(world, payment)
    world.clock.advance(1)
    job = world.submit()
    world.clock.advance(1)
    world.work_until_terminal(job.job_id)
    world.clock.advance(1)
    canceled = world.submit(key="key-2")
    world.clock.advance(1)
    cancel_job(canceled.job_id, user_id="usr_ann", jobs=world.jobs, now=world.clock())
    return world


STORY = [
    (EntryKind.RELEASE, 68, 0),
    (EntryKind.HOLD, 66, 2),
    (EntryKind.SETTLE, 68, 0),
    (EntryKind.HOLD, 68, 2),
    (EntryKind.TOP_UP, 70, 0),
    (EntryKind.GRANT, 50, 0),
]
"""Newest first: what moved, what there was to spend then, and what was held."""


def read(world: World, *, limit: int = 50, after: Place | None = None) -> LedgerPage:
    return read_ledger("usr_ann", limit=limit, after=after, users=world.users, ledger=world.ledger)


def read_all(
    world: World, *, limit: int, between: Callable[[], object] = lambda: None
) -> list[Row]:
    """The rows of all pages."""
    rows: list[Row] = []
    place = None
    for _page in range(20):
        page = read(world, limit=limit, after=place)
        assert len(page.rows) <= limit
        rows += page.rows
        place = page.next_place
        if place is None:
            return rows
        between()
    raise AssertionError("the pages do not end")


def told(rows: list[Row] | tuple[Row, ...]) -> list[tuple[EntryKind, int, int]]:
    return [(row.entry.kind, row.available_after, row.held_after) for row in rows]


def test_each_move_is_told_with_the_balance_after_it(world: World) -> None:
    assert STORY[0] == (EntryKind.RELEASE, CREDITS + SMALL.credits - CORE_COST, 0)
    page = read(world)
    assert told(page.rows) == STORY
    assert page.next_place is None
    assert {row.entry.user_id for row in page.rows} == {"usr_ann"}


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6])
def test_pages_tell_the_same_story(world: World, limit: int) -> None:
    assert told(read_all(world, limit=limit)) == STORY


@pytest.mark.parametrize("limit", [1, 2, 4])
def test_what_moves_between_pages_does_not_change_what_was(world: World, limit: int) -> None:
    keys = iter(range(100))

    def spend() -> None:
        world.clock.advance(1)
        world.submit(key=f"between-{next(keys)}")

    assert told(read_all(world, limit=limit, between=spend)) == STORY


def test_the_story_begins_with_nothing(world: World) -> None:
    oldest = read(world).rows[-1]
    assert oldest.available_after == oldest.entry.available
    assert oldest.held_after == oldest.entry.held == 0


def test_a_user_whom_nothing_happened_to_has_an_empty_ledger() -> None:
    world = World()
    world.users.create(
        User(user_id="usr_ann", email="a@example.com", created_at=world.clock(), balance=Balance()),
        None,
    )
    assert read(world) == LedgerPage((), None)


def test_nobody_reads_anothers_moves(world: World) -> None:
    world.person("usr_ben", available=7)
    page = read_ledger("usr_ben", limit=50, after=None, users=world.users, ledger=world.ledger)
    assert told(page.rows) == [(EntryKind.GRANT, 7, 0)]


def test_a_user_who_is_gone_is_to_sign_in_again(world: World) -> None:
    with pytest.raises(Unauthenticated):
        read_ledger("usr_gone", limit=5, after=None, users=world.users, ledger=world.ledger)


class Busy(MemoryLedger):
    """A ledger that something is written to before and after some reads of it."""

    def __init__(
        self, world: World, *, before: Callable[[], object], after: Callable[[], object], times: int
    ) -> None:
        super().__init__(world.tables)
        self._before = before
        self._after = after
        self.times = times

    def page(
        self, user_id: str, *, limit: int, after: tuple[str, str] | None = None
    ) -> Page[LedgerEntry]:
        if not self.times:
            return super().page(user_id, limit=limit, after=after)
        self.times -= 1
        self._before()
        page = super().page(user_id, limit=limit, after=after)
        self._after()
        return page


def nothing() -> None:
    """It stays as it is."""


def gift(world: World) -> Callable[[], object]:
    """Something that gives one credit each time."""
    numbers = iter(range(100))

    def give() -> None:
        world.clock.advance(1)
        cause = f"gift-{next(numbers)}"
        entry = grant("usr_ann", amount=1, cause=cause, reason="", now=world.clock())
        MemoryLedger(world.tables).add(entry)

    return give


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("times", [1, 2])
def test_a_move_while_the_ledger_is_read_is_read_with_its_balance(
    world: World, when: str, times: int
) -> None:
    give = gift(world)
    world.ledger = Busy(
        world,
        before=give if when == "before" else nothing,
        after=give if when == "after" else nothing,
        times=times,
    )
    rows = read(world).rows
    gifts = [(EntryKind.GRANT, 68 + number, 0) for number in range(times, 0, -1)]
    assert told(rows) == [*gifts, *STORY]


def test_a_balance_that_moves_at_every_look_is_to_be_asked_for_again(world: World) -> None:
    world.ledger = Busy(world, before=gift(world), after=nothing, times=99)
    with pytest.raises(StaleWrite):
        read(world)


def test_a_job_that_comes_and_goes_while_the_ledger_is_read_leaves_the_balances_right(
    world: World,
) -> None:
    """The balance is then the same before and after, but not what it was in between."""

    def cancel() -> None:
        world.clock.advance(1)
        job = world.submit(key="passing")
        cancel_job(job.job_id, user_id="usr_ann", jobs=world.jobs, now=world.clock())

    def submit() -> None:
        world.clock.advance(1)
        world.submit(key="passing")

    world.ledger = Busy(world, before=submit, after=cancel, times=1)
    rows = told(read(world).rows)
    assert rows[-len(STORY) :] == STORY
