from __future__ import annotations

import ipaddress
import string
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import BadSignature, Rejected
from common.vnpay import (
    Inquiry,
    Merchant,
    Notification,
    Purchase,
    pay_url,
    query_request,
    read_notification,
    time_text,
)
from common.vnpay_codes import PRICE_VND_MAX, PRICE_VND_MIN, Outcome
from tests import vnpay_signed as by_hand
from tests.vnpay_signed import MERCHANT, NOTIFIED, SECRET

EVENING = datetime(2026, 11, 1, 17, 59, 58, tzinfo=UTC)
"""Tomorrow already in Vietnam."""
PURCHASE = Purchase(
    txn_ref="IMG01",
    amount_vnd=50_000,
    order_info="Imagify 100 credits",
    locale="vn",
    ip_address="203.0.113.7",
    created_at=EVENING,
    expires_at=EVENING + timedelta(minutes=15),
    bank_code="NCB",
)
PAID = Notification(
    txn_ref="IMG01",
    amount_vnd=50_000,
    response_code="00",
    transaction_status="00",
    transaction_no="15000001",
)
LETTERS = string.ascii_letters + string.digits


def sent(purchase: Purchase, merchant: Merchant = MERCHANT) -> dict[str, str]:
    """What the pay page is told; each name comes once."""
    pairs = parse_qsl(urlsplit(pay_url(purchase, merchant)).query, strict_parsing=True)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def test_a_pay_url_is_this_one() -> None:
    assert pay_url(PURCHASE, MERCHANT) == (
        "https://vnpay.test/paymentv2/vpcpay.html"
        "?vnp_Amount=5000000"
        "&vnp_BankCode=NCB"
        "&vnp_Command=pay"
        "&vnp_CreateDate=20261102005958"
        "&vnp_CurrCode=VND"
        "&vnp_ExpireDate=20261102011458"
        "&vnp_IpAddr=203.0.113.7"
        "&vnp_Locale=vn"
        "&vnp_OrderInfo=Imagify+100+credits"
        "&vnp_OrderType=other"
        "&vnp_ReturnUrl=https%3A%2F%2Fapi.test%2Fpayments%2Fvnpay%2Freturn%3Fstage%3Dprod"
        "&vnp_TmnCode=LITERAL1"
        "&vnp_TxnRef=IMG01"
        "&vnp_Version=2.1.0"
        "&vnp_SecureHash=9e7c4961f9cca88ffceac6c80450cee7d66d0881e8dfd8fea15f1c4788e02d28"
        "0d44ec2ae86a9105d5b0eb13bea9913b3353bc9e33ebb9a97b470f1bd6b2cb80"
    )


def test_a_pay_url_without_a_bank_lets_the_customer_choose_one() -> None:
    with_bank, without = sent(PURCHASE), sent(replace(PURCHASE, bank_code=None))
    assert set(with_bank) - set(without) == {"vnp_BankCode"}
    assert "" not in without.values()


purchases = st.builds(
    Purchase,
    txn_ref=st.text(LETTERS, min_size=1, max_size=100),
    amount_vnd=st.integers(PRICE_VND_MIN, PRICE_VND_MAX),
    order_info=st.text(LETTERS + " ", min_size=1, max_size=255),
    locale=st.sampled_from(["vn", "en"]),
    ip_address=st.ip_addresses().map(str),
    created_at=st.just(EVENING),
    expires_at=st.just(EVENING + timedelta(minutes=15)),
    bank_code=st.none() | st.text(LETTERS, min_size=2, max_size=20),
)
paths = st.text(string.ascii_letters + "/?&=%+ |;:'\"ế", max_size=40)


@given(purchase=purchases, path=paths)
def test_any_purchase_arrives_whole_and_signed(purchase: Purchase, path: str) -> None:
    merchant = MERCHANT.model_copy(update={"return_url": f"https://api.test/{path}"})
    arrived = sent(purchase, merchant)
    signature = arrived.pop("vnp_SecureHash")
    assert signature == by_hand.signature(by_hand.query_text(arrived))
    address = arrived.pop("vnp_IpAddr")
    assert ipaddress.ip_address(address) == ipaddress.ip_address(purchase.ip_address)
    assert 7 <= len(address) <= 45
    bank = {} if purchase.bank_code is None else {"vnp_BankCode": purchase.bank_code}
    assert arrived == bank | {
        "vnp_Version": "2.1.0",
        "vnp_Command": "pay",
        "vnp_TmnCode": "LITERAL1",
        "vnp_Amount": f"{purchase.amount_vnd}00",
        "vnp_CurrCode": "VND",
        "vnp_TxnRef": purchase.txn_ref,
        "vnp_OrderInfo": purchase.order_info,
        "vnp_OrderType": "other",
        "vnp_Locale": purchase.locale,
        "vnp_ReturnUrl": merchant.return_url,
        "vnp_CreateDate": "20261102005958",
        "vnp_ExpireDate": "20261102011458",
    }


@pytest.mark.parametrize("price", [5_000, 999_999_999])
def test_a_price_may_be_as_low_and_as_high_as_vnpay_takes(price: int) -> None:
    assert sent(replace(PURCHASE, amount_vnd=price))["vnp_Amount"] == f"{price}00"


@pytest.mark.parametrize("price", [-50_000, 0, 4_999, 1_000_000_000])
def test_a_price_that_vnpay_would_refuse_is_not_sent(price: int) -> None:
    with pytest.raises(ValueError, match="5000 to 999999999 VND"):
        pay_url(replace(PURCHASE, amount_vnd=price), MERCHANT)


@pytest.mark.parametrize(
    "order_info",
    [
        *("", "Tín dụng", "100 tín", "credits: 100", "a~b", "a*b", "a_b", "a\n", "a\tb"),
        *("\uff11", "\u0663", "a" * 256),
    ],
)
def test_an_order_text_that_vnpay_would_refuse_is_not_sent(order_info: str) -> None:
    with pytest.raises(ValueError, match="letters, digits and spaces"):
        pay_url(replace(PURCHASE, order_info=order_info), MERCHANT)


def test_an_order_text_may_have_255_characters() -> None:
    longest = "a" * 255
    assert sent(replace(PURCHASE, order_info=longest))["vnp_OrderInfo"] == longest


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("::1", "0000:0000:0000:0000:0000:0000:0000:0001"),
        ("::", "0000:0000:0000:0000:0000:0000:0000:0000"),
        ("2a::f", "002a:0000:0000:0000:0000:0000:0000:000f"),
        ("2001::1", "2001::1"),
        ("1.1.1.1", "1.1.1.1"),
        ("2001:db8::ff00:42:8329", "2001:db8::ff00:42:8329"),
    ],
)
def test_a_short_ipv6_address_is_written_out(address: str, written: str) -> None:
    assert sent(replace(PURCHASE, ip_address=address))["vnp_IpAddr"] == written


@pytest.fixture(params=["UTC", "Asia/Ho_Chi_Minh", "America/Los_Angeles", "Etc/GMT+7", "VNT-14"])
def _machine_zone(request: pytest.FixtureRequest) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_machine_zone")
def test_times_are_vietnamese_whatever_the_machines_zone() -> None:
    arrived = sent(PURCHASE)
    assert arrived["vnp_CreateDate"] == "20261102005958"
    assert arrived["vnp_ExpireDate"] == "20261102011458"
    asked = query_request(
        Inquiry(
            txn_ref="IMG01",
            created_at=EVENING,
            request_id="req1",
            now=datetime(2026, 12, 31, 16, 59, 59, tzinfo=UTC),
        ),
        MERCHANT,
    )
    assert asked["vnp_TransactionDate"] == "20261102005958", "the pay URL's own"
    assert asked["vnp_CreateDate"] == "20261231235959"


@given(st.integers(-14, 14))
def test_a_moment_is_told_the_same_from_every_zone(hours: int) -> None:
    assert time_text(EVENING.astimezone(timezone(timedelta(hours=hours)))) == "20261102005958"


def test_a_notification_is_read_like_this_one() -> None:
    raw = (
        "vnp_Amount=5000000&vnp_BankCode=NCB&vnp_BankTranNo=VNP15&vnp_CardType=ATM"
        "&vnp_OrderInfo=Imagify+100+credits&vnp_PayDate=20261102010203&vnp_ResponseCode=00"
        "&vnp_TmnCode=LITERAL1&vnp_TransactionNo=15000001&vnp_TransactionStatus=00"
        "&vnp_TxnRef=IMG01"
        "&vnp_SecureHash=208e48f9fc3e2629c48a225c76282faa86abaa4ac06ec0c7fd9761e932395abe"
        "f416abf6d1245a2735fc929bf600b197b3842362ed6c349de859843751ea304f"
    )
    assert read_notification(raw, MERCHANT) == PAID
    assert PAID.outcome is Outcome.PAID


@pytest.mark.parametrize(
    ("response_code", "transaction_status", "outcome"),
    [("24", "02", Outcome.FAILED), ("00", "01", Outcome.UNFINISHED), ("07", "07", Outcome.SUSPECT)],
)
def test_a_notification_tells_how_the_payment_ended(
    response_code: str, transaction_status: str, outcome: Outcome
) -> None:
    codes = {"vnp_ResponseCode": response_code, "vnp_TransactionStatus": transaction_status}
    said = read_notification(by_hand.signed_query(NOTIFIED | codes), MERCHANT)
    assert (said.response_code, said.transaction_status) == (response_code, transaction_status)
    assert said.outcome is outcome


def test_a_notification_without_a_value_has_an_empty_one_and_is_no_payment() -> None:
    said = read_notification(by_hand.signed_query({"vnp_TmnCode": "LITERAL1"}), MERCHANT)
    assert said == Notification(
        txn_ref="", amount_vnd=None, response_code="", transaction_status="", transaction_no=""
    )
    assert said.outcome is Outcome.UNKNOWN


def test_the_pay_url_of_a_customer_is_no_notification() -> None:
    """It is signed with the same secret, by us."""
    raw = urlsplit(pay_url(PURCHASE, MERCHANT)).query
    with pytest.raises(BadSignature, match="request of ours"):
        read_notification(raw, MERCHANT)


def test_a_time_without_a_zone_is_nobodys() -> None:
    with pytest.raises(AssertionError):
        time_text(datetime(2026, 11, 1, 17))  # noqa: DTZ001 - that is what is tried


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
"""Anything that has bytes; short enough for all of it to stay below the limit."""
more_fields = st.dictionaries(TEXT.map("vnp_".__add__), TEXT, max_size=6)


@given(more=more_fields, values=st.fixed_dictionaries({}, optional=dict.fromkeys(NOTIFIED, TEXT)))
def test_any_values_that_vnpay_has_signed_are_read(
    more: dict[str, str], values: dict[str, str]
) -> None:
    fields = more | NOTIFIED | values | {"vnp_TmnCode": "LITERAL1"}
    said = read_notification(by_hand.signed_query(fields), MERCHANT)
    assert said.txn_ref == fields["vnp_TxnRef"]
    assert said.response_code == fields["vnp_ResponseCode"]
    assert said.transaction_status == fields["vnp_TransactionStatus"]
    assert said.transaction_no == fields["vnp_TransactionNo"]


@given(order=st.permutations([*NOTIFIED, "vnp_SecureHash"]), percent=st.booleans())
def test_the_order_and_the_encoding_on_the_way_do_not_matter(
    *, order: list[str], percent: bool
) -> None:
    signed = parse_qs(by_hand.signed_query(NOTIFIED))
    write = _percent if percent else _plain
    raw = "&".join(f"{write(name)}={write(signed[name][0])}" for name in order)
    assert read_notification(raw, MERCHANT) == PAID


def _percent(text: str) -> str:
    """Every byte escaped, in lower case."""
    return "".join(f"%{byte:02x}" for byte in text.encode())


def _plain(text: str) -> str:
    return text.replace(" ", "+")


REPLACEMENTS = b"&=%+;#~* \0\x80\xff0aA"


def test_a_notification_with_one_changed_byte_is_refused() -> None:
    """Each byte of names, values, hash and what is between, with its bits flipped and more."""
    raw = by_hand.signed_query(NOTIFIED | {"vnp_OrderInfo": "Thẻ & 100%"}).encode()
    said, forged, refused = by_hand.meaning(raw), [], 0
    for place, byte in enumerate(raw):
        for other in {byte ^ 1 << bit for bit in range(8)} | set(REPLACEMENTS) - {byte}:
            changed = raw[:place] + bytes([other]) + raw[place + 1 :]
            try:
                read_notification(changed.decode("latin-1"), MERCHANT)
            except BadSignature:
                refused += 1
            else:
                if by_hand.meaning(changed) != said:
                    forged.append(changed)
    assert forged == []
    assert refused > 20 * len(raw)


@settings(max_examples=300)
@given(more=more_fields, data=st.data())
def test_any_notification_with_one_changed_byte_is_refused(
    more: dict[str, str], data: st.DataObject
) -> None:
    raw = by_hand.signed_query(more | NOTIFIED).encode()
    place = data.draw(st.integers(0, len(raw) - 1))
    byte = data.draw(st.integers(0, 255))
    changed = raw[:place] + bytes([byte]) + raw[place + 1 :]
    if by_hand.meaning(changed) == by_hand.meaning(raw):
        assert read_notification(changed.decode("latin-1"), MERCHANT) == PAID
    else:
        with pytest.raises(BadSignature):
            read_notification(changed.decode("latin-1"), MERCHANT)


@pytest.mark.parametrize("name", NOTIFIED)
def test_a_notification_without_one_of_its_values_is_refused(name: str) -> None:
    parts = by_hand.signed_query(NOTIFIED).split("&")
    with pytest.raises(BadSignature):
        read_notification("&".join(part for part in parts if not part.startswith(name)), MERCHANT)


@given(name=TEXT.map("vnp_".__add__), value=TEXT)
def test_a_notification_with_one_value_more_is_refused(name: str, value: str) -> None:
    if name in {"vnp_SecureHash", "vnp_SecureHashType"}:
        return
    with pytest.raises(BadSignature):
        read_notification(by_hand.signed_query(NOTIFIED) + "&" + urlencode({name: value}), MERCHANT)


def test_another_secret_is_refused_without_a_word_of_ours() -> None:
    raw = by_hand.signed_query(NOTIFIED, SECRET.lower())
    with pytest.raises(BadSignature) as refused:
        read_notification(raw, MERCHANT)
    assert isinstance(refused.value, Rejected)
    assert refused.value.status == 400
    right = by_hand.signed_query(NOTIFIED).rpartition("=")[2]
    for kept in (SECRET, right):
        assert kept not in repr(refused.value)
