"""Refunds: the credits are taken first, and given again only if the gateway itself refuses.

See `common.payments` for the states.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from common.credits import EntryKind, LedgerEntry
from common.errors import Conflict
from common.payments import (
    ASK_GAP,
    Payment,
    PaymentError,
    PaymentStatus,
    Refund,
    next_version,
)
from common.vnpay_codes import Outcome


def begin_refund(
    payment: Payment,
    *,
    number_of_credits: int,
    by: str,
    reason: str,
    request_id: str,
    now: datetime,
) -> tuple[Payment, LedgerEntry]:
    """Take so many of the payment's credits back, to have their price paid back.

    A part's price is rounded down to whole VND. Raises Conflict when there is nothing to refund.
    """
    if payment.status is not PaymentStatus.PAID:
        raise Conflict(f"This payment is {payment.status}; only a paid one is refunded.")
    if not 1 <= number_of_credits <= payment.credits:
        raise Conflict(f"This payment bought {payment.credits} credits.")
    amount_vnd = payment.amount_vnd * number_of_credits // payment.credits
    if amount_vnd == 0:
        raise Conflict(f"{number_of_credits} credits of this payment cost less than 1 VND.")
    refund = Refund(
        number=payment.refund.number + 1 if payment.refund else 1,
        request_id=request_id,
        credits=number_of_credits,
        amount_vnd=amount_vnd,
        by=by,
        reason=reason,
        requested_at=now,
    )
    begun = next_version(
        payment,
        status=PaymentStatus.REFUNDING,
        refund=refund,
        error=None,
        asks=0,
        due_at=now + ASK_GAP,
    )
    return begun, _refund_entry(begun, EntryKind.REFUND, now=now)


def end_refund(
    payment: Payment, outcome: Outcome, *, now: datetime, message: str = ""
) -> tuple[Payment, LedgerEntry | None]:
    """Take in what the gateway says of a refund: it is on it, did it, refuses, or leaves it open.

    Whatever is open stays `refunding`, the credits taken: that the gateway shows no refund proves
    nothing. Only its own refusal gives the credits back.
    """
    refund = payment.refund
    if payment.status is not PaymentStatus.REFUNDING or refund is None:
        return payment, None
    if outcome is Outcome.REFUNDED:
        return next_version(payment, status=PaymentStatus.REFUNDED, due_at=None, error=None), None
    if outcome is Outcome.REFUNDING and not refund.accepted:
        return next_version(payment, refund=replace(refund, accepted=True)), None
    if outcome is not Outcome.REFUND_REFUSED:
        return payment, None
    error = PaymentError(code="refund_refused", message=message or "VNPAY refused the refund.")
    undone = next_version(payment, status=PaymentStatus.PAID, due_at=None, error=error)
    return undone, _refund_entry(undone, EntryKind.REFUND_UNDONE, now=now)


def unheard(payment: Payment, outcome: Outcome) -> bool:
    """Whether the gateway shows a payment whose refund it may never have been asked for."""
    return (
        payment.status is PaymentStatus.REFUNDING
        and payment.refund is not None
        and not payment.refund.accepted
        and outcome in (Outcome.PAID, Outcome.SUSPECT)
    )


def _refund_entry(payment: Payment, kind: EntryKind, *, now: datetime) -> LedgerEntry:
    refund = payment.refund
    assert refund is not None
    sign = -1 if kind is EntryKind.REFUND else 1
    return LedgerEntry(
        user_id=payment.user_id,
        entry_id=f"payment#{payment.txn_ref}#{kind}#{refund.number}",
        kind=kind,
        created_at=now,
        available=sign * refund.credits,
        txn_ref=payment.txn_ref,
        reason=refund.reason,
        by=refund.by,
    )
