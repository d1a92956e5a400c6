"""VNPAY's codes and what they mean to us (P: page "PAY", Q: "querydr & refund", T: Techspec)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

PRICE_VND_MIN = 5_000
PRICE_VND_MAX = 999_999_999
"""Bounds that integrators quote; P gives none."""


class Outcome(StrEnum):
    """What VNPAY says has become of a payment."""

    PAID = "paid"
    """The money is there."""
    UNFINISHED = "unfinished"
    """The customer has not finished, or VNPAY knows of no such payment."""
    FAILED = "failed"
    """It ended without money."""
    SUSPECT = "suspect"
    """Money has moved, but VNPAY suspects fraud or contradicts itself: a person must look."""
    REFUNDING = "refunding"
    """It was paid, and VNPAY has taken it on to pay back; the bank may still refuse."""
    REFUNDED = "refunded"
    """It was paid, and is with the bank to be paid back, or has been."""
    REFUND_REFUSED = "refund_refused"
    """It was paid, and will not be paid back."""
    UNKNOWN = "unknown"
    """This says nothing of the payment: ask again."""

    @property
    def tells(self) -> bool:
        """Whether it says how the payment ended."""
        return self not in (Outcome.UNFINISHED, Outcome.UNKNOWN)

    @property
    def moved(self) -> bool:
        """Whether it says that money has moved."""
        return self.tells and self is not Outcome.FAILED


class RspCode(StrEnum):
    """Our answer to an IPN, in the order in which P has them checked."""

    BAD_SIGNATURE = "97"
    UNKNOWN_PAYMENT = "01"
    OTHER_AMOUNT = "04"
    ALREADY_RECORDED = "02"
    RECORDED = "00"
    ADDRESS_NOT_ALLOWED = "03"
    """From T."""
    ERROR = "99"


RSP_MESSAGES: Mapping[RspCode, str] = MappingProxyType(
    {
        RspCode.BAD_SIGNATURE: "Invalid signature",
        RspCode.UNKNOWN_PAYMENT: "Order not found",
        RspCode.OTHER_AMOUNT: "Invalid amount",
        RspCode.ALREADY_RECORDED: "Order already confirmed",
        RspCode.RECORDED: "Confirm success",
        RspCode.ADDRESS_NOT_ALLOWED: "Address not allowed",
        RspCode.ERROR: "Unknown error",
    }
)

SUCCESS = "00"
_SUSPECT = "07"

FAILURES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "09": ("not_registered", "The card or account is not registered for online payments."),
        "10": ("wrong_card_data", "The card or account data were wrong three times."),
        "11": ("window_expired", "The time for paying was over."),
        "12": ("card_locked", "The card or account is locked."),
        "13": ("wrong_otp", "The one-time password was wrong."),
        "24": ("canceled_by_customer", "The payment was cancelled on VNPAY's page."),
        "51": ("insufficient_funds", "The account does not have enough money."),
        "65": ("daily_limit", "The account's limit for the day is used up."),
        "75": ("bank_maintenance", "The bank is under maintenance."),
        "79": ("wrong_password", "The payment password was wrong too often."),
    }
)
"""vnp_ResponseCode of a return or IPN (P): our stable code and a sentence for people."""
OTHER_FAILURE = ("payment_failed", "VNPAY says that the payment failed.")

_STATUSES: Mapping[str, Outcome] = MappingProxyType(
    {
        "00": Outcome.PAID,
        "01": Outcome.UNFINISHED,
        "02": Outcome.FAILED,
        "04": Outcome.SUSPECT,  # taken by the bank, not at VNPAY: it goes one way or the other
        "05": Outcome.REFUNDING,
        "06": Outcome.REFUNDED,
        "07": Outcome.SUSPECT,
        "08": Outcome.FAILED,
        "09": Outcome.REFUND_REFUSED,
        "10": Outcome.PAID,
        "11": Outcome.FAILED,
        "20": Outcome.PAID,
    }
)
"""vnp_TransactionStatus (P; 08, 10, 11 and 20 from T)."""

_NOT_FOUND = "91"
_ASKED_BEFORE = "94"
"""To a refund: it was asked for before, and VNPAY is on it (Q)."""
_FULL_REFUND, _PARTIAL_REFUND = "02", "03"

_REFUSED = frozenset({"02", "03", "04", "13", "91", "93", "95", "97"})
"""Codes of a signed answer to a refund that say that nothing was paid back (Q): wrong merchant,
malformed, not in full after a part, only in part, not found, wrong amount, not paid, bad hash."""


def notified_outcome(response_code: str, transaction_status: str) -> Outcome:
    """What a return or an IPN says: paid only if both codes say so, suspect if they disagree."""
    said = _STATUSES.get(transaction_status, Outcome.UNKNOWN)
    if response_code == SUCCESS and transaction_status == SUCCESS:
        return Outcome.PAID
    if _SUSPECT in (response_code, transaction_status) or said is Outcome.PAID:
        return Outcome.SUSPECT
    if said is Outcome.FAILED and response_code == SUCCESS:
        return Outcome.SUSPECT
    return (
        said if said in (Outcome.FAILED, Outcome.UNFINISHED, Outcome.SUSPECT) else Outcome.UNKNOWN
    )


def query_outcome(response_code: str, transaction_type: str, transaction_status: str) -> Outcome:
    """What a signed answer to querydr says; its response code is about the question alone (Q)."""
    if response_code == _NOT_FOUND:
        return Outcome.UNFINISHED
    if response_code != SUCCESS:
        return Outcome.UNKNOWN
    said = _STATUSES.get(transaction_status, Outcome.UNKNOWN)
    if transaction_type not in (_FULL_REFUND, _PARTIAL_REFUND):
        return said
    # From here on it is about a refund of what was paid.
    if said is Outcome.PAID:
        return Outcome.REFUNDED
    return Outcome.UNKNOWN if said in (Outcome.FAILED, Outcome.UNFINISHED) else said


def refund_outcome(response_code: str, transaction_status: str) -> Outcome:
    """What a signed answer to a refund says.

    98 (timed out) and 99 (anything) leave open whether the money goes back: ask again.
    """
    if response_code == _ASKED_BEFORE:
        return Outcome.REFUNDING
    if response_code in _REFUSED:
        return Outcome.REFUND_REFUSED
    if response_code == SUCCESS:
        said = _STATUSES.get(transaction_status, Outcome.UNKNOWN)
        final = said in (Outcome.REFUNDED, Outcome.REFUND_REFUSED)
        return said if final else Outcome.REFUNDING
    return Outcome.UNKNOWN
