"""VNPAY's signing once more, from its pages alone: an error of ours cannot be its own proof."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote_plus, unquote_to_bytes

from common.vnpay import Merchant

SECRET = "LITERALSECRETLITERALSECRETLITERA"
MERCHANT = Merchant.model_validate(
    {
        "tmn_code": "LITERAL1",
        "hash_secret": SECRET,
        "pay_url": "https://vnpay.test/paymentv2/vpcpay.html",
        "api_url": "https://vnpay.test/merchant_webapi/api/transaction",
        "return_url": "https://api.test/payments/vnpay/return?stage=prod",
    }
)

NOTIFIED = {
    "vnp_Amount": "5000000",
    "vnp_BankCode": "NCB",
    "vnp_BankTranNo": "VNP15",
    "vnp_CardType": "ATM",
    "vnp_OrderInfo": "Imagify 100 credits",
    "vnp_PayDate": "20261102010203",
    "vnp_ResponseCode": "00",
    "vnp_TmnCode": "LITERAL1",
    "vnp_TransactionNo": "15000001",
    "vnp_TransactionStatus": "00",
    "vnp_TxnRef": "IMG01",
}
"""What a return or an IPN says of a payment of 50,000 VND."""

REFUND_ANSWERED = (
    *("ResponseId", "Command", "ResponseCode", "Message", "TmnCode", "TxnRef", "Amount"),
    *("BankCode", "PayDate", "TransactionNo", "TransactionType", "TransactionStatus", "OrderInfo"),
)
QUERY_ANSWERED = (*REFUND_ANSWERED, "PromotionCode", "PromotionAmount")
"""Whose values are signed, in this order; an absent one is empty."""

QUERY_ANSWER = {
    "ResponseId": "resp1",
    "Command": "querydr",
    "ResponseCode": "00",
    "Message": "Thành công",
    "TmnCode": "LITERAL1",
    "TxnRef": "IMG01",
    "Amount": "5000000",
    "BankCode": "NCB",
    "PayDate": "20261102010203",
    "TransactionNo": "15000001",
    "TransactionType": "01",
    "TransactionStatus": "00",
    "OrderInfo": "Imagify IMG01",
}
"""The answer to a question after the same payment."""
REFUND_ANSWER = {
    **QUERY_ANSWER,
    "Command": "refund",
    "Amount": "2500000",
    "TransactionType": "03",
    "TransactionStatus": "05",
}
"""The answer to a refund of half of it."""


def signature(text: str, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha512).hexdigest()


def query_text(fields: Mapping[str, str]) -> str:
    names = sorted(fields, key=lambda name: name.encode())
    return "&".join(quote_plus(name) + "=" + quote_plus(fields[name]) for name in names)


def signed_query(fields: Mapping[str, str], secret: str = SECRET) -> str:
    text = query_text(fields)
    return f"{text}&vnp_SecureHash={signature(text, secret)}"


def signed_answer(values: Mapping[str, str], secret: str = SECRET) -> dict[str, Any]:
    """The JSON object for these values, whose names are without `vnp_`, as in VNPAY's tables."""
    order = QUERY_ANSWERED if values.get("Command") == "querydr" else REFUND_ANSWERED
    return answer_signed_over(order, values, secret)


def answer_signed_over(
    order: Iterable[str], values: Mapping[str, str], secret: str = SECRET
) -> dict[str, Any]:
    text = "|".join(values.get(name, "") for name in order)
    named = {f"vnp_{name}": value for name, value in values.items()}
    return {**named, "vnp_SecureHash": signature(text, secret)}


def meaning(raw_query: bytes) -> list[tuple[bytes, bytes]]:
    """What a query says to whoever reads the `vnp_` parameters and takes an empty one as absent."""
    said = []
    for part in raw_query.split(b"&"):
        name, _, value = (
            unquote_to_bytes(side.replace(b"+", b" ")) for side in part.partition(b"=")
        )
        if name.startswith(b"vnp_") and value:
            said.append((name, value.lower() if name == b"vnp_SecureHash" else value))
    return sorted(said)
