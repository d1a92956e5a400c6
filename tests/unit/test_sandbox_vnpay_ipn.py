"""The VNPAY simulator's IPN: when it comes, how often, and how it can go wrong."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.vnpay.behaviour import Behaviour
from sandbox.vnpay.gateway import Gateway
from sandbox.vnpay.notifier import Notifier
from sandbox.vnpay.pay_request import Merchant, PayRequest
from sandbox.vnpay.state import State
from sandbox.vnpay.transactions import Ended
from tests.unit.test_sandbox_vnpay import SECRET, Shop, open_shop


@pytest.fixture(scope="module")
def opened() -> Iterator[Shop]:
    with open_shop() as shop:
        yield shop


@pytest.fixture
def shop(opened: Shop) -> Shop:
    opened.reset()
    return opened


def confirmed(seen: dict[str, Any], txn_ref: str = "t1") -> bool:
    return bool(seen["transactions"][txn_ref]["ipn_confirmed"])


def calls(shop: Shop, number: int) -> list[dict[str, Any]]:
    """The IPN calls once there are so many, answered or given up."""
    seen = shop.until(
        lambda seen: (
            len([one for one in seen["ipn_calls"] if one["http_status"] or one["error"]]) >= number
        )
    )
    made: list[dict[str, Any]] = seen["ipn_calls"]
    return made


def no_more_than(shop: Shop, number: int) -> None:
    time.sleep(0.1)
    assert len(shop.state()["ipn_calls"]) == number


@pytest.mark.parametrize("outcome", ["pay", "cancel", "wrong_otp", "too_little_money"])
def test_an_ipn_says_what_the_return_says_and_is_confirmed_once(shop: Shop, outcome: str) -> None:
    returned = shop.end(outcome=outcome)
    shop.until(confirmed)
    no_more_than(shop, 1)
    assert shop.merchant.told == [f"/ipn?{returned}"]
    (call,) = shop.state()["ipn_calls"]
    assert call == {
        "txn_ref": "t1",
        "what": "notification",
        "attempt": 1,
        "url": shop.merchant.url,
        "query": returned,
        "at": "2026-11-24T10:00:00.000+07:00",
        "http_status": 200,
        "rsp_code": "00",
        "message": "Confirm Success",
        "error": None,
    }


def test_an_ipn_comes_a_moment_after_the_return(shop: Shop) -> None:
    shop.settings(ipn_delay_seconds=0.3)
    shop.end()
    assert shop.merchant.told == []
    shop.until(confirmed)


def test_an_ipn_starts_only_when_the_redirect_is_given(shop: Shop) -> None:
    shop.merchant.answer("00", after_seconds=0.5)
    shop.end()
    assert not confirmed(shop.state())
    shop.until(confirmed)


@pytest.mark.parametrize("code", ["01", "03", "04", "97", "99"])
def test_an_ipn_that_is_not_confirmed_comes_again(shop: Shop, code: str) -> None:
    shop.merchant.answer(code)
    shop.merchant.answer(code)
    returned = shop.end()
    shop.until(confirmed)
    no_more_than(shop, 3)
    assert shop.merchant.told == [f"/ipn?{returned}"] * 3
    made = shop.state()["ipn_calls"]
    assert [(one["attempt"], one["rsp_code"]) for one in made] == [(1, code), (2, code), (3, "00")]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b'{"RspCode": "00"}'),
        (204, b""),
        (302, b'{"RspCode": "00"}'),
        (200, b"OK"),
        (200, b'["00"]'),
        (200, b'{"RspCode": 0}'),
        (200, b'{"Message": "00"}'),
        (200, b"[" * 16_384),
        (200, b'{"RspCode": "00"}' + b" " * 16_384),
    ],
    ids=lambda value: str(value)[:24],
)
def test_an_ipn_answered_with_nonsense_comes_again(shop: Shop, status: int, body: bytes) -> None:
    shop.merchant.answers.append((0, status, body))
    shop.end()
    first = calls(shop, 2)[0]
    assert (first["http_status"], first["rsp_code"]) == (status, None)


def test_an_ipn_answered_too_late_comes_again(shop: Shop) -> None:
    shop.settings(ipn_timeout_seconds=0.1)
    shop.merchant.answer("00", after_seconds=0.3)
    shop.end()
    first, second, *_ = calls(shop, 2)
    assert (first["error"], first["rsp_code"]) == ("no answer in time", None)
    assert second["rsp_code"] == "00"


def test_an_ipn_that_nobody_takes_comes_again(shop: Shop) -> None:
    shop.settings(ipn_url="http://127.0.0.1:9/ipn")
    shop.end()
    assert calls(shop, 1)[0]["error"].startswith("ConnectError")
    shop.settings(ipn_url=shop.merchant.url)
    shop.until(confirmed)


def test_02_confirms_too(shop: Shop) -> None:
    shop.merchant.answer("02")
    shop.end()
    shop.until(confirmed)
    no_more_than(shop, 1)


def test_tries_end(shop: Shop) -> None:
    shop.settings(tries_max=3)
    for _ in range(5):
        shop.merchant.answer("99")
    shop.end()
    calls(shop, 3)
    no_more_than(shop, 3)
    assert not confirmed(shop.state())


def test_tries_are_apart_and_by_default_vnpays(shop: Shop) -> None:
    usual = Behaviour()
    # The first, and ten more five minutes apart.
    assert (usual.tries_max, usual.retry_seconds) == (11, 300)
    shop.settings(retry_seconds=0.3)
    shop.merchant.answer("99")
    shop.end()
    calls(shop, 1)
    no_more_than(shop, 1)
    calls(shop, 2)


def test_without_an_address_there_is_no_ipn(shop: Shop) -> None:
    shop.settings(ipn_url=None)
    shop.misbehave("late", seconds=1)
    shop.end()
    no_more_than(shop, 0)
    assert len(shop.state()["behaviour"]) == 1


def test_an_address_taken_away_ends_in_errors(shop: Shop) -> None:
    shop.settings(tries_max=2)
    shop.merchant.answer("99", after_seconds=0.3)
    shop.end()
    shop.until(lambda seen: bool(seen["ipn_calls"]))
    shop.settings(ipn_url=None)
    assert calls(shop, 2)[1]["error"] == "there is no ipn_url any more"


def test_an_address_keeps_its_own_query(shop: Shop) -> None:
    shop.settings(ipn_url=f"{shop.merchant.url}?shop=1")
    returned = shop.end()
    shop.until(confirmed)
    assert shop.merchant.told == [f"/ipn?shop=1&{returned}"]


def test_an_ipn_sent_by_hand_ends_the_tries(shop: Shop) -> None:
    shop.settings(retry_seconds=0.3)
    shop.merchant.answer("99")
    shop.end()
    calls(shop, 1)
    shop.http.post("/_control/transactions/t1/notify").raise_for_status()
    assert confirmed(shop.state())
    time.sleep(0.3)
    no_more_than(shop, 2)


def test_a_reset_drops_what_is_under_way(shop: Shop) -> None:
    shop.misbehave("late", seconds=0.3)
    shop.end()
    shop.http.post("/_control/reset").raise_for_status()
    time.sleep(0.3)
    no_more_than(shop, 0)
    assert shop.merchant.told == []


def test_a_reset_between_the_redirect_and_its_ipn_leaves_nothing_to_tell(shop: Shop) -> None:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    behaviour = Behaviour(ipn_url=shop.merchant.url, ipn_delay_seconds=0)
    state = State(Merchant("IMAGIFY1", SECRET), behaviour, rng=random.Random(0), now=lambda: now)
    request = PayRequest("t1", 100, "a", "vn", "http://a/b", "", "", now + timedelta(1), "")
    ended = Ended(now, "00", "00", 100, "1", "1", "NCB", "ATM")

    async def begin(*, after_reset: bool) -> None:
        notifier = Notifier(state)
        transaction = state.transactions.open(request, token="", now=now)
        plan = notifier.plan(transaction, ended)
        assert plan is not None
        if after_reset:
            state.reset()
        await Gateway(state, notifier)._begin(transaction, ended, plan)
        await asyncio.sleep(0.05)
        await notifier.close()

    asyncio.run(begin(after_reset=False))
    assert len(shop.merchant.told) == 1
    asyncio.run(begin(after_reset=True))
    assert len(shop.merchant.told) == 1
