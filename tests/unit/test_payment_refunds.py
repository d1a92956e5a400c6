"""Refunds: the credits go first, and come back when the gateway does not pay back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from common.credits import EntryKind, LedgerEntry
from common.errors import Conflict
from common.payments import ASK_GAP, GRACE, Payment, PaymentStatus
from common.refunds import begin_refund, end_refund, unheard
from common.vnpay_codes import Outcome
from tests.unit.test_payments import LATER, PRICE, payment_in

PAID = payment_in(PaymentStatus.PAID)
NEVER_HEARD_OF = LATER + GRACE
LEAVES_OPEN = (Outcome.UNKNOWN, Outcome.UNFINISHED, Outcome.FAILED, Outcome.SUSPECT)


def begun(
    payment: Payment = PAID, credits_: int = 20, *, request_id: str = "request-1"
) -> tuple[Payment, LedgerEntry]:
    return begin_refund(
        payment,
        number_of_credits=credits_,
        by="eve",
        reason="bought by mistake",
        request_id=request_id,
        now=LATER,
    )


@pytest.mark.parametrize(
    ("credits_", "amount_vnd"), [(20, PRICE), (19, 24_700), (10, 13_000), (1, 1_300)]
)
def test_a_refund_takes_the_credits_and_asks_for_their_price(
    credits_: int, amount_vnd: int
) -> None:
    refunding, entry = begun(credits_=credits_)
    assert (refunding.status, refunding.version) == (PaymentStatus.REFUNDING, PAID.version + 1)
    assert refunding.error is None
    assert not refunding.terminal
    assert refunding.refund is not None
    assert (refunding.refund.credits, refunding.refund.amount_vnd) == (credits_, amount_vnd)
    assert (refunding.refund.number, refunding.refund.request_id) == (1, "request-1")
    assert refunding.refund.requested_at == LATER
    assert (entry.kind, entry.available, entry.held) == (EntryKind.REFUND, -credits_, 0)
    assert (entry.by, entry.reason) == ("eve", "bought by mistake")
    assert (entry.user_id, entry.txn_ref) == (PAID.user_id, PAID.txn_ref)
    assert entry.created_at == LATER


def test_a_refund_is_asked_after_from_a_few_minutes_on() -> None:
    refunding, _entry = begun(replace(PAID, asks=30))
    assert (refunding.asks, refunding.due_at) == (0, LATER + ASK_GAP)


@pytest.mark.parametrize("status", [each for each in PaymentStatus if each != "paid"])
def test_only_a_paid_payment_is_refunded(status: PaymentStatus) -> None:
    with pytest.raises(Conflict, match=status):
        begun(payment_in(status))


@pytest.mark.parametrize("credits_", [0, -1, 21, 1_000_000])
def test_no_more_is_refunded_than_was_bought(credits_: int) -> None:
    with pytest.raises(Conflict, match="20 credits"):
        begun(credits_=credits_)


def test_a_part_that_has_no_whole_price_is_rounded_down() -> None:
    refunding, _entry = begun(replace(PAID, credits=3), 1)
    assert refunding.refund is not None
    assert refunding.refund.amount_vnd == PAID.amount_vnd // 3


def test_credits_that_cost_less_than_one_vnd_are_not_refunded() -> None:
    with pytest.raises(Conflict, match="less than 1 VND"):
        begun(replace(PAID, credits=30_000), 1)


def test_a_refund_that_the_gateway_has_done_is_over() -> None:
    refunding, _entry = begun()
    refunded, entry = end_refund(refunding, Outcome.REFUNDED, now=LATER)
    assert (refunded.status, refunded.version) == (
        PaymentStatus.REFUNDED,
        refunding.version + 1,
    )
    assert entry is None, "the credits were taken before"
    assert (refunded.due_at, refunded.error) == (None, None)
    assert refunded.terminal


@pytest.mark.parametrize("taken_on", [False, True])
def test_a_refund_that_the_gateway_refuses_gives_the_credits_back(*, taken_on: bool) -> None:
    refunding, taken = begun(credits_=7)
    if taken_on:
        refunding, _none = end_refund(refunding, Outcome.REFUNDING, now=LATER)
    undone, given = end_refund(refunding, Outcome.REFUND_REFUSED, now=LATER, message="Not enabled.")
    assert (undone.status, undone.due_at) == (PaymentStatus.PAID, None)
    assert undone.error is not None
    assert (undone.error.code, undone.error.message) == ("refund_refused", "Not enabled.")
    assert given is not None
    assert given.kind is EntryKind.REFUND_UNDONE
    assert given.available == 7 == -taken.available
    assert (given.user_id, given.txn_ref) == (taken.user_id, taken.txn_ref)
    assert given.entry_id != taken.entry_id


def test_a_refund_that_the_gateway_shows_no_trace_of_is_not_given_up() -> None:
    """That proves nothing; it is asked for again instead."""
    refunding, _taken = begun()
    much_later = LATER + timedelta(days=30)
    assert end_refund(refunding, Outcome.PAID, now=much_later) == (refunding, None)
    assert unheard(refunding, Outcome.PAID)
    taken_on, _none = end_refund(refunding, Outcome.REFUNDING, now=LATER)
    assert not unheard(taken_on, Outcome.PAID)
    shows_none = {outcome for outcome in Outcome if unheard(refunding, outcome)}
    assert shows_none == {Outcome.PAID, Outcome.SUSPECT}


def test_a_refund_that_the_gateway_has_taken_on_is_not_given_up() -> None:
    """What once was under way is with the bank, whatever a later answer leaves out."""
    refunding, _entry = begun()
    taken_on, entry = end_refund(refunding, Outcome.REFUNDING, now=LATER)
    assert (taken_on.status, entry) == (PaymentStatus.REFUNDING, None)
    assert taken_on.version == refunding.version + 1
    assert taken_on.due_at == refunding.due_at, "it is asked after until it is over"
    for outcome in (Outcome.REFUNDING, Outcome.PAID, *LEAVES_OPEN):
        much_later = LATER + timedelta(days=30)
        assert end_refund(taken_on, outcome, now=much_later) == (taken_on, None)
    refunded, entry = end_refund(taken_on, Outcome.REFUNDED, now=LATER)
    assert (refunded.status, entry) == (PaymentStatus.REFUNDED, None)


@pytest.mark.parametrize("outcome", LEAVES_OPEN)
def test_what_leaves_a_refund_open_leaves_the_credits_taken(outcome: Outcome) -> None:
    refunding, _entry = begun()
    now = LATER + timedelta(days=30)
    assert end_refund(refunding, outcome, now=now) == (refunding, None)


@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("status", [each for each in PaymentStatus if each != "refunding"])
def test_news_of_a_refund_that_is_none_changes_nothing(
    status: PaymentStatus, outcome: Outcome
) -> None:
    payment = payment_in(status)
    assert end_refund(payment, outcome, now=NEVER_HEARD_OF) == (payment, None)
    once_refunded = replace(begun()[0], status=status)
    assert end_refund(once_refunded, outcome, now=NEVER_HEARD_OF) == (once_refunded, None)


def test_a_second_refund_after_a_refused_one_has_entries_of_its_own() -> None:
    first, taken = begun()
    undone, given = end_refund(first, Outcome.REFUND_REFUSED, now=LATER)
    second, taken_again = begun(undone, request_id="request-2")
    refused_again, given_again = end_refund(second, Outcome.REFUND_REFUSED, now=LATER)
    assert second.refund is not None
    assert (second.refund.number, second.refund.request_id) == (2, "request-2")
    assert second.error is None
    assert refused_again.status is PaymentStatus.PAID
    entries = [taken, given, taken_again, given_again]
    assert len({entry and entry.entry_id for entry in entries}) == 4
    assert sum(entry.available for entry in entries if entry) == 0


def test_a_second_refund_is_taken_on_anew() -> None:
    first, _entry = begun()
    taken_on, _none = end_refund(first, Outcome.REFUNDING, now=LATER)
    undone, _given = end_refund(taken_on, Outcome.REFUND_REFUSED, now=LATER)
    second, _entry = begun(undone)
    assert unheard(second, Outcome.PAID)
