"""What VNPAY takes in each parameter: formats and limits (VNPAY, pages PAY and querydr & refund).

Where the pages are vague this is the narrow reading, so that what passes here passes there:
identifiers and texts keep to characters that every library encodes alike, and nothing is empty,
repeated or unknown, as VNPAY's own samples disagree on whether such parameters are signed.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sandbox.vnpay.signing import HASH
from sandbox.vnpay.times import moment


@dataclass(frozen=True, slots=True)
class Rule:
    """What a value must be, as a check and in words."""

    fits: Callable[[str], bool]
    meaning: str
    required: bool = True


def problem(values: Mapping[str, str], rules: Mapping[str, Rule]) -> str | None:
    """The first thing wrong with the values, in a sentence, or None."""
    for name in values:
        if name not in rules:
            return f"{name} is not a parameter of this request."
    for name, rule in rules.items():
        if name not in values:
            if rule.required:
                return f"{name} is missing."
        elif not rule.fits(values[name]):
            return f"{name} must be {rule.meaning}."
    return None


def _like(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda value: compiled.fullmatch(value) is not None


def _exactly(value: str) -> Rule:
    return Rule(_like(re.escape(value)), value)


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return len(value) in range(7, 46)


def _is_time(value: str) -> bool:
    try:
        moment(value)
    except ValueError:
        return False
    return True


_VERSION = _exactly("2.1.0")
_TMN_CODE = Rule(_like(r"[A-Za-z0-9]{8}"), "8 letters or digits")
_AMOUNT = Rule(_like(r"[1-9][0-9]{0,9}00"), "whole VND × 100, at most 12 digits")
_TXN_REF = Rule(_like(r"[A-Za-z0-9_.-]{1,100}"), "1 to 100 letters, digits, _ . or -")
_ORDER_INFO = Rule(
    _like(r"[A-Za-z0-9 .,:_-]{1,255}"),
    "1 to 255 letters without accents, digits, spaces, . , : _ or -",
)
_ADDRESS = Rule(_is_address, "an IP address of 7 to 45 characters")
_TIME = Rule(_is_time, "yyyyMMddHHmmss")
_HASH = Rule(_like(r"[0-9a-f]{128}"), "128 lower-case hexadecimal digits")

PAY: Mapping[str, Rule] = {
    "vnp_Version": _VERSION,
    "vnp_Command": _exactly("pay"),
    "vnp_TmnCode": _TMN_CODE,
    "vnp_Amount": _AMOUNT,
    "vnp_CurrCode": _exactly("VND"),
    "vnp_TxnRef": _TXN_REF,
    "vnp_OrderInfo": _ORDER_INFO,
    "vnp_OrderType": _exactly("other"),
    "vnp_Locale": Rule(_like(r"vn|en"), "vn or en"),
    # Printable, without * and ~, which libraries encode differently.
    "vnp_ReturnUrl": Rule(
        _like(r"(?=.{10,255}$)https?://[!-)+.-}][!-)+-}]*"),
        "an http or https URL of 10 to 255 characters, without ~ and *",
    ),
    "vnp_IpAddr": _ADDRESS,
    "vnp_CreateDate": _TIME,
    "vnp_ExpireDate": _TIME,
    "vnp_BankCode": Rule(_like(r"[A-Za-z0-9]{3,20}"), "3 to 20 letters or digits", required=False),
    "vnp_SecureHashType": Rule(_like(r"[A-Za-z0-9]+"), "the name of a hash", required=False),
    HASH: _HASH,
}
"""The request to pay."""

QUERYDR: Mapping[str, Rule] = {
    "vnp_RequestId": Rule(_like(r"[A-Za-z0-9_.-]{1,32}"), "1 to 32 letters, digits, _ . or -"),
    "vnp_Version": _VERSION,
    "vnp_Command": _exactly("querydr"),
    "vnp_TmnCode": _TMN_CODE,
    "vnp_TxnRef": _TXN_REF,
    "vnp_OrderInfo": _ORDER_INFO,
    "vnp_TransactionNo": Rule(_like(r"[0-9]{0,15}"), "at most 15 digits", required=False),
    "vnp_TransactionDate": _TIME,
    "vnp_CreateDate": _TIME,
    "vnp_IpAddr": _ADDRESS,
    HASH: _HASH,
}
"""The request for a transaction's state."""

REFUND: Mapping[str, Rule] = {
    **QUERYDR,
    "vnp_Command": _exactly("refund"),
    "vnp_TransactionType": Rule(_like(r"02|03"), "02 or 03"),
    "vnp_Amount": _AMOUNT,
    "vnp_CreateBy": Rule(_like(r"[A-Za-z0-9 @._-]{1,245}"), "1 to 245 letters or digits"),
}
"""The request for a refund."""
