"""What each piece of news does to a payment, and what moves with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.credits import EntryKind
from common.errors import Conflict
from common.payments import (
    ASK_GAP,
    GRACE,
    PAY_MINUTES,
    Heard,
    News,
    Payment,
    PaymentError,
    PaymentStatus,
    Verdict,
    asked,
    close,
    expire,
    hear,
    txn_ref_for,
)
from common.vnpay_codes import FAILURES, Outcome
from tests.fakes import START

PRICE = 26_000
LATER = START + timedelta(hours=1)
PENDING = Payment(
    txn_ref=txn_ref_for("usr_ann", "buy-1"),
    user_id="usr_ann",
    package="small",
    credits=20,
    amount_vnd=PRICE,
    locale="vn",
    ip_address="203.0.113.7",
    fingerprint="f" * 64,
    created_at=START,
    expires_at=START + timedelta(minutes=PAY_MINUTES),
    due_at=START + timedelta(minutes=PAY_MINUTES),
)
WHY = PaymentError(code="why", message="Why.")

Status = PaymentStatus
Told = tuple[Verdict, PaymentStatus | None]
"""A verdict, and the status that it brings about; None: nothing has changed."""
PAID: Told = (Verdict.RECORDED, Status.PAID)
FAILED: Told = (Verdict.RECORDED, Status.FAILED)
REVIEW: Told = (Verdict.RECORDED, Status.REVIEW)
SAME: Told = (Verdict.REPEATED, None)
UNCLEAR: Told = (Verdict.UNCLEAR, None)
OTHER: Told = (Verdict.OTHER_AMOUNT, None)
OTHER_TO_REVIEW: Told = (Verdict.OTHER_AMOUNT, Status.REVIEW)


def expected(*, paid: Told, failed: Told, suspect: Told, unclear: Told) -> dict[Outcome, Told]:
    """What each outcome does; a refund that was refused says that it was paid."""
    return {
        Outcome.PAID: paid,
        Outcome.REFUND_REFUSED: paid,
        Outcome.FAILED: failed,
        Outcome.SUSPECT: suspect,
        Outcome.REFUNDING: suspect,
        Outcome.REFUNDED: suspect,
        Outcome.UNKNOWN: unclear,
        Outcome.UNFINISHED: unclear,
    }


RIGHT_AMOUNT: Mapping[PaymentStatus, Mapping[Outcome, Told]] = {
    Status.PENDING: expected(paid=PAID, failed=FAILED, suspect=REVIEW, unclear=UNCLEAR),
    Status.FAILED: expected(paid=PAID, failed=SAME, suspect=REVIEW, unclear=UNCLEAR),
    Status.EXPIRED: expected(paid=PAID, failed=FAILED, suspect=REVIEW, unclear=UNCLEAR),
    Status.REVIEW: expected(paid=PAID, failed=SAME, suspect=SAME, unclear=UNCLEAR),
    Status.PAID: expected(paid=SAME, failed=SAME, suspect=SAME, unclear=SAME),
    Status.REFUNDING: expected(paid=SAME, failed=SAME, suspect=SAME, unclear=SAME),
    Status.REFUNDED: expected(paid=SAME, failed=SAME, suspect=SAME, unclear=SAME),
}
LOOKED_INTO = expected(paid=OTHER_TO_REVIEW, failed=OTHER, suspect=OTHER_TO_REVIEW, unclear=OTHER)
LEFT_ALONE = expected(paid=OTHER, failed=OTHER, suspect=OTHER, unclear=OTHER)
OTHER_AMOUNT: Mapping[PaymentStatus, Mapping[Outcome, Told]] = {
    Status.PENDING: LOOKED_INTO,
    Status.FAILED: LOOKED_INTO,
    Status.EXPIRED: LOOKED_INTO,
    Status.REVIEW: LEFT_ALONE,
    Status.PAID: LEFT_ALONE,
    Status.REFUNDING: LEFT_ALONE,
    Status.REFUNDED: LEFT_ALONE,
}


def payment_in(status: PaymentStatus) -> Payment:
    """A payment that has come to this status."""
    return replace(PENDING, status=status, version=7, error=WHY, transaction_no="1")


def news(outcome: Outcome = Outcome.PAID, amount_vnd: int | None = PRICE, **more: Any) -> News:
    return News(txn_ref=PENDING.txn_ref, outcome=outcome, amount_vnd=amount_vnd, **more)


@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("status", PaymentStatus)
@pytest.mark.parametrize("amount_vnd", [PRICE, PRICE - 1, PRICE + 1, PRICE * 100, 0, None])
def test_news_of_each_kind_does_its_part_to_each_payment(
    status: PaymentStatus, outcome: Outcome, amount_vnd: int | None
) -> None:
    before = payment_in(status)
    table = RIGHT_AMOUNT if amount_vnd == PRICE else OTHER_AMOUNT
    verdict, after = table[status][outcome]

    heard = hear(before, news(outcome, amount_vnd), now=LATER)

    assert heard.verdict is verdict
    assert (heard.entry is not None) is (after is Status.PAID)
    if after is None:
        assert heard.payment is before
    else:
        assert heard.payment.status is after
        assert heard.payment.version == before.version + 1
        assert heard.payment.amount_vnd == PRICE, "what was agreed stays agreed"


@pytest.mark.parametrize("status", [Status.PENDING, Status.FAILED, Status.EXPIRED, Status.REVIEW])
def test_money_of_the_right_amount_tops_up_however_late(status: PaymentStatus) -> None:
    heard = hear(payment_in(status), news(transaction_no="14226112"), now=LATER)
    paid, entry = heard.payment, heard.entry
    assert (paid.paid_at, paid.transaction_no) == (LATER, "14226112")
    assert (paid.error, paid.due_at) == (None, None), "nothing is wrong, nothing to ask"
    assert entry is not None
    assert (entry.user_id, entry.kind) == ("usr_ann", EntryKind.TOP_UP)
    assert (entry.available, entry.held, entry.active_jobs) == (20, 0, 0)
    assert (entry.created_at, entry.txn_ref) == (LATER, PENDING.txn_ref)
    assert (entry.by, entry.reason) == (None, None)


def test_a_payment_tops_up_under_one_name_whoever_brings_the_news() -> None:
    """The ledger takes each name once, so even two versions could not credit twice."""
    brought = [
        hear(payment_in(status), news(outcome, by=by), now=LATER).entry
        for status in (Status.PENDING, Status.FAILED, Status.REVIEW)
        for outcome in (Outcome.PAID, Outcome.REFUND_REFUSED)
        for by in (None, "eve")
    ]
    assert len({entry and entry.entry_id for entry in brought}) == 1
    other = hear(replace(PENDING, txn_ref="IMGother"), news(), now=LATER).entry
    assert other is not None
    assert other.entry_id not in {entry and entry.entry_id for entry in brought}


def test_an_operators_top_up_says_who_and_why() -> None:
    entry = hear(PENDING, news(by="eve", reason="seen at VNPAY"), now=LATER).entry
    assert entry is not None
    assert (entry.by, entry.reason) == ("eve", "seen at VNPAY")


@pytest.mark.parametrize(
    ("outcome", "amount_vnd"),
    [(Outcome.PAID, PRICE), (Outcome.SUSPECT, PRICE), (Outcome.PAID, 5_000)],
)
def test_the_gateways_number_is_kept_when_later_news_has_none(
    outcome: Outcome, amount_vnd: int
) -> None:
    before = replace(PENDING, transaction_no="14226112")
    heard = hear(before, news(outcome, amount_vnd), now=LATER)
    assert heard.payment.transaction_no == "14226112"


@pytest.mark.parametrize("response_code", [*FAILURES, "99", "", "xx"])
def test_a_failed_payment_says_why_in_a_stable_code_and_a_sentence(response_code: str) -> None:
    failed = hear(PENDING, news(Outcome.FAILED, response_code=response_code), now=LATER).payment
    known = FAILURES.get(response_code)
    assert failed.error is not None
    assert failed.error.code == (known[0] if known else "payment_failed")
    assert failed.error.message.endswith(".")
    assert failed.due_at is None, "VNPAY has said all that it will"
    assert failed.terminal


def test_money_of_another_amount_is_told_with_both_amounts() -> None:
    reviewed = hear(PENDING, news(amount_vnd=5_000), now=LATER).payment
    assert reviewed.error is not None
    assert reviewed.error.code == "other_amount"
    assert "5000 VND" in reviewed.error.message
    assert "26000 VND" in reviewed.error.message
    assert reviewed.due_at == PENDING.due_at, "it is still asked after"
    assert not reviewed.terminal
    unreadable = hear(PENDING, news(amount_vnd=None), now=LATER).payment
    assert unreadable.error is not None
    assert "None" not in unreadable.error.message


def test_a_suspected_payment_is_looked_into_and_still_asked_after() -> None:
    held = hear(PENDING, news(Outcome.SUSPECT), now=LATER).payment
    assert held.error is not None
    assert (held.error.code, held.due_at, held.terminal) == ("suspected", PENDING.due_at, False)
    assert hear(held, news(), now=LATER).payment.status is Status.PAID, "when VNPAY clears it"


@given(st.text(), st.text(), st.text(), st.text())
def test_a_reference_is_one_users_one_key(user: str, key: str, other: str, another: str) -> None:
    ours = txn_ref_for(user, key)
    assert ours == txn_ref_for(user, key)
    assert len(ours) <= 100
    assert ours.isascii()
    assert ours.isalnum()
    assert (ours == txn_ref_for(other, another)) is ((user, key) == (other, another))


def test_no_two_pairs_share_a_reference_because_they_read_alike() -> None:
    assert txn_ref_for("usr_a", "bc") != txn_ref_for("usr_ab", "c")
    assert txn_ref_for("usr_a", "1:b") != txn_ref_for("usr_a1:", "b")


def test_only_a_pending_payment_can_be_paid_and_only_until_its_page_closes() -> None:
    last_moment = PENDING.expires_at - timedelta(microseconds=1)
    assert PENDING.payable(START)
    assert PENDING.payable(last_moment)
    assert not PENDING.payable(PENDING.expires_at)
    others = [status for status in Status if status is not Status.PENDING]
    assert not any(payment_in(status).payable(START) for status in others)


def test_nothing_more_is_expected_of_what_is_terminal() -> None:
    terminal = {status for status in Status if payment_in(status).terminal}
    assert terminal == {Status.PAID, Status.FAILED, Status.EXPIRED, Status.REFUNDED}


def questions(payment: Payment, most: int) -> list[float]:
    """When it is asked after, in minutes since its start; each time as soon as it is due."""
    minutes: list[float] = []
    while payment.due_at is not None and len(minutes) < most:
        minutes.append((payment.due_at - START).total_seconds() / 60)
        payment = asked(payment, question_id="ask-1", now=payment.due_at)
    return minutes


@pytest.mark.parametrize("status", [Status.EXPIRED, Status.REVIEW])
def test_a_payment_given_up_is_asked_after_for_a_day(status: PaymentStatus) -> None:
    times = questions(replace(PENDING, status=status), most=99)
    assert times == [15, 21, 33, 57, 105, 201, 393, 777, 1545]
    assert times[-1] >= 24 * 60


@pytest.mark.parametrize("status", [Status.REFUNDING])
def test_a_refund_that_nothing_is_known_of_is_asked_after_for_ever(
    status: PaymentStatus,
) -> None:
    times = questions(replace(PENDING, status=status), most=60)
    gaps = [after - before for before, after in pairwise(times)]
    assert len(times) == 60
    assert gaps == sorted(gaps)
    assert gaps[0] == ASK_GAP.total_seconds() / 60 == 6, "VNPAY refuses a second for 5 minutes"
    assert set(gaps[10:]) == {24 * 60}


def test_a_payment_that_vnpay_is_silent_about_expires_with_the_last_question() -> None:
    last = asked(replace(PENDING, asks=8), question_id="ask-9", now=LATER)
    assert (last.status, last.due_at) == (Status.EXPIRED, None)
    assert last.error is not None
    assert last.error.code == "expired"
    assert hear(last, news(), now=LATER).payment.status is Status.PAID


def test_a_payment_given_up_late_is_asked_after_once_more() -> None:
    late = replace(PENDING, status=Status.EXPIRED, asks=40)
    assert len(questions(late, most=9)) == 1


def test_asking_is_written_down_and_changes_nothing_else() -> None:
    asking = asked(PENDING, question_id="ask-1", now=LATER)
    assert asking.due_at == LATER + ASK_GAP
    before = replace(asking, asks=0, question_id=None, due_at=PENDING.due_at, version=1)
    assert before == PENDING
    assert (asking.asks, asking.version, asking.question_id) == (1, 2, "ask-1")


def test_a_payment_expires_a_while_after_its_page_has_closed() -> None:
    end = PENDING.expires_at + GRACE
    assert expire(PENDING, now=end - timedelta(microseconds=1)) is PENDING
    expired = expire(PENDING, now=end)
    assert (expired.status, expired.version) == (Status.EXPIRED, 2)
    assert expired.error is not None
    assert expired.error.code == "expired"
    assert expired.due_at == PENDING.due_at, "it is still asked after: the money may come late"
    assert expired.terminal


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.PENDING])
def test_only_a_pending_payment_expires(status: PaymentStatus) -> None:
    before = payment_in(status)
    assert expire(before, now=LATER + timedelta(days=9)) is before


def test_a_closed_review_is_a_failed_payment_that_says_why() -> None:
    closed = close(payment_in(Status.REVIEW), by="eve", reason="The bank took it back.")
    assert (closed.status, closed.version, closed.due_at) == (Status.FAILED, 8, None)
    assert closed.error == PaymentError(code="closed", message="The bank took it back.", by="eve")


DECIDED_BY_PEOPLE = (Status.REVIEW, Status.REFUNDING)


@pytest.mark.parametrize("status", [each for each in Status if each not in DECIDED_BY_PEOPLE])
def test_only_what_a_person_decides_is_closed(status: PaymentStatus) -> None:
    with pytest.raises(Conflict, match=status):
        close(payment_in(status), by="eve", reason="no")


def test_a_refund_that_was_seen_paid_back_is_over() -> None:
    assert close(payment_in(Status.REFUNDING), by="eve", reason="seen").status is Status.REFUNDED


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.SUSPECT, Outcome.REFUNDED])
def test_a_close_stands_whatever_the_gateway_repeats(outcome: Outcome) -> None:
    closed = close(payment_in(Status.REVIEW), by="eve", reason="paid back")
    assert hear(closed, news(outcome), now=LATER) == Heard(Verdict.REPEATED, closed)
    other = hear(closed, news(outcome, PRICE - 1), now=LATER)
    assert other == Heard(Verdict.OTHER_AMOUNT, closed)


def test_money_after_a_close_is_for_a_person_again() -> None:
    closed = close(payment_in(Status.REVIEW), by="eve", reason="paid back")
    heard = hear(closed, news(), now=LATER)
    assert (heard.payment.status, heard.entry) == (Status.REVIEW, None)
    confirmed = hear(closed, news(by="eve"), now=LATER)
    assert (confirmed.payment.status, confirmed.entry is None) == (Status.PAID, False)
