"""What an operator may do with credits and payments; each act says who and why, and counts once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from common.booking import book, book_refund, gives_back, refunds
from common.credits import LedgerEntry, grant
from common.email_address import normalised
from common.errors import Conflict, GatewaySilent, InsufficientCredits, InvalidRequest, NotFound
from common.payments import UNCREDITED, News, Payment, PaymentStatus, Verdict, close
from common.ports import Clock, Granter, PaymentGateway, PaymentReader, PaymentSaver, UserStore
from common.refunds import begin_refund
from common.users import User
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

    Raises Conflict when the amount or VNPAY's number is not the payment's, or when it was booked
    before.
    """
    require_confirmable(payment, amount_vnd=amount_vnd, transaction_no=transaction_no)
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


def require_confirmable(payment: Payment, *, amount_vnd: int, transaction_no: str) -> None:
    """Raise Conflict for what `confirm_payment` would refuse."""
    if payment.status not in UNCREDITED:
        raise Conflict(f"{payment.txn_ref} is {payment.status} already.")
    if amount_vnd != payment.amount_vnd:
        raise Conflict(
            f"{payment.txn_ref} is for {payment.amount_vnd} VND, not {amount_vnd}. Pay money of "
            "another amount back in VNPAY's portal."
        )
    if payment.transaction_no not in (None, transaction_no):
        raise Conflict(
            f"VNPAY calls {payment.txn_ref} {payment.transaction_no}, not {transaction_no}; "
            "a refund would not find it."
        )


def close_payment(payment: Payment, *, by: str, reason: str, payments: PaymentSaver) -> Payment:
    """End a review, or a refund that was seen paid back.

    Raises Conflict, or StaleWrite when it changed just now.
    """
    closed = close(payment, by=by, reason=reason)
    payments.save(closed)
    return closed


def require_unspent(payment: Payment, number: int, user: User) -> None:
    """Raise InsufficientCredits for credits that `refund_payment` could not take."""
    if user.balance.available < number:
        raise InsufficientCredits(
            f"{number} credits of {payment.txn_ref} cannot be taken: {user.email} has "
            f"{user.balance.available}. Choose how many with --credits."
        )


@dataclass(frozen=True, slots=True)
class Refunded:
    """A payment after a try to refund it, and what VNPAY said to that."""

    payment: Payment
    said: str

    @property
    def answered(self) -> bool:
        """Whether it is decided, or in VNPAY's hands."""
        refund = self.payment.refund
        open_ = self.payment.status is PaymentStatus.REFUNDING
        return not open_ or (refund is not None and refund.accepted)


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
) -> Refunded:
    """Take the payment's credits back (None: all of them), then have VNPAY pay them back.

    The payment is `paid` again when VNPAY refused, else `refunding`: the sweep follows it until it
    is decided, and asks again where VNPAY did not answer. Raises Conflict, StaleWrite,
    InsufficientCredits for credits that are spent, or whatever keeps VNPAY from being asked; then
    nothing has changed.
    """
    gateway.require_account()
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
    except GatewaySilent as error:
        return Refunded(begun, error.message)
    said = f"VNPAY answered {answer.response_code} {answer.message}".strip()
    outcome = refund_outcome(answer.response_code, answer.transaction_status)
    ended = book_refund(begun, outcome, message=said, payments=payments, now=now)
    if gives_back(outcome) and not refunds(ended, request_id):
        raise Conflict(
            f"VNPAY pays back a refund of {payment.txn_ref} that was given up in the meantime, and "
            "its credits are given again: look at it now."
        )
    return Refunded(ended, said)
