"""What the VNPAY simulator takes as a request to pay, and what it shows instead of a pay page."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator

import pytest

from tests.unit.test_sandbox_vnpay import CREATED, Shop, open_shop


@pytest.fixture(scope="module")
def opened() -> Iterator[Shop]:
    with open_shop() as shop:
        yield shop


@pytest.fixture
def shop(opened: Shop) -> Shop:
    opened.reset()
    return opened


def test_a_request_signed_by_hand_is_taken_and_one_letter_off_is_not(shop: Shop) -> None:
    signed = (
        "vnp_Amount=1000000&vnp_Command=pay&vnp_CreateDate=20261124100000&vnp_CurrCode=VND"
        "&vnp_ExpireDate=20261124101500&vnp_IpAddr=2001%3Adb8%3A%3A1&vnp_Locale=vn"
        "&vnp_OrderInfo=Nap+tien%3A+don+hang+5.&vnp_OrderType=other"
        "&vnp_ReturnUrl=https%3A%2F%2Fimagify.example%2Fback%3Fa%3D1%26b%3Dx%2By"
        "&vnp_TmnCode=IMAGIFY1&vnp_TxnRef=5&vnp_Version=2.1.0"
    )
    key = b"RAOEXHYVSDDIIENYWSLDIIZTANXUXZFJ"
    given = hmac.new(key, signed.encode(), hashlib.sha512).hexdigest()
    changed = signed.replace("Amount=1000000", "Amount=1000100")
    wrong = shop.http.get(f"/paymentv2/vpcpay.html?{changed}&vnp_SecureHash={given}")
    assert wrong.status_code == 400
    assert "<dd>70</dd>" in wrong.text
    right = shop.http.get(f"/paymentv2/vpcpay.html?{signed}&vnp_SecureHash={given}")
    assert right.status_code == 200
    # The order of the parameters, and how a space is written, are the sender's affair.
    moved = f"vnp_SecureHash={given}&" + "&".join(reversed(signed.split("&"))).replace("+", "%20")
    assert shop.http.get(f"/paymentv2/vpcpay.html?{moved}").status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        *(
            {name: None}
            for name in (
                *("vnp_Version", "vnp_Command", "vnp_TmnCode", "vnp_Amount", "vnp_CurrCode"),
                *("vnp_TxnRef", "vnp_OrderInfo", "vnp_OrderType", "vnp_Locale", "vnp_ReturnUrl"),
                *("vnp_IpAddr", "vnp_CreateDate", "vnp_ExpireDate"),
            )
        ),
        {"vnp_Version": "2.0.0"},
        {"vnp_Command": "token_pay"},
        {"vnp_CurrCode": "USD"},
        {"vnp_TmnCode": "IMAGIFY"},
        {"vnp_Amount": "199000.00"},
        {"vnp_Amount": "١٩٩٠٠٠٠٠"},
        {"vnp_Amount": "-19900000"},
        {"vnp_Amount": "19900050"},
        {"vnp_Amount": "1000000000000"},
        {"vnp_Amount": "499900"},
        {"vnp_Amount": "100000000000"},
        {"vnp_TxnRef": "t 1"},
        {"vnp_TxnRef": "t|1"},
        {"vnp_TxnRef": "t" * 101},
        {"vnp_OrderInfo": ""},
        {"vnp_OrderInfo": "Nạp tiền"},
        {"vnp_OrderInfo": "500 credits!"},
        {"vnp_OrderInfo": "c" * 256},
        {"vnp_OrderType": "topup"},
        {"vnp_Locale": "vi"},
        {"vnp_ReturnUrl": "/payments/vnpay/return"},
        {"vnp_ReturnUrl": "http://a"},
        {"vnp_ReturnUrl": "https://imagify.example/~shop"},
        {"vnp_ReturnUrl": "https://imagify.example/" + "a" * 232},
        {"vnp_IpAddr": "::1"},
        {"vnp_IpAddr": "1.2.3.4, 5.6.7.8"},
        {"vnp_CreateDate": "20261131100000"},
        {"vnp_CreateDate": "2026-11-24 10:00:00"},
        {"vnp_CreateDate": "20261124100501"},
        {"vnp_ExpireDate": CREATED},
        {"vnp_ExpireDate": "20261124095959"},
        {"vnp_BankCode": "NC"},
        {"vnp_BankCode": ""},
        {"vnp_ExpiredDate": "20261124101500"},
        {"lang": "vi"},
    ],
    ids=str,
)
def test_a_parameter_out_of_order_gets_an_error_page(
    shop: Shop, changes: dict[str, str | None]
) -> None:
    page = shop.http.get(shop.pay_url("t1", **changes))
    assert (page.status_code, "<dd>03</dd>" in page.text) == (400, True)
    named = {"lang": "lang is not", "vnp_ExpiredDate": "vnp_ExpiredDate is not"}
    (name,) = changes
    assert named.get(name, name) in page.text
    assert shop.state()["transactions"] == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"vnp_Amount": "500000"},
        {"vnp_Amount": "99999999900"},
        {"vnp_TxnRef": "t" * 100},
        {"vnp_TxnRef": "Top-up_1.a"},
        {"vnp_OrderInfo": "c" * 255},
        {"vnp_ReturnUrl": "http://a/b"},
        {"vnp_ReturnUrl": "https://imagify.example/" + "a" * 231},
        {"vnp_IpAddr": "1.2.3.4"},
        {"vnp_IpAddr": "2001:db8::1"},
        {"vnp_CreateDate": "20261124100500"},
        {"vnp_ExpireDate": "20261124100001"},
        {"vnp_BankCode": "NCB"},
    ],
    ids=str,
)
def test_a_parameter_at_its_limit_is_taken(shop: Shop, changes: dict[str, str | None]) -> None:
    assert shop.http.get(shop.pay_url("t1", **changes)).status_code == 200


def test_limits_of_the_amount_can_be_set(shop: Shop) -> None:
    shop.settings(amount_min_vnd=1, amount_max_vnd=9_999_999_999)
    shop.open("least", vnp_Amount="100")
    shop.open("most", vnp_Amount="999999999900")


def test_a_hash_type_is_not_signed(shop: Shop) -> None:
    assert shop.http.get(f"{shop.pay_url()}&vnp_SecureHashType=HmacSHA512").status_code == 200


def test_a_wrong_hash_or_merchant_gets_an_error_page(shop: Shop) -> None:
    url, _, given = shop.pay_url().rpartition("=")
    last = "0" if given[-1] != "0" else "1"
    for wrong, code in (
        (f"{url}={given[:-1]}{last}", "70"),
        (f"{url}={given.upper()}", "03"),
        (f"{url}={given[:64]}", "03"),
        (url.removesuffix("&vnp_SecureHash"), "03"),
        (f"{url}={given}&vnp_Amount=100", "03"),
        (f"{url}={given}&vnp_TxnRef=t1", "03"),
        (f"{url}={given}&vnp_OrderInfo=%ff", "03"),
        (f"{url}={given}&{'&'.join(f'a{number}=1' for number in range(50))}", "03"),
        (f"{url}={given}&vnp_SecureHashType={'a' * 4096}", "03"),
        (shop.pay_url(vnp_TmnCode="IMAGIFY2"), "72"),
    ):
        page = shop.http.get(wrong)
        assert (page.status_code, f"<dd>{code}</dd>" in page.text) == (400, True), wrong
    assert shop.state()["transactions"] == {}


def test_an_error_page_runs_nothing_that_came_in(shop: Shop) -> None:
    page = shop.http.get("/paymentv2/vpcpay.html", params={"<script>": "1", "vnp_Locale": "<b>"})
    assert "&lt;script&gt; is not a parameter" in page.text
    assert "<script>" not in page.text
    assert '<html lang="vi">' in page.text


def test_times_in_another_zone_are_seen(shop: Shop) -> None:
    utc = shop.pay_url(vnp_CreateDate="20261124030000", vnp_ExpireDate="20261124031500")
    assert "<dd>15</dd>" in shop.http.get(utc).text
    tokyo = shop.pay_url(vnp_CreateDate="20261124120000", vnp_ExpireDate="20261124121500")
    page = shop.http.get(tokyo)
    assert "<dd>03</dd>" in page.text
    assert "in GMT+7 it is 20261124100000" in page.text
