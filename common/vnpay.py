"""VNPAY PAY 2.1.0 without I/O: builds and signs what is sent, verifies and reads what comes in.

Rules are VNPAY's, from its pages "PAY" (P) and "querydr & refund" (Q) on
sandbox.vnpayment.vn/apis/docs and from the Techspec 2.1.0 (T). Nothing here was tried on the live
gateway. Where the official samples disagree, this is how we read them:

- An empty value equals an absent one. Java and C# leave it out of the signed text, PHP and Python
  sign `name=`. We send none, and accept either from VNPAY: to us both say the same.
- Only names that begin with `vnp_` are signed (PHP, C#, Python; Node and Java sign all). Others are
  never read, so whoever adds them has changed nothing.
- A hash is read in either case and written in lower case.
- Paid is `vnp_ResponseCode` *and* `vnp_TransactionStatus` 00; some samples look at the first alone.
- Times are GMT+7, whatever the machine's zone. Java's `Etc/GMT+7` is UTC-7, and Node's and Python's
  samples use local time: neither is copied.

Amounts are whole VND here and hundredths on the wire.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, quote_plus

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from common.errors import BadSignature
from common.vnpay_codes import PRICE_VND_MAX, PRICE_VND_MIN, Outcome, notified_outcome

VERSION = "2.1.0"
VIETNAM = timezone(timedelta(hours=7), "GMT+7")
QUERY_CHARS_MAX = 4096
FIELDS_MAX = 64
"""More than VNPAY sends, and quickly refused."""

_AMOUNT = re.compile(r"[0-9]{1,14}", re.ASCII)
"""ASCII digits alone; `int` would take full-width ones, `1_000` and `+1` too."""
_HASH = re.compile(r"[0-9a-fA-F]{128}", re.ASCII)
_PLAIN = re.compile(r"[A-Za-z0-9 ]{1,255}", re.ASCII)
"""P's letters for an order's text, free of `~` and `*`, which libraries encode differently."""
_IP_CHARS_MIN = 7
_UNSIGNED = ("vnp_SecureHash", "vnp_SecureHashType")

_QUERY_SIGNED = (
    "RequestId Version Command TmnCode TxnRef TransactionDate CreateDate IpAddr OrderInfo"
)
_REFUND_SIGNED = (
    "RequestId Version Command TmnCode TransactionType TxnRef Amount TransactionNo "
    "TransactionDate CreateBy CreateDate IpAddr OrderInfo"
)
_REFUND_ANSWERED = (
    "ResponseId Command ResponseCode Message TmnCode TxnRef Amount BankCode PayDate "
    "TransactionNo TransactionType TransactionStatus OrderInfo"
)
_QUERY_ANSWERED = f"{_REFUND_ANSWERED} PromotionCode PromotionAmount"
"""Q's orders of the values that are joined with `|`, raw, and signed."""

CALLER_IP = "127.0.0.1"
"""Q wants the calling server's address; a function has none of its own, and VNPAY's samples send
this one."""


_SECURE = r"(https://|http://(127\.0\.0\.1|localhost)[:/])"
"""Plain HTTP is for this machine alone."""


def _without_spaces(secret: SecretStr) -> SecretStr:
    if re.search(r"\s", secret.get_secret_value()):
        raise ValueError("has white space in it")
    return secret


def _network(text: str) -> str:
    ipaddress.ip_network(text)  # raises ValueError for what is none
    return text


class Merchant(BaseModel):
    """A merchant's account with VNPAY, and where VNPAY is; no error ever shows what it holds."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    tmn_code: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{8}$")]
    hash_secret: Annotated[SecretStr, Field(min_length=8), AfterValidator(_without_spaces)]
    pay_url: Annotated[str, Field(pattern=rf"^{_SECURE}[^?#\s]+$")]
    """The pay page, such as `https://sandbox.vnpayment.vn/paymentv2/vpcpay.html`."""
    api_url: Annotated[str, Field(pattern=rf"^{_SECURE}[^?#\s]+$")]
    """For querydr and refund: `https://sandbox.vnpayment.vn/merchant_webapi/api/transaction`."""
    return_url: Annotated[
        str, Field(pattern=rf"^{_SECURE}[^\s~*]+$", min_length=10, max_length=255)
    ]
    """Our `/payments/vnpay/return`, as browsers reach it."""
    ipn_addresses: tuple[Annotated[str, AfterValidator(_network)], ...] = ()
    """Addresses or networks that an IPN may come from; none: any. Published lists disagree, so ask
    VNPAY."""

    def allows(self, address: str) -> bool:
        """Whether an IPN may come from there."""
        networks = [ipaddress.ip_network(each) for each in self.ipn_addresses]
        return not networks or any(ipaddress.ip_address(address) in each for each in networks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """What the pay page is asked for."""

    txn_ref: str
    """1 to 100 letters and digits, never used before."""
    amount_vnd: int
    order_info: str
    """1 to 255 letters, digits and spaces, without accents."""
    locale: Literal["vn", "en"]
    ip_address: str
    """The customer's."""
    created_at: datetime
    expires_at: datetime
    bank_code: str | None = None


def pay_url(purchase: Purchase, merchant: Merchant) -> str:
    """The address of the pay page for the purchase, signed (P)."""
    if not _PLAIN.fullmatch(purchase.order_info):
        raise ValueError("order_info takes letters, digits and spaces")
    if not PRICE_VND_MIN <= purchase.amount_vnd <= PRICE_VND_MAX:
        raise ValueError(f"VNPAY takes {PRICE_VND_MIN} to {PRICE_VND_MAX} VND")
    fields = {
        "vnp_Version": VERSION,
        "vnp_Command": "pay",
        "vnp_TmnCode": merchant.tmn_code,
        "vnp_Amount": _hundredths(purchase.amount_vnd),
        "vnp_CurrCode": "VND",
        "vnp_TxnRef": purchase.txn_ref,
        "vnp_OrderInfo": purchase.order_info,
        "vnp_OrderType": "other",
        "vnp_Locale": purchase.locale,
        "vnp_ReturnUrl": merchant.return_url,
        "vnp_IpAddr": _ip_text(purchase.ip_address),
        "vnp_CreateDate": time_text(purchase.created_at),
        "vnp_ExpireDate": time_text(purchase.expires_at),
    }
    if purchase.bank_code is not None:
        fields["vnp_BankCode"] = purchase.bank_code
    text = _query_text(fields.items())
    return f"{merchant.pay_url}?{text}&vnp_SecureHash={_signature(text, merchant)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """What a return or an IPN says, known to come from VNPAY; absent values are empty."""

    txn_ref: str
    amount_vnd: int | None
    """None: no amount that could be ours."""
    response_code: str
    transaction_status: str
    transaction_no: str
    """VNPAY's own number."""

    @property
    def outcome(self) -> Outcome:
        """What became of the payment."""
        return notified_outcome(self.response_code, self.transaction_status)


def read_notification(raw_query: str, merchant: Merchant) -> Notification:
    """Verify and read the raw query string of a return or an IPN (P).

    Raises BadSignature for whatever does not prove that VNPAY has sent it to this merchant.
    """
    fields = _fields(raw_query)
    given = fields.get("vnp_SecureHash", "")
    signed = sorted((name, value) for name, value in fields.items() if name not in _UNSIGNED)
    filled = [(name, value) for name, value in signed if value]
    readings = [_query_text(filled), _query_text(signed)]
    if not _HASH.fullmatch(given) or not any(_same(given, text, merchant) for text in readings):
        raise BadSignature("This is not signed by VNPAY.")
    if fields.get("vnp_TmnCode") != merchant.tmn_code:
        raise BadSignature("This is for another merchant.")
    if "vnp_Command" in fields:
        raise BadSignature("This is a request of ours.")
    return Notification(
        txn_ref=fields.get("vnp_TxnRef", ""),
        amount_vnd=_whole_vnd(fields.get("vnp_Amount", "")),
        response_code=fields.get("vnp_ResponseCode", ""),
        transaction_status=fields.get("vnp_TransactionStatus", ""),
        transaction_no=fields.get("vnp_TransactionNo", ""),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """Which payment a merchant API request is about, and which request it is."""

    txn_ref: str
    created_at: datetime
    """The payment's, as its pay URL had it."""
    request_id: str
    """At most 32 characters, not used before today."""
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundOrder:
    """What is to be paid back of a payment."""

    amount_vnd: int
    full: bool
    """The whole price, not a part of it."""
    transaction_no: str
    """VNPAY's number of the payment."""
    by: str
    """Who asks: letters and digits."""


def query_request(inquiry: Inquiry, merchant: Merchant) -> dict[str, str]:
    """A signed querydr, as a JSON object (Q)."""
    return _signed({**_about(inquiry, merchant), "Command": "querydr"}, _QUERY_SIGNED, merchant)


def refund_request(inquiry: Inquiry, order: RefundOrder, merchant: Merchant) -> dict[str, str]:
    """A signed refund, as a JSON object (Q)."""
    fields = {
        **_about(inquiry, merchant),
        "Command": "refund",
        "TransactionType": "02" if order.full else "03",
        "Amount": _hundredths(order.amount_vnd),
        "TransactionNo": order.transaction_no,
        "CreateBy": order.by,
    }
    return _signed(fields, _REFUND_SIGNED, merchant)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiAnswer:
    """VNPAY's answer to querydr or refund, known to be VNPAY's and about what was asked."""

    response_code: str
    """About the request itself: 00 it was carried out."""
    message: str
    amount_vnd: int | None
    transaction_no: str
    transaction_type: str
    """01 payment, 02 full refund, 03 partial refund."""
    transaction_status: str
    """About the payment; read `query_outcome` or `refund_outcome`."""


def read_answer(
    answer: Mapping[str, Any], request: Mapping[str, str], merchant: Merchant
) -> ApiAnswer:
    """Verify and read the answer to a request of ours (Q).

    Raises BadSignature for an answer that is not signed, is about something else, or has values of
    another kind: such an answer proves nothing, not even that the request failed.
    """
    values = {
        name.removeprefix("vnp_"): str(value)
        for name, value in answer.items()
        if isinstance(value, str | int) and not isinstance(value, bool)
    }
    querying = request["vnp_Command"] == "querydr"
    signed = _QUERY_ANSWERED if querying else _REFUND_ANSWERED
    said = [values.get(name, "") for name in signed.split()]
    if any("|" in value for value in said):
        raise BadSignature("This answer could be read in two ways.")
    text = "|".join(said)
    given = values.get("SecureHash", "")
    if not _HASH.fullmatch(given) or not _same(given, text, merchant):
        raise BadSignature("This answer is not signed by VNPAY.")
    for name in ("Command", "TmnCode", "TxnRef"):
        if values.get(name) != request[f"vnp_{name}"]:
            raise BadSignature(f"This answer has another {name} than the question.")
    return ApiAnswer(
        response_code=values.get("ResponseCode", ""),
        message=values.get("Message", ""),
        amount_vnd=_whole_vnd(values.get("Amount", "")),
        transaction_no=values.get("TransactionNo", ""),
        transaction_type=values.get("TransactionType", ""),
        transaction_status=values.get("TransactionStatus", ""),
    )


def time_text(moment: datetime) -> str:
    """`yyyyMMddHHmmss` in GMT+7 (P), of a moment that knows its own zone."""
    assert moment.tzinfo is not None
    return moment.astimezone(VIETNAM).strftime("%Y%m%d%H%M%S")


def _about(inquiry: Inquiry, merchant: Merchant) -> dict[str, str]:
    return {
        "RequestId": inquiry.request_id,
        "Version": VERSION,
        "TmnCode": merchant.tmn_code,
        "TxnRef": inquiry.txn_ref,
        "TransactionDate": time_text(inquiry.created_at),
        "CreateDate": time_text(inquiry.now),
        "IpAddr": CALLER_IP,
        "OrderInfo": f"Imagify {inquiry.txn_ref}",
    }


def _signed(fields: Mapping[str, str], signed: str, merchant: Merchant) -> dict[str, str]:
    text = "|".join(fields[name] for name in signed.split())
    named = {f"vnp_{name}": value for name, value in fields.items()}
    return {**named, "vnp_SecureHash": _signature(text, merchant)}


def _fields(raw_query: str) -> dict[str, str]:
    """The `vnp_` parameters. Raises BadSignature for what no gateway would send."""
    if len(raw_query) > QUERY_CHARS_MAX or not raw_query.isascii():
        raise BadSignature("This is longer than anything that VNPAY sends, or no query at all.")
    try:
        pairs = parse_qsl(
            raw_query, keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MAX
        )
    except ValueError:
        raise BadSignature("This cannot be read.") from None
    ours = [(name, value) for name, value in pairs if name.startswith("vnp_")]
    fields = dict(ours)
    if len(fields) < len(ours):
        raise BadSignature("A parameter is given twice.")
    return fields


def _query_text(pairs: Iterable[tuple[str, str]]) -> str:
    """The text that is signed: names in the order of their bytes, both sides form-encoded (P)."""
    return "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in sorted(pairs))


def _signature(text: str, merchant: Merchant) -> str:
    key = merchant.hash_secret.get_secret_value().encode()
    return hmac.new(key, text.encode(), hashlib.sha512).hexdigest()


def _same(given: str, text: str, merchant: Merchant) -> bool:
    """Whether that is the text's hash."""
    try:
        return hmac.compare_digest(given.lower(), _signature(text, merchant))
    except UnicodeEncodeError:  # half a character, which no text that was signed has
        return False


def _hundredths(amount_vnd: int) -> str:
    return str(amount_vnd * 100)


def _whole_vnd(text: str) -> int | None:
    """The amount in VND, or None for what is not digits or not whole."""
    if not _AMOUNT.fullmatch(text):
        return None
    vnd, rest = divmod(int(text), 100)
    return None if rest else vnd


def _ip_text(address: str) -> str:
    """P wants 7 to 45 characters; a short IPv6 address is written out."""
    if len(address) >= _IP_CHARS_MIN:
        return address
    return ipaddress.ip_address(address).exploded
