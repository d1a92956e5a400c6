"""What VNPAY sends, written, signed and checked without `common.vnpay`, which this is to judge."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol
from urllib.parse import parse_qsl

from common.vnpay import Merchant
from tests.fakes_money import MERCHANT
from tests.vnpay_signed import signed_query

FAILED = {"vnp_ResponseCode": "24", "vnp_TransactionStatus": "02"}
"""The customer has cancelled."""
SUSPECT = {"vnp_ResponseCode": "07", "vnp_TransactionStatus": "07"}
UNFINISHED = {"vnp_ResponseCode": "99", "vnp_TransactionStatus": "01"}
UNSIGNED = ("vnp_SecureHash", "vnp_SecureHashType")


class Owed(Protocol):
    """What is told of a payment: the stored one or the API's view of it."""

    @property
    def txn_ref(self) -> str: ...

    @property
    def amount_vnd(self) -> int: ...

    @property
    def paid_at(self) -> datetime | None: ...


def fields_of(
    payment: Owed, merchant: Merchant = MERCHANT, /, **said: str | None
) -> dict[str, str]:
    """An IPN's fields, all paid but for what is said; None leaves one out."""
    fields: dict[str, str | None] = {
        "vnp_Amount": str(payment.amount_vnd * 100),
        "vnp_BankCode": "NCB",
        "vnp_BankTranNo": "VNP14226112",
        "vnp_CardType": "ATM",
        "vnp_OrderInfo": "Imagify 20 credits",
        "vnp_PayDate": "20261101190500",
        "vnp_ResponseCode": "00",
        "vnp_TmnCode": merchant.tmn_code,
        "vnp_TransactionNo": "14226112",
        "vnp_TransactionStatus": "00",
        "vnp_TxnRef": payment.txn_ref,
        **said,
    }
    return {name: value for name, value in fields.items() if value is not None}


def ipn(payment: Owed, merchant: Merchant = MERCHANT, /, **said: str | None) -> str:
    """The query of a rightly signed IPN, or of a return, which is the same."""
    return signed_query(
        fields_of(payment, merchant, **said), merchant.hash_secret.get_secret_value()
    )


def said_by_vnpay(query: str, merchant: Merchant) -> dict[str, str] | None:
    """The fields of a query that VNPAY has signed for this merchant; None for any other.

    Empty fields and names of others may come and go: they say nothing.
    """
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict")
    except ValueError:
        return None
    ours = [(name, value) for name, value in pairs if name.startswith("vnp_")]
    fields = dict(ours)
    given = fields.get("vnp_SecureHash", "")
    if len(fields) < len(ours) or fields.get("vnp_TmnCode") != merchant.tmn_code:
        return None
    for name in UNSIGNED:
        fields.pop(name, None)
    filled = {name: value for name, value in fields.items() if value}
    secret = merchant.hash_secret.get_secret_value()
    rightly = {signed_query(each, secret).rpartition("=")[2] for each in (fields, filled)}
    return fields if given.lower() in rightly else None
