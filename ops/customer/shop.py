"""Buying credits: what `imagify buy` does."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass

from ops.customer.client import POLL_SECONDS, Client, Payment
from ops.customer.local_client import local_client
from ops.terminal import ERR, OUT, credits_text
from sandbox.errors import CommandError
from sandbox.state import State

PAID = "paid"
REVIEW = "review"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a person wants to buy."""

    package: str
    locale: str = "en"
    bank_code: str | None = None
    idempotency_key: str | None = None
    wait: bool = True
    as_json: bool = False


def buy(state: State, order: Order) -> int:
    """Begin, say where to pay, and wait. Raises ApiError, or CommandError when it was not paid."""
    body = {"package": order.package, "locale": order.locale}
    if order.bank_code is not None:
        body["bank_code"] = order.bank_code
    with local_client(state) as client:
        key = order.idempotency_key or uuid.uuid4().hex
        payment = client.buy(body, idempotency_key=key)
        if payment.urls.pay and (order.wait or not order.as_json):
            where = f"Pay {payment.amount_vnd:,} VND for {credits_text(payment.credits)} here:"
            ERR.print(where)
            ERR.print(payment.urls.pay, markup=False)
        if order.wait:
            payment = _wait(client, payment)
        balance = client.me().balance
    if order.as_json:
        facts = {
            "txn_ref": payment.txn_ref,
            "status": payment.status,
            "credits": payment.credits,
            "amount_vnd": payment.amount_vnd,
            "pay_url": payment.urls.pay,
            "balance": balance.model_dump(),
        }
        OUT.out(json.dumps(facts, indent=2))
    if not order.wait:
        return 0
    if payment.status != PAID:
        why = f"{payment.error.message} ({payment.error.code})" if payment.error else ""
        raise CommandError(f"The payment {payment.txn_ref} is {payment.status}. {why}".rstrip())
    if not order.as_json:
        ERR.print(f"Paid. {credits_text(balance.available)} to spend.")
    return 0


def _wait(client: Client, payment: Payment) -> Payment:
    """Look until nothing more is expected; Ctrl-C leaves the payment as it is."""
    with ERR.status("Waiting for the payment; Ctrl-C stops waiting, not the payment …"):
        while not payment.terminal and payment.status != REVIEW:
            time.sleep(POLL_SECONDS)
            payment = client.payment(payment.txn_ref)
    return payment
