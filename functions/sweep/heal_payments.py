"""Ask VNPAY after payments that it should have told us of: an IPN that never came, a lost refund.

Each question is written down before it is asked, so two sweeps never ask the same, and none asks
sooner than VNPAY allows, whatever became of the sweep before.
"""

from __future__ import annotations

from collections.abc import Callable

from common.booking import book, book_refund
from common.errors import ImagifyError, StaleWrite
from common.metrics import (
    PAYMENTS_EXPIRED,
    PAYMENTS_HEALED,
    PAYMENTS_NOT_HEALED,
    PAYMENTS_TO_REVIEW,
    UNEXPECTED_ERRORS,
)
from common.observability import count, logger
from common.payments import ASKS_MAX, News, Payment, PaymentStatus, asked, expire
from common.refunds import unheard
from common.services.sweep import SweepServices
from common.vnpay_codes import Outcome, query_outcome, refund_outcome

PAYMENTS_MAX = 50
"""Payments that one sweep asks after; the next one goes on."""
QUESTION_SECONDS_MAX = 20
"""What a question may take, with what is written before and after it."""


def heal_payments(sweep: SweepServices, *, seconds_left: Callable[[], float]) -> int:
    """Ask after the payments that are due, while there is time; answers how many were asked after.

    A payment that something goes wrong with does not keep the others from being asked after.
    """
    number = 0
    for txn_ref in sweep.payments.due(sweep.now(), limit=PAYMENTS_MAX):
        if seconds_left() < QUESTION_SECONDS_MAX:
            break
        try:
            asking = _begin(txn_ref, sweep)
            if asking is not None:
                number += 1
                _ask(asking, sweep)
        except ImagifyError as error:
            logger.warning("not healed", txn_ref=txn_ref, code=error.code, reason=error.message)
            count(PAYMENTS_NOT_HEALED)
        except Exception:  # noqa: BLE001 - one that cannot even be read must not stop the rest
            logger.exception("not healed", txn_ref=txn_ref)
            count(UNEXPECTED_ERRORS)
    return number


def _begin(txn_ref: str, sweep: SweepServices) -> Payment | None:
    """Write down that the payment is being asked after; None: there is no need any more."""
    now = sweep.now()
    payment = sweep.payments.get(txn_ref)
    if payment is None or payment.due_at is None or payment.due_at > now:
        return None
    asking = asked(payment, question_id=sweep.new_id(), now=now)
    try:
        sweep.payments.save(asking)
    except StaleWrite:
        return None  # another sweep is asking, or the news has come by itself
    return asking


def _ask(asking: Payment, sweep: SweepServices) -> None:
    """Ask, and take in the answer."""
    assert asking.question_id is not None
    answer = sweep.gateway.query(asking, request_id=asking.question_id, now=sweep.now())
    outcome = query_outcome(
        answer.response_code, answer.transaction_type, answer.transaction_status
    )
    if asking.status is PaymentStatus.REFUNDING:
        _follow_refund(asking, outcome, sweep)
    elif outcome is Outcome.UNFINISHED:
        _expire(asking, sweep)
    elif outcome is Outcome.UNKNOWN:
        logger.warning(
            "unclear",
            txn_ref=asking.txn_ref,
            response_code=answer.response_code,
            transaction_status=answer.transaction_status,
        )
    else:
        news = News(
            txn_ref=asking.txn_ref,
            outcome=outcome,
            # Where no money came, VNPAY need not say how much.
            amount_vnd=answer.amount_vnd if outcome.moved else asking.amount_vnd,
            transaction_no=answer.transaction_no,
        )
        heard = book(news, payments=sweep.payments, now=sweep.now)
        if heard and heard.entry:
            count(PAYMENTS_HEALED)


def _follow_refund(asking: Payment, outcome: Outcome, sweep: SweepServices) -> None:
    """Take in how the refund stands; send it again, under its own id, where VNPAY shows none."""
    if asking.asks >= ASKS_MAX:
        # A day and no end: a person should know, each day until there is one.
        count(PAYMENTS_TO_REVIEW)
    message = ""
    if unheard(asking, outcome):
        answer = sweep.gateway.refund(asking, now=sweep.now())
        outcome = refund_outcome(answer.response_code, answer.transaction_status)
        message = f"VNPAY refused the refund: {answer.response_code} {answer.message}".strip()
        logger.info("refund sent again", txn_ref=asking.txn_ref, response_code=answer.response_code)
    book_refund(asking, outcome, message=message, payments=sweep.payments, now=sweep.now)


def _expire(payment: Payment, sweep: SweepServices) -> None:
    expired = expire(payment, now=sweep.now())
    if expired is payment:
        return
    sweep.payments.save(expired)
    logger.info("expired", txn_ref=payment.txn_ref, user_id=payment.user_id)
    count(PAYMENTS_EXPIRED)
