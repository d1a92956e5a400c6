"""Buying at a terminal: where to pay, waiting, and how it ended."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from ops.customer.client import ApiError, Client
from ops.customer.shop import Order, buy
from sandbox.errors import CommandError
from sandbox.state import State
from tests.unit.test_sandbox_run import a_state

PAY_URL = "http://vnpay.test/pay?vnp_Amount=1"


class Shop:
    """An API that sells, and tells of a payment what is given, one state a look."""

    def __init__(self, *states: str, error: dict[str, str] | None = None) -> None:
        self._states = iter(states)
        self._error = error
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if request.url.path.endswith("/me"):
            balance = {"available": 30, "held": 0}
            return httpx.Response(200, json={"user_id": "u", "balance": balance})
        status = next(self._states)
        body: dict[str, Any] = {
            "txn_ref": "IMG1",
            "status": status,
            "terminal": status in ("paid", "failed"),
            "credits": 20,
            "amount_vnd": 26_000,
            "error": self._error if status != "paid" else None,
            "urls": {"self": "/payments/IMG1", "pay": PAY_URL if status == "pending" else None},
        }
        return httpx.Response(201, json=body)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.customer.shop.time.sleep", lambda _seconds: None)


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> Callable[[Shop], State]:
    """A local run whose API is the shop."""

    def run(shop: Shop) -> State:
        client = Client("http://api", "token", transport=httpx.MockTransport(shop))
        monkeypatch.setattr("ops.customer.shop.local_client", lambda _state: client)
        return a_state()

    return run


def test_it_says_where_to_pay_waits_and_says_what_there_is_then(
    state: Callable[[Shop], State], capsys: pytest.CaptureFixture[str]
) -> None:
    shop = Shop("pending", "pending", "paid")
    order = Order(package="small", locale="vn", bank_code="VNPAYQR", idempotency_key="k")

    assert buy(state(shop), order) == 0

    out, err = capsys.readouterr()
    assert out == ""
    assert PAY_URL in err
    assert "26,000 VND for 20 credits" in err
    assert err.endswith("Paid. 30 credits to spend.\n")
    begun = shop.asked[0]
    assert json.loads(begun.content) == {
        "package": "small",
        "locale": "vn",
        "bank_code": "VNPAYQR",
    }
    assert begun.headers["Idempotency-Key"] == "k"


def test_without_waiting_it_has_only_begun(
    state: Callable[[Shop], State], capsys: pytest.CaptureFixture[str]
) -> None:
    shop = Shop("pending")
    assert buy(state(shop), Order(package="small", wait=False, as_json=True)) == 0
    out, err = capsys.readouterr()
    assert err == ""
    said = json.loads(out)
    assert (said["status"], said["pay_url"], said["balance"]["available"]) == (
        "pending",
        PAY_URL,
        30,
    )


@pytest.mark.parametrize("status", ["failed", "review"])
def test_what_was_not_paid_is_said_with_the_reason(
    state: Callable[[Shop], State], status: str
) -> None:
    shop = Shop("pending", status, error={"code": "wrong_otp", "message": "Wrong."})
    with pytest.raises(CommandError, match=rf"IMG1 is {status}\. Wrong\. \(wrong_otp\)"):
        buy(state(shop), Order(package="small"))


def test_a_refusal_is_the_apis(state: Callable[[Shop], State]) -> None:
    def refuse(_request: httpx.Request) -> httpx.Response:
        problem = {"title": "Bad Request", "code": "unknown_package", "detail": "No such."}
        return httpx.Response(400, json=problem)

    with pytest.raises(ApiError, match=r"No such\. \(unknown_package\)"):
        buy(state(refuse), Order(package="x"))  # type: ignore[arg-type]  # an API that only refuses
