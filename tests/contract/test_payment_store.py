from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest

from common.credits import LedgerEntry
from common.errors import InsufficientCredits, StaleWrite
from common.payments import GRACE, News, Payment, PaymentStatus, asked, close, expire, hear
from common.refunds import begin_refund, end_refund
from common.vnpay_codes import Outcome
from tests.contract.backends import Stores, at_once, on_threads, raised
from tests.contract.test_job_store import a_job, balance, open_job, user_with
from tests.fakes import START

PRICE = 26_000
LATER = START + timedelta(hours=1)
Fresh = Callable[[str], str]


def a_payment(user_id: str, txn_ref: str = "", *, second: float = 0) -> Payment:
    created_at = START + timedelta(seconds=second)
    expires_at = created_at + timedelta(minutes=15)
    return Payment(
        txn_ref=txn_ref or f"ref-{user_id}",
        user_id=user_id,
        package="small",
        credits=20,
        amount_vnd=PRICE,
        locale="vn",
        ip_address="203.0.113.7",
        fingerprint="f" * 64,
        created_at=created_at,
        expires_at=expires_at,
        due_at=expires_at,
    )


def begun(stores: Stores, fresh: Fresh, *, available: int = 10) -> Payment:
    """A payment of a user's who has so many credits."""
    payment = a_payment(user_with(stores, fresh("ann"), available=available))
    assert stores.payments.open(payment) == payment
    return payment


def told(
    payment: Payment, outcome: Outcome = Outcome.PAID, amount_vnd: int = PRICE
) -> tuple[Payment, LedgerEntry | None]:
    """The payment after news of it, and what moves."""
    news = News(
        txn_ref=payment.txn_ref,
        outcome=outcome,
        amount_vnd=amount_vnd,
        transaction_no="14226112",
        by="eve",
        reason="seen there",
    )
    heard = hear(payment, news, now=LATER)
    return heard.payment, heard.entry


def paid(stores: Stores, payment: Payment) -> Payment:
    after, entry = told(payment)
    stores.payments.save(after, entry=entry)
    return after


def refunding(payment: Payment, number_of_credits: int = 20) -> tuple[Payment, LedgerEntry]:
    return begin_refund(
        payment,
        number_of_credits=number_of_credits,
        by="eve",
        reason="asked for",
        request_id="request",
        now=LATER,
    )


def test_a_payment_that_was_begun_is_there(stores: Stores, fresh: Fresh) -> None:
    payment = begun(stores, fresh)
    assert stores.payments.get(payment.txn_ref) == payment
    assert balance(stores, payment.user_id) == (10, 0, 0)


def test_a_payment_that_nobody_began_is_none(stores: Stores, fresh: Fresh) -> None:
    assert stores.payments.get(fresh("nothing")) is None


def test_beginning_again_gives_the_payment_that_is_there(stores: Stores, fresh: Fresh) -> None:
    payment = begun(stores, fresh)
    after = paid(stores, payment)
    again = replace(payment, created_at=LATER, amount_vnd=1, fingerprint="0" * 64)
    assert stores.payments.open(again) == after
    assert stores.payments.get(payment.txn_ref) == after


def test_a_payment_with_every_field_reads_back_as_it_was_written(
    stores: Stores, fresh: Fresh
) -> None:
    payment = replace(
        a_payment(fresh("ann")),
        bank_code="VNPAYQR",
        locale="en",
        ip_address="2001:db8::1",
        amount_vnd=999_999_999,
        credits=1_000_000,
        created_at=START + timedelta(microseconds=7),
    )
    stores.payments.open(payment)
    assert stores.payments.get(payment.txn_ref) == payment


def test_every_state_reads_back_as_it_was_written(stores: Stores, fresh: Fresh) -> None:
    payment = begun(stores, fresh, available=0)
    asking = asked(payment, question_id="ask-1", now=LATER)
    expired = expire(asking, now=payment.expires_at + GRACE)
    reviewed, _none = told(expired, amount_vnd=5)
    closed = close(reviewed, by="eve", reason="Trả lại rồi.")
    credited, top_up = told(closed)
    begun_, taken = refunding(credited, 7)
    taken_on, _none = end_refund(begun_, Outcome.REFUNDING, now=LATER)
    undone, given = end_refund(taken_on, Outcome.REFUND_REFUSED, now=LATER, message="No.")
    begun_again, taken_again = refunding(undone)
    refunded, _none = end_refund(begun_again, Outcome.REFUNDED, now=LATER)
    for version, entry in (
        (asking, None),
        (expired, None),
        (reviewed, None),
        (closed, None),
        (credited, top_up),
        (begun_, taken),
        (taken_on, None),
        (undone, given),
        (begun_again, taken_again),
        (refunded, None),
    ):
        stores.payments.save(version, entry=entry)
        assert stores.payments.get(payment.txn_ref) == version
    assert balance(stores, payment.user_id) == (0, 0, 0)


def test_a_paid_payment_its_credits_and_its_entry_are_one_write(
    stores: Stores, fresh: Fresh
) -> None:
    payment = begun(stores, fresh)
    after, entry = told(payment)
    stores.payments.save(after, entry=entry)
    assert stores.payments.get(payment.txn_ref) == after
    assert balance(stores, payment.user_id) == (30, 0, 0)
    assert entry in stores.ledger(payment.user_id)


def test_saving_the_same_again_does_nothing(stores: Stores, fresh: Fresh) -> None:
    """As after an answer that was lost on its way."""
    payment = begun(stores, fresh)
    asking = asked(payment, question_id="ask-1", now=LATER)
    after, entry = told(asking)
    for _again in range(3):
        stores.payments.save(asking)
    for _again in range(3):
        stores.payments.save(after, entry=entry)
    assert stores.payments.get(payment.txn_ref) == after
    assert balance(stores, payment.user_id) == (30, 0, 0)


def test_save_goes_over_the_version_before_and_no_other(stores: Stores, fresh: Fresh) -> None:
    payment = begun(stores, fresh)
    asking = asked(payment, question_id="ask-1", now=LATER)
    skipping, entry = told(asking)
    with pytest.raises(StaleWrite):
        stores.payments.save(skipping, entry=entry)
    with pytest.raises(StaleWrite):
        stores.payments.save(skipping)
    assert stores.payments.get(payment.txn_ref) == payment
    stores.payments.save(asking)
    late, entry = told(payment)
    with pytest.raises(StaleWrite):
        stores.payments.save(late, entry=entry)
    with pytest.raises(StaleWrite):
        stores.payments.save(asked(payment, question_id="ask-1", now=LATER + GRACE))
    assert stores.payments.get(payment.txn_ref) == asking
    assert balance(stores, payment.user_id) == (10, 0, 0)


def test_save_makes_no_payment_that_was_never_begun(stores: Stores, fresh: Fresh) -> None:
    payment = a_payment(user_with(stores, fresh("ann"), available=10))
    after, entry = told(payment)
    with pytest.raises(StaleWrite):
        stores.payments.save(after, entry=entry)
    with pytest.raises(StaleWrite):
        stores.payments.save(asked(payment, question_id="ask-1", now=LATER))
    assert stores.payments.get(payment.txn_ref) is None
    assert balance(stores, payment.user_id) == (10, 0, 0)


def test_a_payment_tops_up_once_even_by_a_later_version(stores: Stores, fresh: Fresh) -> None:
    """The ledger is a second lock: a bug that pays a paid payment finds the entry there."""
    payment = begun(stores, fresh)
    after = paid(stores, payment)
    again, entry = told(replace(after, status=PaymentStatus.PENDING))
    with pytest.raises(StaleWrite):
        stores.payments.save(again, entry=entry)
    assert stores.payments.get(payment.txn_ref) == after
    assert balance(stores, payment.user_id) == (30, 0, 0)


def test_a_refund_takes_what_is_there(stores: Stores, fresh: Fresh) -> None:
    payment = paid(stores, begun(stores, fresh, available=0))
    begun_, taken = refunding(payment)
    stores.payments.save(begun_, entry=taken)
    assert stores.payments.get(payment.txn_ref) == begun_
    assert balance(stores, payment.user_id) == (0, 0, 0)


def test_a_refund_of_credits_that_are_spent_writes_nothing(stores: Stores, fresh: Fresh) -> None:
    payment = paid(stores, begun(stores, fresh, available=0))
    open_job(stores, a_job(payment.user_id))
    begun_, taken = refunding(payment)
    with pytest.raises(InsufficientCredits):
        stores.payments.save(begun_, entry=taken)
    assert stores.payments.get(payment.txn_ref) == payment
    assert balance(stores, payment.user_id) == (18, 2, 1)
    less, taken = refunding(payment, 18)
    stores.payments.save(less, entry=taken)
    assert balance(stores, payment.user_id) == (0, 2, 1)


def test_a_refund_over_an_older_version_is_stale_whatever_there_is(
    stores: Stores, fresh: Fresh
) -> None:
    payment = paid(stores, begun(stores, fresh, available=0))
    begun_, taken = refunding(payment)
    stores.payments.save(begun_, entry=taken)
    rival, rivals = begin_refund(
        payment,
        number_of_credits=20,
        by="bob",
        reason="asked for too",
        request_id="another",
        now=LATER,
    )
    with pytest.raises(StaleWrite):
        stores.payments.save(rival, entry=rivals)
    assert stores.payments.get(payment.txn_ref) == begun_


def read_pages(stores: Stores, user_id: str, *, limit: int) -> list[Payment]:
    """All pages, each within its limit."""
    found: list[Payment] = []
    after = None
    for _page in range(20):
        page = stores.payments.page(user_id, limit=limit, after=after)
        assert len(page.items) <= limit
        found += page.items
        after = page.next_key
        if after is None:
            return found
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7])
def test_pages_list_the_newest_first_and_each_once(
    stores: Stores, fresh: Fresh, limit: int
) -> None:
    ann, ben = fresh("ann"), fresh("ben")
    opened = [a_payment(ann, fresh(f"ref{second}"), second=second) for second in (3, 1, 5, 2, 4, 0)]
    for payment in (*opened, a_payment(ben)):
        stores.payments.open(payment)
    newest_first = sorted(opened, key=lambda payment: payment.created_at, reverse=True)
    assert read_pages(stores, ann, limit=limit) == newest_first


@pytest.mark.parametrize("limit", [1, 2])
def test_payments_of_one_moment_are_each_listed_once(
    stores: Stores, fresh: Fresh, limit: int
) -> None:
    ann = fresh("ann")
    opened = [a_payment(ann, fresh(f"ref{number}")) for number in range(5)]
    for payment in opened:
        stores.payments.open(payment)
    found = read_pages(stores, ann, limit=limit)
    assert sorted(each.txn_ref for each in found) == sorted(each.txn_ref for each in opened)


def test_a_page_shows_payments_as_they_are_now(stores: Stores, fresh: Fresh) -> None:
    payment = paid(stores, begun(stores, fresh))
    assert stores.payments.page(payment.user_id, limit=5).items == (payment,)


def test_a_page_of_a_stranger_is_empty(stores: Stores, fresh: Fresh) -> None:
    assert read_pages(stores, fresh("nobody"), limit=5) == []


LONG_AGO = datetime.fromisoformat("2001-01-01T00:00:00Z")
"""Before every other test's payments, as the emulator's tables outlive a test."""


def due_at(stores: Stores, fresh: Fresh, name: str, moment: datetime | None) -> Payment:
    """A payment that is due then."""
    payment = replace(a_payment(fresh("ann"), fresh(name)), due_at=moment)
    return stores.payments.open(payment)


def test_what_is_due_is_told_with_the_longest_due_first_within_the_limit(
    stores: Stores, fresh: Fresh
) -> None:
    names = {
        second: due_at(stores, fresh, f"due{second}", LONG_AGO + timedelta(seconds=second)).txn_ref
        for second in (3, 1, 4, 0, 2)
    }
    in_order = tuple(names[second] for second in range(5))
    now = LONG_AGO + timedelta(seconds=3)
    assert stores.payments.due(now, limit=10) == in_order[:4]
    assert stores.payments.due(now, limit=4) == in_order[:4]
    assert stores.payments.due(now, limit=2) == in_order[:2]
    assert stores.payments.due(LONG_AGO - timedelta(microseconds=1), limit=10) == ()


def test_only_what_waits_for_an_answer_is_ever_due(stores: Stores, fresh: Fresh) -> None:
    far = START + timedelta(days=10_000)

    def due() -> set[str]:
        return set(stores.payments.due(far, limit=1000))

    never = due_at(stores, fresh, "never", None)
    payment = begun(stores, fresh)
    assert payment.txn_ref in due()
    assert never.txn_ref not in due()
    after = paid(stores, payment)
    assert payment.txn_ref not in due(), "paid, it leaves the index"
    begun_, taken = refunding(after)
    stores.payments.save(begun_, entry=taken)
    assert payment.txn_ref in due(), "and a refund brings it back"


def test_a_payment_that_was_asked_after_is_due_again_only_later(
    stores: Stores, fresh: Fresh
) -> None:
    payment = begun(stores, fresh)
    asking = asked(payment, question_id="ask-1", now=LATER)
    stores.payments.save(asking)
    assert asking.due_at is not None
    just_before = asking.due_at - timedelta(microseconds=1)
    assert payment.txn_ref not in stores.payments.due(just_before, limit=1000)
    assert payment.txn_ref in stores.payments.due(asking.due_at, limit=1000)


@on_threads
def test_the_same_payment_begun_at_once_is_one(stores: Stores, fresh: Fresh) -> None:
    payment = a_payment(user_with(stores, fresh("ann"), available=0))
    rivals = [replace(payment, ip_address=f"203.0.113.{number}") for number in range(12)]
    answers = at_once([partial(stores.payments.open, rival) for rival in rivals])
    assert raised(answers) == []
    assert set(answers) == {stores.payments.get(payment.txn_ref)}


@on_threads
def test_of_many_questions_at_once_one_is_asked(stores: Stores, fresh: Fresh) -> None:
    payment = begun(stores, fresh)
    asking = [asked(payment, question_id=f"ask-{number}", now=LATER) for number in range(8)]
    answers = at_once([partial(stores.payments.save, each) for each in asking])
    assert raised(answers) == [StaleWrite] * 7
    assert stores.payments.get(payment.txn_ref) == asking[answers.index(None)]
