"""Payments: what a person pays for credits, and how far it has come.

    pending ──▶ paid ──▶ refunding ──▶ refunded
       │         ▲ ▲         │
       │         │ └─────────┘ the gateway refused: the credits are given back
       │         │
       ├──▶ failed, expired    nothing came, as far as the gateway knew
       └──▶ review ──▶ failed  what came does not fit; an operator confirms or closes it

Paid is paid, however late: a payment that had failed or expired for us is credited when the gateway
says that the money is there. `review` is money that does not fit (another amount, suspected fraud):
unless the gateway says later that it is paid as agreed, a person decides.

Each transition is a pure function to the next version, which a store writes over the one before,
together with the credits that it moves. So of an IPN, a query and an operator with the same news
one wins, and the others find it told.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from common.credits import EntryKind, LedgerEntry
from common.errors import Conflict
from common.vnpay_codes import FAILURES, OTHER_FAILURE, Outcome

PAY_MINUTES = 15
"""How long the pay page stays open; VNPAY's samples use the same."""
ASK_GAP = timedelta(minutes=6)
"""Between two questions about one payment: VNPAY has been seen to refuse a second for 5 minutes."""
GRACE = timedelta(minutes=15)
"""After the pay page has closed, until it is believed that nothing has come."""
ASKS_MAX = 9
"""Questions about a payment: 15, 21, 33, … minutes after its start, the last after a day. A refund
is asked after until it is decided, at last daily."""
CLOSED = "closed"
"""The error of a payment whose review an operator has ended."""
ASK_GAP_MAX = timedelta(days=1)

Locale = Literal["vn", "en"]


class PaymentStatus(StrEnum):
    """Where a payment is; the values are the API's and never change."""

    PENDING = "pending"
    """Begun; the gateway has not said how it ended."""
    PAID = "paid"
    """The money is there and the credits are booked."""
    FAILED = "failed"
    """The gateway says that it ended without money."""
    EXPIRED = "expired"
    """The time is over and the gateway knows of no money."""
    REVIEW = "review"
    """Money that does not fit the payment: an operator decides."""
    REFUNDING = "refunding"
    """The credits are taken back; the gateway has been, or is to be, asked to pay back."""
    REFUNDED = "refunded"
    """The gateway pays back."""


UNCREDITED = frozenset(
    {PaymentStatus.PENDING, PaymentStatus.FAILED, PaymentStatus.EXPIRED, PaymentStatus.REVIEW}
)
"""Where news of the money still tops up."""
TERMINAL = frozenset(
    {PaymentStatus.PAID, PaymentStatus.FAILED, PaymentStatus.EXPIRED, PaymentStatus.REFUNDED}
)
"""Where nothing more is expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentError:
    """Why no credits were booked, or why nothing was paid back."""

    code: str
    message: str
    by: str | None = None
    """The operator who said so."""


NOT_PAID_IN_TIME = PaymentError(code="expired", message="It was not paid in time.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """What is to be paid back, and who wants it."""

    number: int
    """1 for the payment's first refund, one more for each that was refused before."""
    request_id: str
    """The gateway takes each once."""
    credits: int
    amount_vnd: int
    by: str
    reason: str
    requested_at: datetime
    accepted: bool = False
    """The gateway has said that it is on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One purchase of credits; `version` grows by one with each change."""

    txn_ref: str
    """Its name here and at the gateway, never used again."""
    user_id: str
    package: str
    credits: int
    amount_vnd: int
    locale: Locale
    ip_address: str
    """The customer's, as the gateway wants to know it."""
    fingerprint: str
    """SHA-256 of the request: tells a repeat from another one with the same key."""
    created_at: datetime
    expires_at: datetime
    """When the pay page closes."""
    bank_code: str | None = None
    status: PaymentStatus = PaymentStatus.PENDING
    version: int = 1
    asks: int = 0
    """How often the gateway was asked since the start, or since the refund."""
    question_id: str | None = None
    """The last question's request id; of two sweeps that ask at once, one has written its own."""
    due_at: datetime | None = None
    """When the gateway is to be asked next; None: not by itself."""
    paid_at: datetime | None = None
    """When we learned of it."""
    received_vnd: int | None = None
    """What came, where that was another amount."""
    transaction_no: str | None = None
    """The gateway's own number."""
    error: PaymentError | None = None
    refund: Refund | None = None

    @property
    def terminal(self) -> bool:
        """Whether there is nothing left to wait for."""
        return self.status in TERMINAL

    @property
    def closed(self) -> bool:
        """Whether an operator has ended its review."""
        failed = self.status is PaymentStatus.FAILED
        return failed and self.error is not None and self.error.code == CLOSED

    def payable(self, now: datetime) -> bool:
        """Whether the pay page still takes it."""
        return self.status is PaymentStatus.PENDING and now < self.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What the gateway, or an operator who has looked there, says about a payment."""

    txn_ref: str
    outcome: Outcome
    amount_vnd: int | None = None
    response_code: str = ""
    transaction_no: str = ""
    by: str | None = None
    """The operator who brings it; None: the gateway itself."""
    reason: str | None = None


class Verdict(StrEnum):
    """What a piece of news was."""

    RECORDED = "recorded"
    REPEATED = "repeated"
    """It changes nothing."""
    OTHER_AMOUNT = "other_amount"
    UNCLEAR = "unclear"
    """It does not say how the payment ended."""


@dataclass(frozen=True, slots=True)
class Heard:
    """The verdict, the payment after it, and what moves with that."""

    verdict: Verdict
    payment: Payment
    entry: LedgerEntry | None = None


def txn_ref_for(user_id: str, idempotency_key: str) -> str:
    """The reference that a user's key stands for, always the same: `IMG` and 32 hex digits.

    Letters and digits alone, as the gateway wants it; lengths before the parts, so that no two
    pairs read alike.
    """
    parts = f"{len(user_id)}:{user_id}{len(idempotency_key)}:{idempotency_key}"
    return "IMG" + hashlib.sha256(f"payment:{parts}".encode()).hexdigest()[:32]


def hear(payment: Payment, news: News, *, now: datetime) -> Heard:
    """Take in how a payment ended, from whoever brings the news.

    The amount is judged before whether it is known already, as the gateway's rules have it. Only
    news of the right amount tops up; news of money of another amount sends it to review.
    """
    if news.amount_vnd != payment.amount_vnd:
        return _hear_other_amount(payment, news)
    if payment.status not in UNCREDITED:
        return Heard(Verdict.REPEATED, payment)
    if not news.outcome.tells:
        return Heard(Verdict.UNCLEAR, payment)
    if payment.closed and news.by is None:
        return _hear_closed(payment, news)
    return _hear_end(payment, news, now)


def _hear_end(payment: Payment, news: News, now: datetime) -> Heard:
    """Take in the end of a payment that is not credited yet."""
    if news.outcome in (Outcome.PAID, Outcome.REFUND_REFUSED):
        return _paid(payment, news, now)
    if news.outcome is Outcome.FAILED:
        return _failed(payment, news)
    held = PaymentError(
        code="suspected",
        message="VNPAY has not settled this payment; somebody is looking into it.",
    )
    return _reviewed(payment, news, held)


def asked(payment: Payment, *, question_id: str, now: datetime) -> Payment:
    """Note that the gateway is being asked, under which id, and when it may be asked next.

    It is written before the question goes out, so that no two sweeps ask the same, and none asks
    again too soon after one that died.
    """
    asks = payment.asks + 1
    wait = min(ASK_GAP_MAX, ASK_GAP * 2 ** min(payment.asks, ASKS_MAX))
    last = payment.status is not PaymentStatus.REFUNDING and asks >= ASKS_MAX
    due_at = None if last else now + wait
    asking = next_version(payment, asks=asks, question_id=question_id, due_at=due_at)
    if last and asking.status is PaymentStatus.PENDING:
        # A day of silence: whoever waits is told. What the last question brings still counts.
        return replace(asking, status=PaymentStatus.EXPIRED, error=NOT_PAID_IN_TIME)
    return asking


def expire(payment: Payment, *, now: datetime) -> Payment:
    """Give a pending payment up that the gateway knows no money of; the same one until then."""
    if payment.status is not PaymentStatus.PENDING or now < payment.expires_at + GRACE:
        return payment
    return next_version(payment, status=PaymentStatus.EXPIRED, error=NOT_PAID_IN_TIME)


def close(payment: Payment, *, by: str, reason: str) -> Payment:
    """End what only a person can: a review without credits, or a refund that has been paid back.

    Raises Conflict for any other payment.
    """
    if payment.status is PaymentStatus.REFUNDING:
        return next_version(payment, status=PaymentStatus.REFUNDED, due_at=None, error=None)
    if payment.status is not PaymentStatus.REVIEW:
        raise Conflict(
            f"This payment is {payment.status}; only one in review or refunding is closed."
        )
    error = PaymentError(code=CLOSED, message=reason, by=by)
    return next_version(payment, status=PaymentStatus.FAILED, error=error, due_at=None)


def top_up(payment: Payment, *, now: datetime) -> LedgerEntry:
    """The credits of a payment that is paid; its id makes it the only one."""
    return LedgerEntry(
        user_id=payment.user_id,
        entry_id=f"payment#{payment.txn_ref}#top_up",
        kind=EntryKind.TOP_UP,
        created_at=now,
        available=payment.credits,
        txn_ref=payment.txn_ref,
    )


def _paid(payment: Payment, news: News, now: datetime) -> Heard:
    paid = next_version(
        payment,
        status=PaymentStatus.PAID,
        paid_at=now,
        due_at=None,
        error=None,
        transaction_no=news.transaction_no or payment.transaction_no,
    )
    entry = replace(top_up(paid, now=now), by=news.by, reason=news.reason)
    return Heard(Verdict.RECORDED, paid, entry)


def _failed(payment: Payment, news: News) -> Heard:
    if payment.status in (PaymentStatus.FAILED, PaymentStatus.REVIEW):
        return Heard(Verdict.REPEATED, payment)
    code, message = FAILURES.get(news.response_code, OTHER_FAILURE)
    error = PaymentError(code=code, message=message)
    return Heard(
        Verdict.RECORDED,
        next_version(payment, status=PaymentStatus.FAILED, error=error, due_at=None),
    )


def _hear_other_amount(payment: Payment, news: News) -> Heard:
    if (
        payment.closed
        or not news.outcome.moved
        or payment.status not in UNCREDITED
        or payment.status is PaymentStatus.REVIEW
    ):
        return Heard(Verdict.OTHER_AMOUNT, payment)
    came = "Another amount" if news.amount_vnd is None else f"{news.amount_vnd} VND"
    error = PaymentError(
        code="other_amount",
        message=f"{came} came instead of {payment.amount_vnd} VND; somebody is looking into it.",
    )
    heard = _reviewed(replace(payment, received_vnd=news.amount_vnd), news, error)
    return replace(heard, verdict=Verdict.OTHER_AMOUNT)


def _hear_closed(payment: Payment, news: News) -> Heard:
    """The gateway repeats itself after a close, or says that it is paid after all."""
    if news.outcome not in (Outcome.PAID, Outcome.REFUND_REFUSED):
        return Heard(Verdict.REPEATED, payment)
    error = PaymentError(
        code="paid_after_close", message="The money came after all; somebody is looking into it."
    )
    return _reviewed(payment, news, error)


def _reviewed(payment: Payment, news: News, error: PaymentError) -> Heard:
    if payment.status is PaymentStatus.REVIEW:
        return Heard(Verdict.REPEATED, payment)
    reviewed = next_version(
        payment,
        status=PaymentStatus.REVIEW,
        error=error,
        transaction_no=news.transaction_no or payment.transaction_no,
    )
    return Heard(Verdict.RECORDED, reviewed)


def next_version(payment: Payment, **changes: object) -> Payment:
    """The payment changed so, one version on."""
    return replace(payment, version=payment.version + 1, **changes)  # type: ignore[arg-type]  # each caller names fields of Payment
