"""What an operator may do with credits and payments; each act says who and why, and counts once."""

from __future__ import annotations

import re
from datetime import datetime

from common.booking import book, book_refund
from common.credits import LedgerEntry, grant
from common.email_address import normalised
from common.errors import Conflict, GatewaySilent, InsufficientCredits, InvalidRequest, NotFound
from common.payments import UNCREDITED, News, Payment, Verdict, begin_refund, close
from common.ports import (
    Clock,
    Granter,
    PaymentGateway,
    PaymentReader,
    PaymentSaver,
    User,
    UserStore,
)
from common.vnpay_codes import Outcome, refund_outcome

_KEY = re.compile(r"[\x21-\x7e]{1,64}")


def find_user(email: str, users: UserStore) -> User:
    """The user with that address. Raises NotFound, or InvalidRequest for what is no address."""
    user_id = users.find_by_email(normalised(email))
    user = users.get(user_id) if user_id else None
    if user is None:
        raise NotFound(f"There is no user with the address {email}.", code="unknown_user")
    return user


def find_payment(txn_ref: str, payments: PaymentReader) -> Payment:
    """The payment of that reference. Raises NotFound."""
    payment = payments.get(txn_ref)
    if payment is None:
        raise NotFound(f"There is no payment {txn_ref}.")
    return payment


def give(
    user: User, number: int, *, key: str, by: str, reason: str, ledger: Granter, now: datetime
) -> LedgerEntry:
    """Grant credits, once for a key of 1 to 64 visible ASCII characters.

    Raises InvalidRequest for another key, StaleWrite when the key granted something else.
    """
    if not _KEY.fullmatch(key):
        raise InvalidRequest("--key takes 1 to 64 visible ASCII characters.")
    entry = grant(user.user_id, amount=number, cause=key, reason=reason, by=by, now=now)
    ledger.add(entry)
    return entry


def confirm_payment(
    payment: Payment,
    *,
    amount_vnd: int,
    transaction_no: str,
    by: str,
    reason: str,
    payments: PaymentSaver,
    now: Clock,
) -> Payment:
    """Book a payment that an operator has seen paid in VNPAY's merchant portal.

    Raises Conflict when the amount is not the payment's, or when it was booked before.
    """
    require_confirmable(payment, amount_vnd=amount_vnd)
    news = News(
        txn_ref=payment.txn_ref,
        outcome=Outcome.PAID,
        amount_vnd=amount_vnd,
        transaction_no=transaction_no,
        by=by,
        reason=reason,
    )
    heard = book(news, payments=payments, now=now)
    if heard is None or heard.verdict is not Verdict.RECORDED:
        raise Conflict(f"{payment.txn_ref} was booked before; nothing has changed.")
    return heard.payment


def require_confirmable(payment: Payment, *, amount_vnd: int) -> None:
    """Raise Conflict for what `confirm_payment` would refuse."""
    if payment.status not in UNCREDITED:
        raise Conflict(f"{payment.txn_ref} is {payment.status} already.")
    if amount_vnd != payment.amount_vnd:
        raise Conflict(
            f"{payment.txn_ref} is for {payment.amount_vnd} VND, not {amount_vnd}. Pay money of "
            "another amount back in VNPAY's portal; then: imagify payments close."
        )


def close_payment(payment: Payment, *, reason: str, payments: PaymentSaver) -> Payment:
    """End a review without credits. Raises Conflict, or StaleWrite when it changed just now."""
    closed = close(payment, reason=reason)
    payments.save(closed)
    return closed


def refund_payment(
    payment: Payment,
    number: int | None,
    *,
    by: str,
    reason: str,
    request_id: str,
    payments: PaymentSaver,
    gateway: PaymentGateway,
    now: Clock,
) -> Payment:
    """Take the payment's credits back (None: all of them), then have VNPAY pay them back.

    The answer is `paid` when VNPAY refused and the credits are given back, else `refunding`, with
    `refund.accepted` telling whether VNPAY has answered: the sweep asks until it is decided.

    Raises Conflict, StaleWrite, or InsufficientCredits for credits that are spent; then nothing has
    changed.
    """
    begun, entry = begin_refund(
        payment,
        number_of_credits=payment.credits if number is None else number,
        by=by,
        reason=reason,
        request_id=request_id,
        now=now(),
    )
    try:
        payments.save(begun, entry=entry)
    except InsufficientCredits as error:
        raise InsufficientCredits(
            f"{error.message} Only unused credits are refunded: choose how many with --credits."
        ) from None
    try:
        answer = gateway.refund(begun, now=now())
    except GatewaySilent:
        return begun
    return book_refund(
        begun,
        refund_outcome(answer.response_code, answer.transaction_status),
        message=f"VNPAY refused the refund: {answer.response_code} {answer.message}".strip(),
        payments=payments,
        now=now,
    )
