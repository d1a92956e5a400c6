"""Buying credits on the deployed stack: over HTTP, IAM enforced, against the simulated VNPAY."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest

from tests.e2e.shop import SMALL_CREDITS, SMALL_VND, Sweep, buy, top_ups, wait_for
from tests.e2e.test_pipeline import WELCOME_CREDITS, balance
from tests.e2e.vnpay import Vnpay
from tests.product import Sandbox, SignedIn


@pytest.mark.parametrize(
    ("outcome", "status", "code"),
    [
        ("pay", "paid", None),
        ("cancel", "failed", "canceled_by_customer"),
        ("wrong_otp", "failed", "wrong_otp"),
        ("too_little_money", "failed", "insufficient_funds"),
    ],
)
def test_every_button_of_the_pay_page_ends_in_a_state_that_the_api_tells(
    api: httpx.Client,
    vnpay: Vnpay,
    sandbox: Sandbox,
    *,
    outcome: str,
    status: str,
    code: str | None,
) -> None:
    payment = buy(api)

    back = vnpay.choose(payment["urls"]["pay"], outcome)
    answer = httpx.get(back, trust_env=False)
    ended = wait_for(api, payment, status)

    assert answer.status_code == 303
    query = f"txn_ref={payment['txn_ref']}&outcome={status}"
    assert answer.headers["Location"] == f"{sandbox.state.page_url}?{query}"
    assert (ended["terminal"], ended["error"] and ended["error"]["code"]) == (True, code)
    assert ended["urls"]["pay"] is None
    assert top_ups(api) == ([SMALL_CREDITS] if status == "paid" else [])
    assert vnpay.ipn_calls(payment["txn_ref"])[-1]["rsp_code"] == "00"


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("before_return", {}),
        ("late", {"seconds": 1.5}),
        ("duplicate", {"copies": 5}),
        ("reordered", {"stale": "first"}),
        ("reordered", {"stale": "last"}),
        ("forged", {}),
    ],
)
def test_however_the_ipn_comes_there_is_one_top_up(
    api: httpx.Client, vnpay: Vnpay, kind: str, told: dict[str, Any]
) -> None:
    payment = buy(api)
    vnpay.misbehave(kind, txn_ref=payment["txn_ref"], **told)

    httpx.get(vnpay.choose(payment["urls"]["pay"], "pay"), trust_env=False)
    wait_for(api, payment, "paid")
    time.sleep(1.5)  # whatever else is on its way comes too

    assert wait_for(api, payment, "paid")["version"] <= 3
    assert top_ups(api) == [SMALL_CREDITS]
    assert balance(api) == {"available": WELCOME_CREDITS + SMALL_CREDITS, "held": 0}
    for call in vnpay.ipn_calls(payment["txn_ref"]):
        assert call["rsp_code"] in (("97",) if "forged" in call["what"] else ("00", "02"))


def test_a_payment_whose_ipn_never_comes_is_healed_by_asking(
    api: httpx.Client,
    vnpay: Vnpay,
    sweep: Sweep,
) -> None:
    payment = buy(api)
    vnpay.misbehave("missing", txn_ref=payment["txn_ref"])
    httpx.get(vnpay.choose(payment["urls"]["pay"], "pay"), trust_env=False)
    assert api.get(payment["urls"]["self"]).json()["status"] == "pending"

    sweep.age(payment["txn_ref"], timedelta(minutes=16))
    sweep.run()

    assert wait_for(api, payment, "paid")["paid_at"]
    assert vnpay.notify(payment["txn_ref"])["rsp_code"] == "02", "the IPN comes after all"
    assert top_ups(api) == [SMALL_CREDITS]


def test_the_schedule_sweeps_by_itself(api: httpx.Client, vnpay: Vnpay, sweep: Sweep) -> None:
    payment = buy(api)
    vnpay.misbehave("missing", txn_ref=payment["txn_ref"])
    vnpay.choose(payment["urls"]["pay"], "pay")
    sweep.age(payment["txn_ref"], timedelta(minutes=16))

    deadline = time.monotonic() + 75
    while time.monotonic() < deadline and not top_ups(api):
        time.sleep(1)

    assert top_ups(api) == [SMALL_CREDITS]


def test_money_that_comes_after_expiry_still_credits_once(
    api: httpx.Client,
    vnpay: Vnpay,
    sweep: Sweep,
) -> None:
    payment = buy(api)
    sweep.age(payment["txn_ref"], timedelta(minutes=45))
    sweep.run()
    expired = wait_for(api, payment, "expired")
    assert (expired["terminal"], expired["error"]["code"]) == (True, "expired")

    vnpay.choose(payment["urls"]["pay"], "pay")

    wait_for(api, payment, "paid")
    assert vnpay.notify(payment["txn_ref"])["rsp_code"] == "02"
    assert top_ups(api) == [SMALL_CREDITS]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"kind": "wrong_amount", "amount_vnd": 20_000}, ("other_amount", "04")),
        ({"kind": "suspected"}, ("suspected", "00")),
    ],
)
def test_money_that_does_not_fit_is_never_credited_by_itself(
    api: httpx.Client,
    vnpay: Vnpay,
    sweep: Sweep,
    told: dict[str, Any],
    expected: tuple[str, str],
) -> None:
    code, rsp_code = expected
    payment = buy(api)
    vnpay.misbehave(txn_ref=payment["txn_ref"], **told)
    vnpay.choose(payment["urls"]["pay"], "pay")

    found = wait_for(api, payment, "review")
    sweep.age(payment["txn_ref"], timedelta(minutes=16))
    sweep.run()

    assert (found["terminal"], found["error"]["code"]) == (False, code)
    assert vnpay.ipn_calls(payment["txn_ref"])[0]["rsp_code"] == rsp_code
    assert api.get(payment["urls"]["self"]).json()["status"] == "review"
    assert top_ups(api) == []


def test_fifty_identical_ipns_at_once_with_queries_and_returns_top_up_once(
    sandbox: Sandbox,
    api: httpx.Client,
    vnpay: Vnpay,
    sweep: Sweep,
) -> None:
    payment = buy(api)
    vnpay.misbehave("missing", txn_ref=payment["txn_ref"])
    vnpay.choose(payment["urls"]["pay"], "pay")
    query = vnpay.notification(payment["txn_ref"])
    sweep.age(payment["txn_ref"], timedelta(minutes=16))

    def call(path: str) -> str:
        answer = httpx.get(
            f"{sandbox.api_url}/payments/vnpay/{path}?{query}", timeout=60, trust_env=False
        )
        if path == "return":
            return answer.headers["Location"]
        answer.raise_for_status()
        return str(answer.json()["RspCode"])

    calls: list[Callable[[], object]] = [
        *[partial(call, "ipn")] * 50,
        *[partial(call, "return")] * 10,
        *[sweep.run] * 4,
    ]
    with ThreadPoolExecutor(len(calls)) as pool:
        answers = list(pool.map(lambda each: each(), calls))

    said = Counter(answers[:50])
    assert set(said) <= {"00", "02", "99"}, said
    assert said["99"] <= 5, "conflicts that VNPAY would send again"
    page = f"{sandbox.state.page_url}?txn_ref={payment['txn_ref']}&outcome=paid"
    assert answers[50:60] == [page] * 10
    assert top_ups(api) == [SMALL_CREDITS]
    assert balance(api) == {"available": WELCOME_CREDITS + SMALL_CREDITS, "held": 0}


def test_nobody_sees_anothers_payments_or_ledger(
    open_api: Callable[[SignedIn | None], httpx.Client],
    new_person: Callable[[], SignedIn],
    vnpay: Vnpay,
) -> None:
    owner, stranger = open_api(new_person()), open_api(new_person())
    payment = buy(owner)
    vnpay.choose(payment["urls"]["pay"], "pay")
    wait_for(owner, payment, "paid")

    assert stranger.get(payment["urls"]["self"]).status_code == 404
    assert stranger.get("/payments").json()["payments"] == []
    assert top_ups(stranger) == []
    nobody = open_api(None)
    paths = ("/payments", payment["urls"]["self"], "/me/ledger")
    assert [nobody.get(path).status_code for path in paths] == [401] * 3
    assert nobody.post("/payments", json={"package": "small"}).status_code == 401
    assert nobody.get("/packages").json()["packages"][0] == {
        "package": "small",
        "credits": SMALL_CREDITS,
        "price_vnd": SMALL_VND,
    }
