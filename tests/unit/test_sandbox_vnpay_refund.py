"""Refunds at the VNPAY simulator, and how its merchant API goes wrong."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.unit.test_sandbox_vnpay import Shop, hash_of, open_shop, read
from tests.unit.test_sandbox_vnpay_api import ANSWERED, PATH, ask, body, code, send, status


@pytest.fixture(scope="module")
def opened() -> Iterator[Shop]:
    with open_shop() as shop:
        yield shop


@pytest.fixture
def shop(opened: Shop) -> Shop:
    opened.reset()
    return opened


def test_a_refund_signed_by_hand_gets_an_answer_signed_so_too(shop: Shop) -> None:
    number = read(shop.end())["vnp_TransactionNo"]
    shop.wait(90)
    said = send(
        shop,
        {
            "vnp_RequestId": "r1",
            "vnp_Version": "2.1.0",
            "vnp_Command": "refund",
            "vnp_TmnCode": "IMAGIFY1",
            "vnp_TransactionType": "02",
            "vnp_TxnRef": "t1",
            "vnp_Amount": 19900000,
            "vnp_OrderInfo": "Back",
            "vnp_TransactionNo": number,
            "vnp_TransactionDate": "20261124100000",
            "vnp_CreateDate": "20261124100130",
            "vnp_CreateBy": "an operator",
            "vnp_IpAddr": "10.0.0.1",
            "vnp_SecureHash": hash_of(
                f"r1|2.1.0|refund|IMAGIFY1|02|t1|19900000|{number}|20261124100000|an operator"
                "|20261124100130|10.0.0.1|Back"
            ),
        },
    )
    assert said["vnp_TransactionNo"] not in ("", number)
    assert said["vnp_SecureHash"] == hash_of(
        f"{said['vnp_ResponseId']}|refund|00|Refund success|IMAGIFY1|t1|19900000|NCB"
        f"|20261124100130|{said['vnp_TransactionNo']}|02|05|Back"
    )


def test_a_full_refund_goes_through_vnpay_and_the_bank(shop: Shop) -> None:
    shop.end()
    said = ask(shop, "refund")
    assert said["vnp_ResponseCode"] == "00"
    assert said["vnp_TransactionStatus"] == "05"
    assert said["vnp_OrderInfo"] == "Imagify refund"
    assert status(shop) == ("02", "05", "19900000")
    shop.wait(60)
    assert status(shop) == ("02", "06", "19900000")
    assert code(shop, "refund") == "94"
    shop.wait(60)
    assert status(shop) == ("02", "00", "19900000")
    assert ask(shop, "querydr")["vnp_TransactionNo"] == said["vnp_TransactionNo"]
    assert code(shop, "refund") == "94"
    assert code(shop, "refund", vnp_TransactionType="03", vnp_Amount="100") == "94"
    # The payment itself stays paid.
    payment = shop.state()["transactions"]["t1"]
    assert (payment["status"], payment["received_vnd"]) == ("00", 199_000)
    assert [(one["type"], one["status"]) for one in payment["refunds"]] == [("02", "00")]


def test_partial_refunds_follow_each_other_up_to_the_whole(shop: Shop) -> None:
    shop.end()
    part = {"vnp_TransactionType": "03", "vnp_Amount": "9900000"}
    assert ask(shop, "refund", **part)["vnp_TransactionType"] == "03"
    # At VNPAY, then at the bank.
    for _ in range(2):
        assert code(shop, "refund", **part) == "94"
        shop.wait(60)
    assert status(shop) == ("03", "00", "9900000")
    assert code(shop, "refund") == "03"
    assert code(shop, "refund", vnp_Amount="10000000") == "03"
    assert code(shop, "refund", **part | {"vnp_Amount": "10000100"}) == "03"
    assert code(shop, "refund", **part | {"vnp_Amount": "10000000"}) == "00"
    shop.wait(120)
    assert code(shop, "refund", **part | {"vnp_Amount": "100"}) == "94"


def test_a_full_refund_is_of_the_whole_amount_that_came_in(shop: Shop) -> None:
    shop.misbehave("wrong_amount", amount_vnd=100_000)
    shop.end()
    assert code(shop, "refund") == "03"
    assert code(shop, "refund", vnp_Amount="9900000") == "03"
    assert code(shop, "refund", vnp_Amount="10000000") == "00"


def test_only_money_that_was_taken_is_given_back(shop: Shop) -> None:
    shop.open("open")
    shop.end("failed", "wrong_otp")
    assert code(shop, "refund", "open") == "95"
    assert code(shop, "refund", "failed") == "95"
    assert code(shop, "refund", "unknown") == "91"
    shop.misbehave("suspected")
    shop.end("suspected")
    assert code(shop, "refund", "suspected") == "00"


def test_a_refund_of_another_transaction_no_is_not_found(shop: Shop) -> None:
    number = read(shop.end())["vnp_TransactionNo"]
    assert code(shop, "refund", vnp_TransactionNo=f"{number}0") == "91"
    assert code(shop, "refund", vnp_TransactionNo=number) == "00"


def test_a_refund_refused_in_the_end_can_be_asked_for_again(shop: Shop) -> None:
    shop.misbehave("refund_refused")
    shop.end()
    assert ask(shop, "refund")["vnp_TransactionStatus"] == "05"
    assert status(shop) == ("02", "05", "19900000")
    shop.wait(60)
    assert status(shop) == ("02", "09", "19900000")
    assert code(shop, "refund") == "00"
    shop.wait(120)
    assert status(shop) == ("02", "00", "19900000")


@pytest.mark.parametrize("kind", ["silent", "lost"])
def test_a_call_may_never_be_answered(shop: Shop, kind: str) -> None:
    shop.end()
    shop.misbehave(kind)
    with pytest.raises(httpx.ReadTimeout):
        send(shop, body("refund"), seconds=0.2)
    # Lost is the answer, not the refund.
    assert len(shop.state()["transactions"]["t1"]["refunds"]) == (kind == "lost")
    assert code(shop, "refund") == ("94" if kind == "lost" else "00")
    first, second = shop.state()["api_calls"]
    assert (first["misbehaviour"], first["http_status"]) == (kind, None)
    assert (second["misbehaviour"], second["http_status"]) == (None, 200)


@pytest.mark.parametrize("kind", ["none", "wrong"])
def test_an_answer_may_prove_nothing(shop: Shop, kind: str) -> None:
    shop.end()
    shop.misbehave("unsigned", hash=kind)
    said = shop.http.post(PATH, json=body("querydr")).json()
    assert said["vnp_TransactionStatus"] == "00"
    joined = "|".join(said.get(f"vnp_{name}", "") for name in ANSWERED) + "||"
    if kind == "none":
        assert "vnp_SecureHash" not in said
    else:
        assert len(said["vnp_SecureHash"]) == 128
        assert said["vnp_SecureHash"] != hash_of(joined)
    assert code(shop, "querydr") == "94"


def test_a_refusal_is_signed_and_does_nothing(shop: Shop) -> None:
    shop.end()
    shop.misbehave("refuse")
    shop.misbehave("refuse", code="02")
    call = body("refund")
    said = send(shop, call)
    assert (said["vnp_ResponseCode"], "vnp_SecureHash" in said) == ("99", True)
    assert send(shop, call)["vnp_ResponseCode"] == "02"
    assert send(shop, call)["vnp_ResponseCode"] == "00"


def test_a_refusal_does_not_hide_a_wrong_hash(shop: Shop) -> None:
    shop.misbehave("refuse")
    assert send(shop, body("refund") | {"vnp_TxnRef": "t2"})["vnp_ResponseCode"] == "97"


def test_error500_is_html_and_does_nothing(shop: Shop) -> None:
    shop.end()
    shop.misbehave("error500")
    answer = shop.http.post(PATH, json=body("querydr"))
    assert answer.status_code == 500
    assert answer.headers["content-type"].startswith("text/html")
    assert code(shop, "querydr") == "00"


def test_a_misbehaviour_of_answers_chooses_its_calls(shop: Shop) -> None:
    shop.end()
    shop.end("t2")
    shop.misbehave("refuse", command="refund", txn_ref="t2", count=2)
    assert code(shop, "querydr", "t2") == "00"
    assert code(shop, "refund", "t1") == "00"
    assert [code(shop, "refund", "t2") for _ in range(3)] == ["99", "99", "00"]
    assert shop.state()["behaviour"] == []
