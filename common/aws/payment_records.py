"""How payments lie in DynamoDB; see `common.aws.records` for times and what is absent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from common.aws.records import Item, from_item, optional_time, time_text, to_item
from common.payments import Payment, PaymentError, PaymentStatus, Refund

DUE = "payment"
"""The partition of the sparse index: an item that is not due has neither `due` nor `due_at`."""


def payment_item(payment: Payment) -> Item:
    """A payment as an item of the Payments table."""
    return to_item(
        {
            "txn_ref": payment.txn_ref,
            "user_id": payment.user_id,
            "package": payment.package,
            "credits": payment.credits,
            "amount_vnd": payment.amount_vnd,
            "locale": payment.locale,
            "bank_code": payment.bank_code,
            "ip_address": payment.ip_address,
            "fingerprint": payment.fingerprint,
            "created_at": time_text(payment.created_at),
            "expires_at": time_text(payment.expires_at),
            "status": str(payment.status),
            "version": payment.version,
            "asks": payment.asks,
            "question_id": payment.question_id,
            "due": DUE if payment.due_at else None,
            "due_at": payment.due_at and time_text(payment.due_at),
            "paid_at": payment.paid_at and time_text(payment.paid_at),
            "received_vnd": payment.received_vnd,
            "transaction_no": payment.transaction_no,
            "error": payment.error and _error_values(payment.error),
            "refund": payment.refund and _refund_values(payment.refund),
        }
    )


def payment_from(item: Mapping[str, Any]) -> Payment:
    """The payment in an item of the Payments table."""
    values = from_item(item)
    error = values.get("error")
    refund = values.get("refund")
    received = values.get("received_vnd")
    return Payment(
        txn_ref=values["txn_ref"],
        user_id=values["user_id"],
        package=values["package"],
        credits=int(values["credits"]),
        amount_vnd=int(values["amount_vnd"]),
        locale=values["locale"],
        bank_code=values.get("bank_code"),
        ip_address=values["ip_address"],
        fingerprint=values["fingerprint"],
        created_at=datetime.fromisoformat(values["created_at"]),
        expires_at=datetime.fromisoformat(values["expires_at"]),
        status=PaymentStatus(values["status"]),
        version=int(values["version"]),
        asks=int(values["asks"]),
        question_id=values.get("question_id"),
        due_at=optional_time(values.get("due_at")),
        paid_at=optional_time(values.get("paid_at")),
        received_vnd=None if received is None else int(received),
        transaction_no=values.get("transaction_no"),
        error=error
        and PaymentError(code=error["code"], message=error["message"], by=error.get("by")),
        refund=refund and _refund_from(refund),
    )


def _error_values(error: PaymentError) -> dict[str, Any]:
    values = {"code": error.code, "message": error.message, "by": error.by}
    return {name: value for name, value in values.items() if value is not None}


def _refund_values(refund: Refund) -> dict[str, Any]:
    return {
        "number": refund.number,
        "request_id": refund.request_id,
        "credits": refund.credits,
        "amount_vnd": refund.amount_vnd,
        "by": refund.by,
        "reason": refund.reason,
        "requested_at": time_text(refund.requested_at),
        "accepted": refund.accepted,
    }


def _refund_from(values: Mapping[str, Any]) -> Refund:
    return Refund(
        number=int(values["number"]),
        request_id=values["request_id"],
        credits=int(values["credits"]),
        amount_vnd=int(values["amount_vnd"]),
        by=values["by"],
        reason=values["reason"],
        requested_at=datetime.fromisoformat(values["requested_at"]),
        accepted=values["accepted"],
    )
