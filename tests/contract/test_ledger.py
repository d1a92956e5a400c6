from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from common.aws.dynamo_ledger import DynamoLedger
from common.aws.dynamo_payments import DynamoPaymentStore
from common.credits import EntryKind, LedgerEntry, grant, release
from common.errors import InsufficientCredits, NotFound, StaleWrite
from common.jobs import cancel
from tests.contract.backends import (
    LEDGER_TABLE,
    PAYMENTS_TABLE,
    USERS_TABLE,
    Aws,
    Stores,
    at_once,
    on_threads,
    raised,
)
from tests.contract.test_job_store import a_job, balance, open_job, user_with
from tests.contract.test_payment_store import begun, paid
from tests.fakes import START

LATER = START + timedelta(seconds=20)
Fresh = Callable[[str], str]


def gift(user_id: str, cause: str = "gift", *, amount: int = 5, second: float = 1) -> LedgerEntry:
    return grant(
        user_id,
        amount=amount,
        cause=cause,
        reason="Xin lỗi",
        now=START + timedelta(seconds=second),
        by="eve",
    )


def read_pages(stores: Stores, user_id: str, *, limit: int) -> list[LedgerEntry]:
    """All pages, each within its limit."""
    found: list[LedgerEntry] = []
    after = None
    for _page in range(20):
        page = stores.books.page(user_id, limit=limit, after=after)
        assert len(page.items) <= limit
        found += page.items
        after = page.next_key
        if after is None:
            return found
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_pages_tell_the_newest_first_and_each_once(
    stores: Stores, fresh: Fresh, limit: int
) -> None:
    ann = user_with(stores, fresh("ann"), available=10)
    user_with(stores, fresh("ben"), available=10)
    given = [gift(ann, f"gift-{second}", second=second) for second in (3, 1, 5, 2, 4, 6)]
    for entry in given:
        stores.books.add(entry)
    found = read_pages(stores, ann, limit=limit)
    assert found[:-1] == sorted(given, key=lambda entry: entry.created_at, reverse=True)
    assert found[-1].entry_id == "grant#test", "the oldest is what the user began with"


@pytest.mark.parametrize("limit", [1, 2])
def test_entries_of_one_moment_are_each_told_once(stores: Stores, fresh: Fresh, limit: int) -> None:
    ann = user_with(stores, fresh("ann"), available=0)
    given = [gift(ann, f"gift-{number}") for number in range(5)]
    for entry in given:
        stores.books.add(entry)
    found = [entry.entry_id for entry in read_pages(stores, ann, limit=limit)]
    assert sorted(found) == sorted(["grant#test", *(entry.entry_id for entry in given)])


def test_every_move_is_told_at_once_as_it_was_written(stores: Stores, fresh: Fresh) -> None:
    payment = begun(stores, fresh)
    ann = payment.user_id
    paid(stores, payment)
    job = a_job(ann, second=1)
    open_job(stores, job)
    stores.jobs.save(cancel(job, now=LATER), entry=release(job, now=LATER))
    told = stores.books.page(ann, limit=10).items
    assert set(told) == set(stores.ledger(ann))
    assert {entry.kind for entry in told} == {
        EntryKind.GRANT,
        EntryKind.TOP_UP,
        EntryKind.HOLD,
        EntryKind.RELEASE,
    }
    (top_up,) = (entry for entry in told if entry.kind is EntryKind.TOP_UP)
    assert (top_up.txn_ref, top_up.job_id) == (payment.txn_ref, None)
    (hold,) = (entry for entry in told if entry.kind is EntryKind.HOLD)
    assert (hold.txn_ref, hold.job_id) == (None, job.job_id)


def test_the_ledger_of_a_stranger_is_empty(stores: Stores, fresh: Fresh) -> None:
    page = stores.books.page(fresh("nobody"), limit=5)
    assert (page.items, page.next_key) == ((), None)


def test_what_is_given_by_hand_is_there_with_who_and_why(stores: Stores, fresh: Fresh) -> None:
    ann = user_with(stores, fresh("ann"), available=10)
    stores.books.add(gift(ann))
    assert balance(stores, ann) == (15, 0, 0)
    newest = stores.books.page(ann, limit=1).items[0]
    assert newest == gift(ann)
    assert (newest.by, newest.reason) == ("eve", "Xin lỗi")


def test_giving_the_same_again_gives_nothing(stores: Stores, fresh: Fresh) -> None:
    ann = user_with(stores, fresh("ann"), available=10)
    for second in range(1, 4):
        stores.books.add(gift(ann, second=second))
    assert balance(stores, ann) == (15, 0, 0)
    assert stores.books.page(ann, limit=1).items == (gift(ann),), "the first stands"


@pytest.mark.parametrize(
    "changed", [{"available": 6}, {"available": -100}, {"by": "bob"}, {"reason": "Hi"}]
)
def test_another_entry_of_the_same_cause_is_refused(
    stores: Stores, fresh: Fresh, changed: dict[str, object]
) -> None:
    ann = user_with(stores, fresh("ann"), available=10)
    stores.books.add(gift(ann))
    with pytest.raises(StaleWrite):
        stores.books.add(replace(gift(ann), **changed))  # type: ignore[arg-type]  # its fields
    assert balance(stores, ann) == (15, 0, 0)


def test_nobody_is_given_nothing(stores: Stores, fresh: Fresh) -> None:
    nobody = fresh("nobody")
    with pytest.raises(NotFound) as refused:
        stores.books.add(gift(nobody))
    assert refused.value.code == "unknown_user"
    assert stores.users.get(nobody) is None
    assert stores.ledger(nobody) == []


def test_no_more_is_taken_than_there_is(stores: Stores, fresh: Fresh) -> None:
    ann = user_with(stores, fresh("ann"), available=10)
    with pytest.raises(InsufficientCredits):
        stores.books.add(gift(ann, amount=-11))
    assert balance(stores, ann) == (10, 0, 0)
    stores.books.add(gift(ann, amount=-10))
    assert balance(stores, ann) == (0, 0, 0)
    stores.books.add(gift(ann, amount=-10))
    assert balance(stores, ann) == (0, 0, 0), "what was taken is known again"


@on_threads
def test_the_same_gift_at_once_is_one(stores: Stores, fresh: Fresh) -> None:
    ann = user_with(stores, fresh("ann"), available=0)
    answers = at_once([lambda: stores.books.add(gift(ann))] * 10)
    assert answers == [None] * 10
    assert balance(stores, ann) == (5, 0, 0)


@on_threads
def test_takings_at_once_take_what_there_is(stores: Stores, fresh: Fresh) -> None:
    ann = user_with(stores, fresh("ann"), available=6)

    def take(number: int) -> None:
        stores.books.add(gift(ann, f"take-{number}", amount=-4))

    answers = at_once([partial(take, number) for number in range(8)])
    assert raised(answers) == [InsufficientCredits] * 7
    assert balance(stores, ann) == (2, 0, 0)


def test_money_is_never_read_from_a_copy_that_may_be_old(moto_aws: Aws) -> None:
    """No backend here has such copies, so this looks at what is asked for."""
    asked: list[dict[str, Any]] = []

    def note(params: dict[str, Any], **_rest: object) -> None:
        asked.append(params)

    client = moto_aws.dynamodb
    client.meta.events.register("provide-client-params.dynamodb.*", note)
    DynamoLedger(client, users_table=USERS_TABLE, ledger_table=LEDGER_TABLE).page("ann", limit=1)
    payments = DynamoPaymentStore(
        client,
        payments_table=PAYMENTS_TABLE,
        users_table=USERS_TABLE,
        ledger_table=LEDGER_TABLE,
    )
    payments.get("ref")
    assert [params["ConsistentRead"] for params in asked] == [True, True]
