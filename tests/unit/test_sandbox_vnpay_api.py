"""The VNPAY simulator's merchant API: who may call it, and what querydr tells."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.unit.test_sandbox_vnpay import CREATED, SECRET, TMN_CODE, Shop, hash_of, open_shop, read

PATH = "/merchant_webapi/api/transaction"
ANSWERED = [
    *("ResponseId", "Command", "ResponseCode", "Message", "TmnCode", "TxnRef", "Amount"),
    *("BankCode", "PayDate", "TransactionNo", "TransactionType", "TransactionStatus", "OrderInfo"),
]
ASKED = {
    "querydr": "RequestId Version Command TmnCode TxnRef TransactionDate CreateDate IpAddr "
    "OrderInfo",
    "refund": "RequestId Version Command TmnCode TransactionType TxnRef Amount TransactionNo "
    "TransactionDate CreateBy CreateDate IpAddr OrderInfo",
}
IDS = itertools.count(1)


@pytest.fixture(scope="module")
def opened() -> Iterator[Shop]:
    with open_shop() as shop:
        yield shop


@pytest.fixture
def shop(opened: Shop) -> Shop:
    opened.reset()
    return opened


def body(command: str, txn_ref: str = "t1", **changes: str | None) -> dict[str, str]:
    """A signed call; None leaves a field out."""
    fields: dict[str, str | None] = {
        "vnp_RequestId": f"request{next(IDS)}",
        "vnp_Version": "2.1.0",
        "vnp_Command": command,
        "vnp_TmnCode": TMN_CODE,
        "vnp_TxnRef": txn_ref,
        "vnp_OrderInfo": f"Imagify {command}",
        "vnp_TransactionDate": CREATED,
        "vnp_CreateDate": "20261124100100",
        "vnp_IpAddr": "10.0.0.1",
    }
    if command == "refund":
        fields |= {
            "vnp_TransactionType": "02",
            "vnp_Amount": "19900000",
            "vnp_CreateBy": "operator",
        }
    kept = {name: value for name, value in (fields | changes).items() if value is not None}
    order = ASKED.get(command, ASKED["querydr"]).split()
    return kept | {
        "vnp_SecureHash": hash_of("|".join(kept.get(f"vnp_{name}", "") for name in order))
    }


def send(shop: Shop, call: object, *, seconds: float = 5) -> dict[str, Any]:
    """The answer, whose hash must be right if it has one."""
    answer = shop.http.post(PATH, json=call, timeout=httpx.Timeout(5, read=seconds))
    assert answer.status_code == 200
    said: dict[str, Any] = answer.json()
    if "vnp_SecureHash" in said:
        order = [*ANSWERED]
        if said["vnp_Command"] != "refund":
            order += ["PromotionCode", "PromotionAmount"]
        joined = "|".join(said.get(f"vnp_{name}", "") for name in order)
        assert said["vnp_SecureHash"] == hash_of(joined)
    return said


def ask(shop: Shop, command: str, txn_ref: str = "t1", **changes: str | None) -> dict[str, Any]:
    return send(shop, body(command, txn_ref, **changes))


def code(shop: Shop, command: str, txn_ref: str = "t1", **changes: str | None) -> str:
    said = ask(shop, command, txn_ref, **changes)
    answered: str = said["vnp_ResponseCode"]
    return answered


def status(shop: Shop, txn_ref: str = "t1") -> tuple[str, str, str]:
    """Type, status and amount by querydr, as soon as it may be asked."""
    shop.settings(query_gap_seconds=0)
    said = ask(shop, "querydr", txn_ref)
    assert said["vnp_ResponseCode"] == "00"
    return said["vnp_TransactionType"], said["vnp_TransactionStatus"], said["vnp_Amount"]


def test_a_query_signed_by_hand_gets_an_answer_signed_so_too(shop: Shop) -> None:
    number = read(shop.end())["vnp_TransactionNo"]
    said = send(
        shop,
        {
            "vnp_RequestId": "0123456789abcdef0123456789abcdef",
            "vnp_Version": "2.1.0",
            "vnp_Command": "querydr",
            "vnp_TmnCode": "IMAGIFY1",
            "vnp_TxnRef": "t1",
            "vnp_OrderInfo": "How is t1",
            "vnp_TransactionDate": "20261124100000",
            "vnp_CreateDate": "20261124100500",
            "vnp_IpAddr": "10.0.0.1",
            "vnp_SecureHash": hash_of(
                "0123456789abcdef0123456789abcdef|2.1.0|querydr|IMAGIFY1|t1|20261124100000"
                "|20261124100500|10.0.0.1|How is t1"
            ),
        },
    )
    assert len(said["vnp_ResponseId"]) == 32
    assert said["vnp_SecureHash"] == hash_of(
        f"{said['vnp_ResponseId']}|querydr|00|QueryDR Success|IMAGIFY1|t1|19900000|NCB"
        f"|20261124100000|{number}|01|00|Imagify 500 credits||"
    )
    assert said["vnp_TransactionStatus"] == "00"
    assert said["vnp_OrderInfo"] == "Imagify 500 credits"


def test_a_query_tells_how_a_payment_stands(shop: Shop) -> None:
    shop.settings(query_gap_seconds=0)
    shop.open("open")
    said = ask(shop, "querydr", "open")
    assert said["vnp_TransactionStatus"] == "01"
    assert "vnp_TransactionNo" not in said
    assert status(shop, "open") == ("01", "01", "19900000")
    shop.end("failed", "cancel")
    assert status(shop, "failed") == ("01", "02", "19900000")
    assert ask(shop, "querydr", "failed")["vnp_TransactionNo"] == "0"
    shop.misbehave("suspected")
    shop.end("suspected")
    assert status(shop, "suspected") == ("01", "07", "19900000")
    shop.misbehave("wrong_amount", amount_vnd=10_000)
    shop.end("other")
    assert status(shop, "other") == ("01", "00", "1000000")


def test_a_payment_left_to_expire_is_what_the_settings_say(shop: Shop) -> None:
    shop.open()
    shop.wait(15 * 60)
    assert status(shop) == ("01", "01", "19900000")
    shop.settings(expired_status="02")
    assert status(shop) == ("01", "02", "19900000")


def test_a_query_finds_only_what_was_opened_with_its_date(shop: Shop) -> None:
    assert code(shop, "querydr") == "91"
    shop.end()
    assert code(shop, "querydr", vnp_TransactionDate="20261124100001") == "91"
    assert code(shop, "querydr", vnp_TransactionNo="1") == "91"
    assert code(shop, "querydr", vnp_TransactionNo="") == "00"
    assert code(shop, "refund", vnp_TransactionDate="20261124100001") == "91"


def test_an_error_answer_is_signed_with_absent_fields_empty(shop: Shop) -> None:
    said = ask(shop, "querydr")
    assert said["vnp_SecureHash"] == hash_of(
        f"{said['vnp_ResponseId']}|querydr|91|Transaction not found|IMAGIFY1|t1|||||||||"
    )


def test_a_second_query_too_soon_is_a_duplicate(shop: Shop) -> None:
    shop.end()
    shop.end("t2")
    assert code(shop, "querydr") == "00"
    for _ in range(3):
        shop.wait(99)
        assert code(shop, "querydr") == "94"
    assert code(shop, "querydr", "t2") == "00"
    # From the last one that was answered, not the last that was asked.
    shop.wait(3)
    assert code(shop, "querydr") == "00"


def test_a_request_id_is_used_once_a_day(shop: Shop) -> None:
    shop.settings(query_gap_seconds=0)
    shop.end()
    assert code(shop, "querydr", vnp_RequestId="r" * 32) == "00"
    assert code(shop, "querydr", vnp_RequestId="r" * 32) == "94"
    assert code(shop, "refund", vnp_RequestId="r" * 32) == "94"
    shop.wait(14 * 3600 - 1)
    assert code(shop, "querydr", vnp_RequestId="r" * 32) == "94"
    # Midnight in Vietnam.
    shop.wait(1)
    assert code(shop, "querydr", vnp_RequestId="r" * 32) == "00"


def test_a_request_id_is_not_used_up_by_a_wrong_hash(shop: Shop) -> None:
    shop.end()
    call = body("querydr", vnp_RequestId="mine")
    wrong = call | {"vnp_SecureHash": hash_of("something else")}
    assert send(shop, wrong)["vnp_ResponseCode"] == "97"
    assert send(shop, call)["vnp_ResponseCode"] == "00"


@pytest.mark.parametrize(
    ("command", "changes"),
    [
        ("querydr", {"vnp_RequestId": "r" * 33}),
        ("querydr", {"vnp_RequestId": None}),
        ("querydr", {"vnp_RequestId": "a|b"}),
        ("querydr", {"vnp_Version": "2.0.0"}),
        ("querydr", {"vnp_TransactionDate": None}),
        ("querydr", {"vnp_TransactionDate": "20261324100000"}),
        ("querydr", {"vnp_CreateDate": "now"}),
        ("querydr", {"vnp_IpAddr": "here"}),
        ("querydr", {"vnp_OrderInfo": ""}),
        ("querydr", {"vnp_Amount": "19900000"}),
        ("refund", {"vnp_Amount": "199000.0"}),
        ("refund", {"vnp_Amount": "0"}),
        ("refund", {"vnp_TransactionType": "01"}),
        ("refund", {"vnp_CreateBy": None}),
        ("delete", {}),
    ],
    ids=str,
)
def test_a_call_out_of_form_gets_03_unsigned(
    shop: Shop, command: str, changes: dict[str, str | None]
) -> None:
    shop.end()
    said = ask(shop, command, "t1", **changes)
    assert said["vnp_ResponseCode"] == "03"
    assert "vnp_SecureHash" not in said
    assert code(shop, "querydr") == "00"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense",
        b"[]",
        b'{"vnp_TxnRef": 1}',
        b'{"vnp_TxnRef": "a", "vnp_TxnRef": "b"}',
        b"[" * 16_000,
        b"\xff",
    ],
    ids=lambda content: str(content)[:24],
)
def test_a_body_that_is_no_json_gets_03(shop: Shop, content: bytes) -> None:
    answer = shop.http.post(PATH, content=content)
    assert (answer.status_code, answer.json()["vnp_ResponseCode"]) == (200, "03")


def test_a_name_that_comes_twice_gets_03(shop: Shop) -> None:
    shop.end()
    text = json.dumps(body("querydr"))
    twice = text.replace('"vnp_TxnRef"', '"vnp_TxnRef": "t2", "vnp_TxnRef"')
    answer = shop.http.post(PATH, content=twice)
    assert answer.json()["vnp_ResponseCode"] == "03"


def test_a_body_too_large_is_not_read(shop: Shop) -> None:
    assert shop.http.post(PATH, content=b" " * 16_385).status_code == 413


def test_the_state_has_each_call_and_its_answer(shop: Shop) -> None:
    shop.end()
    ask(shop, "querydr", vnp_RequestId="first")
    shop.http.post(PATH, content=b"nonsense")
    first, second = shop.state()["api_calls"]
    assert first == {
        "at": "2026-11-24T10:00:00.000+07:00",
        "command": "querydr",
        "txn_ref": "t1",
        "request_id": "first",
        "misbehaviour": None,
        "http_status": 200,
        "response_code": "00",
        "message": "QueryDR Success",
    }
    assert (second["command"], second["response_code"]) == (None, "03")


def test_another_merchant_or_secret_gets_an_unsigned_refusal(shop: Shop) -> None:
    shop.end()
    said = ask(shop, "querydr", vnp_TmnCode="IMAGIFY2")
    assert (said["vnp_ResponseCode"], "vnp_SecureHash" in said) == ("02", False)
    said = send(shop, body("querydr") | {"vnp_TxnRef": "t2"})
    assert (said["vnp_ResponseCode"], "vnp_SecureHash" in said) == ("97", False)
    said = send(shop, body("querydr") | {"vnp_SecureHash": hash_of("t1", SECRET.lower())})
    assert said["vnp_ResponseCode"] == "97"
