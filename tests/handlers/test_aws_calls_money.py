"""How many calls each request about money makes; see `tests.handlers.wired`."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from common.payments import Payment
from common.wiring import payments as payments_wiring
from common.wiring import sweep as sweep_wiring
from functions.payments import handler as payments
from functions.sweep import handler as sweep
from tests.fakes_money import FakeGateway
from tests.handlers.calls import Context, event
from tests.handlers.test_aws_calls_sweep import JOBS_CALLS, MODELS_CALLS
from tests.handlers.wired import call
from tests.vnpay_by_hand import FAILED, ipn
from tests.vnpay_signed import signed_query


@pytest.fixture
def payment(user_id: str, calls: list[str]) -> Payment:
    """A payment that was begun."""
    begun = json.loads(call("post_payments", user_id)["body"])
    found = payments_wiring.services().payments.get(begun["txn_ref"])
    assert found is not None
    calls.clear()
    return found


def tell(query: str, name: str = "get_ipn") -> str:
    """The body of the answer to VNPAY's call."""
    answer = payments.handler({**event(name), "rawQueryString": query}, Context())
    assert answer["statusCode"] == 200
    body: str = answer["body"]
    return body


def see(payment: Payment) -> dict[str, Any]:
    """The answer to its owner's look at the payment."""
    sent = event("get_payment")
    sent["requestContext"]["authorizer"]["jwt"]["claims"]["user_id"] = payment.user_id
    path = f"/payments/{payment.txn_ref}"
    sent["rawPath"] = sent["requestContext"]["http"]["path"] = path
    return payments.handler(sent, Context())


def test_a_payment_begins_with_two_calls_and_reads_the_account_once(
    calls: list[str], user_id: str
) -> None:
    assert call("post_payments", user_id)["statusCode"] == 201
    assert calls == ["GetParameter", "Query", "PutItem"]
    calls.clear()
    assert call("post_payments", user_id)["statusCode"] == 201
    assert calls == ["Query", "PutItem"]


def test_an_ipn_that_is_booked_is_two_calls(calls: list[str], payment: Payment) -> None:
    assert '"00"' in tell(ipn(payment))
    assert calls == ["GetItem", "TransactWriteItems"]


def test_an_ipn_of_a_failed_payment_is_two_calls(calls: list[str], payment: Payment) -> None:
    assert '"00"' in tell(ipn(payment, **FAILED))
    assert calls == ["GetItem", "PutItem"]


def test_a_repeated_ipn_is_one_call(calls: list[str], payment: Payment) -> None:
    tell(ipn(payment))
    calls.clear()
    assert '"02"' in tell(ipn(payment))
    assert calls == ["GetItem"]


def test_a_forged_ipn_is_no_call(calls: list[str], payment: Payment) -> None:
    assert '"97"' in tell(signed_query({"vnp_TxnRef": payment.txn_ref}, "F" * 32))
    assert calls == []


def test_a_return_is_one_call(calls: list[str], payment: Payment) -> None:
    assert "20 credits" in tell(ipn(payment), "get_return")
    assert calls == ["GetItem"]


def test_a_look_at_a_payment_is_one_call(calls: list[str], payment: Payment) -> None:
    assert json.loads(see(payment)["body"])["urls"]["pay"]
    assert calls == ["GetItem"]


def test_a_list_of_payments_is_one_call(calls: list[str], payment: Payment) -> None:
    (listed,) = json.loads(call("get_payments", payment.user_id)["body"])["payments"]
    assert listed["txn_ref"] == payment.txn_ref
    assert calls == ["Query"]


def test_the_ledger_is_three_calls(calls: list[str], payment: Payment) -> None:
    tell(ipn(payment))
    calls.clear()
    entries = json.loads(call("get_ledger", payment.user_id)["body"])["entries"]
    assert [entry["kind"] for entry in entries] == ["top_up", "grant"]
    assert calls == ["Query", "GetItem", "Query"]


def test_a_sweep_is_six_calls_and_four_for_each_payment_with_news(
    calls: list[str], payment: Payment, monkeypatch: pytest.MonkeyPatch
) -> None:
    wired = replace(sweep_wiring.services(), gateway=FakeGateway())
    monkeypatch.setattr(sweep, "services", lambda: wired)
    context = Context(seconds_left=55)
    assert sweep.handler(event("sweep"), context)["payments_asked"] == 0
    assert calls == [*MODELS_CALLS, *JOBS_CALLS, "Query"]
    calls.clear()
    later = replace(wired, now=lambda: payment.expires_at)
    monkeypatch.setattr(sweep, "services", lambda: later)
    assert sweep.handler(event("sweep"), context)["payments_asked"] == 1
    assert calls == [
        *MODELS_CALLS,
        *JOBS_CALLS,
        "Query",
        "GetItem",
        "PutItem",
        "GetItem",
        "TransactWriteItems",
    ]
    assert json.loads(see(payment)["body"])["status"] == "paid"


def test_the_price_list_is_no_call(calls: list[str]) -> None:
    assert payments.handler(event("get_packages"), Context())["statusCode"] == 200
    assert calls == []
