"""VNPAY's two ways to sign, both HMAC-SHA512 in lower-case hexadecimal.

The parameters of a URL (page PAY) are sorted by the bytes of their names, encoded as a form would
be, and joined with `&`. The fields of a JSON body (page querydr & refund) are taken in a fixed
order, raw, and joined with `|`; an absent one is empty.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from urllib.parse import quote_plus

HASH = "vnp_SecureHash"
NEVER_SIGNED = frozenset({HASH, "vnp_SecureHashType"})

QUERYDR_REQUEST = (
    *("vnp_RequestId", "vnp_Version", "vnp_Command", "vnp_TmnCode", "vnp_TxnRef"),
    *("vnp_TransactionDate", "vnp_CreateDate", "vnp_IpAddr", "vnp_OrderInfo"),
)
REFUND_REQUEST = (
    *("vnp_RequestId", "vnp_Version", "vnp_Command", "vnp_TmnCode", "vnp_TransactionType"),
    *("vnp_TxnRef", "vnp_Amount", "vnp_TransactionNo", "vnp_TransactionDate", "vnp_CreateBy"),
    *("vnp_CreateDate", "vnp_IpAddr", "vnp_OrderInfo"),
)
REFUND_RESPONSE = (
    *("vnp_ResponseId", "vnp_Command", "vnp_ResponseCode", "vnp_Message", "vnp_TmnCode"),
    *("vnp_TxnRef", "vnp_Amount", "vnp_BankCode", "vnp_PayDate", "vnp_TransactionNo"),
    *("vnp_TransactionType", "vnp_TransactionStatus", "vnp_OrderInfo"),
)
QUERYDR_RESPONSE = (*REFUND_RESPONSE, "vnp_PromotionCode", "vnp_PromotionAmount")


def query_hash(parameters: Mapping[str, str], secret: str) -> str:
    """The hash of a URL's parameters."""
    return _hmac(_query(parameters), secret)


def signed_query(parameters: Mapping[str, str], secret: str) -> str:
    """The parameters as a query, its hash last."""
    return f"{_query(parameters)}&{HASH}={query_hash(parameters, secret)}"


def fields_hash(values: Mapping[str, str], fields: Sequence[str], secret: str) -> str:
    """The hash of a JSON body's fields."""
    return _hmac("|".join(values.get(name, "") for name in fields), secret)


def same(expected: str, given: str) -> bool:
    """Whether two hashes are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(expected.encode(), given.encode())


def _query(parameters: Mapping[str, str]) -> str:
    return "&".join(
        f"{quote_plus(name)}={quote_plus(parameters[name])}"
        for name in sorted(parameters, key=str.encode)
        if name not in NEVER_SIGNED
    )


def _hmac(text: str, secret: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha512).hexdigest()
