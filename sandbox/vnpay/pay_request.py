"""A merchant's request to pay, as the customer's browser brings it: read, and checked whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import parse_qsl

from sandbox.vnpay.behaviour import Behaviour
from sandbox.vnpay.errors import PageCode, PageError
from sandbox.vnpay.rules import PAY, problem
from sandbox.vnpay.signing import HASH, query_hash, same
from sandbox.vnpay.times import moment, stamp

QUERY_CHARACTERS_MAX = 4096
PARAMETERS_MAX = 50
AHEAD_MAX = timedelta(minutes=5)
"""How far in the future vnp_CreateDate may be: clocks differ, but not by hours."""


@dataclass(frozen=True, slots=True)
class Merchant:
    """The one merchant that the gateway knows."""

    tmn_code: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PayRequest:
    """What a transaction is about. Amounts here and below are VND × 100, as on the wire."""

    txn_ref: str
    amount: int
    order_info: str
    locale: str
    return_url: str
    bank_code: str
    """Empty when the customer may choose."""
    created: str
    """vnp_CreateDate as it came; queries must name it."""
    expires_at: datetime
    secure_hash: str
    """Stands for all the parameters: others have another."""


def read_pay_request(
    query: str, merchant: Merchant, behaviour: Behaviour, *, now: datetime
) -> PayRequest:
    """The request in a query; raises PageError for anything that VNPAY would not take.

    Whether it has expired is left to see: that depends on what became of it.
    """
    values = _parameters(query)
    wrong = problem(values, PAY)
    if wrong is not None:
        raise PageError(PageCode.FORMAT, wrong)
    if values["vnp_TmnCode"] != merchant.tmn_code:
        raise PageError(PageCode.MERCHANT, f"No merchant is called {values['vnp_TmnCode']}.")
    if not same(query_hash(values, merchant.secret), values[HASH]):
        raise PageError(
            PageCode.SIGNATURE, f"{HASH} is not the HMAC-SHA512 of the other parameters."
        )
    _check_amount(int(values["vnp_Amount"]), behaviour)
    _check_times(values["vnp_CreateDate"], values["vnp_ExpireDate"], now)
    return PayRequest(
        txn_ref=values["vnp_TxnRef"],
        amount=int(values["vnp_Amount"]),
        order_info=values["vnp_OrderInfo"],
        locale=values["vnp_Locale"],
        return_url=values["vnp_ReturnUrl"],
        bank_code=values.get("vnp_BankCode", ""),
        created=values["vnp_CreateDate"],
        expires_at=moment(values["vnp_ExpireDate"]),
        secure_hash=values[HASH],
    )


def _parameters(query: str) -> dict[str, str]:
    if len(query) > QUERY_CHARACTERS_MAX:
        raise PageError(PageCode.FORMAT, f"The query is over {QUERY_CHARACTERS_MAX} characters.")
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, errors="strict", max_num_fields=PARAMETERS_MAX
        )
    except ValueError:
        raise PageError(
            PageCode.FORMAT, f"The query is not UTF-8, or has over {PARAMETERS_MAX} parameters."
        ) from None
    values = dict(pairs)
    if len(values) < len(pairs):
        raise PageError(PageCode.FORMAT, "A parameter is there twice.")
    return values


def _check_amount(amount: int, behaviour: Behaviour) -> None:
    least, most = behaviour.amount_min_vnd, behaviour.amount_max_vnd
    if not least * 100 <= amount <= most * 100:
        raise PageError(
            PageCode.FORMAT, f"vnp_Amount must be {least} to {most} VND, times 100; it is {amount}."
        )


def _check_times(created: str, expires: str, now: datetime) -> None:
    if moment(created) > now + AHEAD_MAX:
        raise PageError(
            PageCode.FORMAT, f"vnp_CreateDate {created} is to come: in GMT+7 it is {stamp(now)}."
        )
    if moment(expires) <= moment(created):
        raise PageError(PageCode.FORMAT, "vnp_ExpireDate must be after vnp_CreateDate.")
