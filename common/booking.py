"""Books news of a payment, once, whoever brings it: an IPN, a query, or an operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.errors import StaleWrite
from common.metrics import (
    PAYMENTS_FAILED,
    PAYMENTS_PAID,
    PAYMENTS_TO_REVIEW,
    REFUNDS_DONE,
    REFUNDS_REFUSED,
)
from common.observability import count, logger
from common.payments import Heard, News, Payment, PaymentStatus, Verdict, hear
from common.refunds import end_refund
from common.vnpay_codes import Outcome

if TYPE_CHECKING:
    from common.ports import Clock, PaymentSaver

TRIES = 5
"""Each lost race means that another's news was written; after one or two there is none left."""

COUNTED = {
    PaymentStatus.PAID: PAYMENTS_PAID,
    PaymentStatus.FAILED: PAYMENTS_FAILED,
    PaymentStatus.REVIEW: PAYMENTS_TO_REVIEW,
}


def book(news: News, *, payments: PaymentSaver, now: Clock) -> Heard | None:
    """Write down what the news changes; None: there is no such payment.

    The payment, the balance and the ledger entry are one write over the version that was read, so
    however many bring the same news at once, credits are booked once.
    """
    for _try in range(TRIES):
        payment = payments.get(news.txn_ref)
        if payment is None:
            return None
        heard = hear(payment, news, now=now())
        if heard.payment is not payment:
            try:
                payments.save(heard.payment, entry=heard.entry)
            except StaleWrite:
                continue
            _tell(heard)
        elif heard.verdict is Verdict.OTHER_AMOUNT and _alarming(heard, news):
            logger.error("money of another amount", txn_ref=payment.txn_ref)
            count(PAYMENTS_TO_REVIEW)
        return heard
    raise StaleWrite(f"{news.txn_ref} kept changing.")


def _alarming(heard: Heard, news: News) -> bool:
    """Whether money of another amount has come that nobody has looked into."""
    return news.outcome.moved and not heard.payment.closed


def _tell(heard: Heard) -> None:
    payment = heard.payment
    logger.info("payment", txn_ref=payment.txn_ref, user_id=payment.user_id, status=payment.status)
    count(COUNTED[payment.status])


def book_refund(
    payment: Payment, outcome: Outcome, *, message: str = "", payments: PaymentSaver, now: Clock
) -> Payment:
    """Write down what the gateway says of a refund; what it leaves open stays as it is.

    Whoever has written to the payment in the meantime, VNPAY's word on this very refund counts, as
    long as it is open. Money that goes back for one that is not is for a person: the alarm.
    """
    if payment.refund is None:
        return payment
    request_id = payment.refund.request_id
    for _try in range(TRIES):
        ended, entry = end_refund(payment, outcome, message=message, now=now())
        if ended is payment:
            break
        try:
            payments.save(ended, entry=entry)
        except StaleWrite:
            payment = payments.get(payment.txn_ref) or payment
            if payment.refund is None or payment.refund.request_id != request_id:
                break
            continue
        logger.info("refund", txn_ref=ended.txn_ref, user_id=ended.user_id, status=ended.status)
        if ended.status is not PaymentStatus.REFUNDING:
            count(REFUNDS_REFUSED if entry else REFUNDS_DONE)
        return ended
    if gives_back(outcome) and not refunds(payment, request_id):
        logger.error("VNPAY pays back what was given up", txn_ref=payment.txn_ref)
        count(PAYMENTS_TO_REVIEW)
    return payment


def gives_back(outcome: Outcome) -> bool:
    """Whether money goes back to the customer."""
    return outcome in (Outcome.REFUNDING, Outcome.REFUNDED)


def refunds(payment: Payment, request_id: str) -> bool:
    """Whether the payment's credits are taken back for that very refund."""
    open_or_done = payment.status in (PaymentStatus.REFUNDING, PaymentStatus.REFUNDED)
    return open_or_done and payment.refund is not None and payment.refund.request_id == request_id
