"""The misbehaviours of payments and their IPNs, at the VNPAY simulator."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import parse_qsl

import pytest

from tests.unit.test_sandbox_vnpay import SECRET, Shop, hash_of, open_shop, read
from tests.unit.test_sandbox_vnpay_ipn import calls, confirmed, no_more_than


@pytest.fixture(scope="module")
def opened() -> Iterator[Shop]:
    with open_shop() as shop:
        yield shop


@pytest.fixture
def shop(opened: Shop) -> Shop:
    opened.reset()
    return opened


def query(told: str) -> str:
    return told.partition("?")[2]


def test_before_return_is_answered_before_the_redirect(shop: Shop) -> None:
    shop.settings(ipn_delay_seconds=60)
    shop.misbehave("before_return")
    shop.end()
    assert confirmed(shop.state())


def test_before_return_does_not_wait_for_more_than_the_first_try(shop: Shop) -> None:
    shop.settings(retry_seconds=60)
    shop.merchant.answer("99")
    shop.misbehave("before_return")
    shop.end()
    assert [call["rsp_code"] for call in shop.state()["ipn_calls"]] == ["99"]


def test_late_is_so_many_seconds_later(shop: Shop) -> None:
    shop.misbehave("late", seconds=0.25)
    begun = time.monotonic()
    shop.end()
    shop.until(confirmed)
    assert time.monotonic() - begun >= 0.25
    shop.end("t2")
    assert shop.until(lambda seen: confirmed(seen, "t2"))["behaviour"] == []


def test_duplicate_sends_copies_at_once(shop: Shop) -> None:
    for _ in range(4):
        shop.merchant.answer("00", after_seconds=0.2)
    shop.misbehave("duplicate", copies=4)
    returned = shop.end()
    calls(shop, 4)
    assert shop.merchant.at_once_max == 4
    no_more_than(shop, 4)
    assert shop.merchant.told == [f"/ipn?{returned}"] * 4


def test_missing_never_comes_until_asked_for(shop: Shop) -> None:
    shop.misbehave("missing")
    returned = shop.end()
    no_more_than(shop, 0)
    call = shop.http.post("/_control/transactions/t1/notify").raise_for_status().json()
    assert (call["what"], call["rsp_code"], call["query"]) == ("again", "00", returned)
    assert shop.merchant.told == [f"/ipn?{returned}"]


@pytest.mark.parametrize("stale", ["first", "last"])
def test_reordered_tells_of_a_failed_attempt_too(shop: Shop, stale: str) -> None:
    shop.misbehave("reordered", stale=stale)
    returned = shop.end()
    calls(shop, 2)
    no_more_than(shop, 2)
    told = [query(path) for path in shop.merchant.told]
    old = told.pop(0 if stale == "first" else 1)
    assert told == [returned]
    said = read(old)
    assert (said["vnp_ResponseCode"], said["vnp_TransactionStatus"]) == ("13", "02")
    assert (said["vnp_TxnRef"], said["vnp_Amount"]) == ("t1", "19900000")
    assert said["vnp_TransactionNo"] == "0"
    assert "vnp_BankTranNo" not in said


def test_stale_news_that_is_confirmed_confirms_nothing(shop: Shop) -> None:
    shop.misbehave("reordered", stale="first")
    shop.merchant.answer("00")
    shop.merchant.answer("99")
    shop.end()
    assert [one["what"] for one in calls(shop, 3)] == ["stale", "notification", "notification"]


def test_reordered_waits_for_a_payment_that_is_paid(shop: Shop) -> None:
    shop.misbehave("reordered")
    shop.end(outcome="cancel")
    no_more_than(shop, 1)
    assert len(shop.state()["behaviour"]) == 1


def test_forged_ipns_come_first_and_none_is_vnpays(shop: Shop) -> None:
    shop.misbehave("forged")
    returned = shop.end()
    shop.until(confirmed)
    *forged, true = [query(path) for path in shop.merchant.told]
    assert true == returned
    assert [one["what"] for one in shop.state()["ipn_calls"][:-1]] == [
        "forged: no_hash",
        "forged: wrong_hash",
        "forged: other_amount",
        "forged: other_status",
        "forged: other_merchant",
        "forged: repeated_name",
    ]
    true_text, _, true_hash = true.rpartition("&vnp_SecureHash=")
    bare, wrong, amount, status, other, repeated = forged
    assert bare == true_text
    text, _, given = wrong.rpartition("&vnp_SecureHash=")
    assert text == true_text
    assert len(given) == 128
    assert given != true_hash
    assert amount.endswith(true_hash)
    assert "vnp_Amount=199000000&" in amount
    assert status.endswith(true_hash)
    assert "vnp_ResponseCode=24" in status
    assert "vnp_TransactionStatus=02" in status
    text, _, given = other.rpartition("&vnp_SecureHash=")
    assert "vnp_TmnCode=OTHERSHP" in text
    assert given == hash_of(text, "the secret of another merchant")
    assert given != hash_of(text, SECRET)
    assert [value for name, value in parse_qsl(repeated) if name == "vnp_Amount"] == [
        "19900000",
        "199000000",
    ]
    assert repeated.startswith(true)


def test_a_forged_ipn_of_a_failure_claims_that_it_was_paid(shop: Shop) -> None:
    shop.misbehave("forged")
    shop.end(outcome="cancel")
    shop.until(confirmed)
    status = dict(parse_qsl(query(shop.merchant.told[3])))
    assert (status["vnp_ResponseCode"], status["vnp_TransactionStatus"]) == ("00", "00")


def test_wrong_amount_is_said_by_return_and_ipn_alike(shop: Shop) -> None:
    shop.misbehave("wrong_amount", amount_vnd=100_000)
    shop.merchant.answer("04")
    returned = shop.end()
    assert read(returned)["vnp_Amount"] == "10000000"
    assert read(returned)["vnp_ResponseCode"] == "00"
    shop.until(confirmed)
    assert shop.merchant.told == [f"/ipn?{returned}"] * 2
    payment = shop.state()["transactions"]["t1"]
    assert (payment["amount_vnd"], payment["received_vnd"]) == (199_000, 100_000)


def test_suspected_has_taken_the_money(shop: Shop) -> None:
    shop.misbehave("suspected")
    said = read(shop.end())
    assert (said["vnp_ResponseCode"], said["vnp_TransactionStatus"]) == ("07", "07")
    assert said["vnp_BankTranNo"] == f"VNP{said['vnp_TransactionNo']}"
    payment = shop.state()["transactions"]["t1"]
    assert (payment["status"], payment["received_vnd"]) == ("07", 199_000)


def test_what_concerns_a_payment_waits_for_one_that_is_paid(shop: Shop) -> None:
    shop.misbehave("suspected")
    shop.misbehave("wrong_amount", amount_vnd=1)
    assert read(shop.end(outcome="cancel"))["vnp_ResponseCode"] == "24"
    assert len(shop.state()["behaviour"]) == 2


def test_misbehaviours_add_up(shop: Shop) -> None:
    shop.misbehave("forged")
    shop.misbehave("duplicate")
    shop.misbehave("reordered", stale="first")
    shop.misbehave("before_return")
    shop.end()
    whats = [one["what"] for one in shop.state()["ipn_calls"]]
    assert [what.partition(":")[0] for what in whats] == ["forged"] * 6 + ["stale"] + [
        "notification"
    ] * 2


def test_misbehaviours_count_down_and_choose_their_payment(shop: Shop) -> None:
    shop.misbehave("missing", count=2)
    shop.misbehave("suspected", txn_ref="t4")
    for number in range(1, 5):
        shop.end(f"t{number}")
    seen = shop.until(lambda seen: confirmed(seen, "t3") and confirmed(seen, "t4"))
    assert {one["txn_ref"] for one in seen["ipn_calls"]} == {"t3", "t4"}
    assert [one["status"] for one in seen["transactions"].values()] == ["00", "00", "00", "07"]
    assert seen["behaviour"] == []
