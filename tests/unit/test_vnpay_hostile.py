"""What anybody may send to the return and IPN addresses; see `test_vnpay` for what VNPAY sends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import BadSignature
from common.vnpay import Notification, read_notification
from tests import vnpay_signed as by_hand
from tests.vnpay_signed import MERCHANT, NOTIFIED

RAW = by_hand.signed_query(NOTIFIED)
TEXT, _, HASH = RAW.rpartition("&vnp_SecureHash=")
PAID = Notification(
    txn_ref="IMG01",
    amount_vnd=50_000,
    response_code="00",
    transaction_status="00",
    transaction_no="15000001",
)


def read(raw: str) -> Notification:
    return read_notification(raw, MERCHANT)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "&",
        "=",
        "vnp_SecureHash",
        "vnp_SecureHash=",
        f"vnp_SecureHash={HASH}",
        f"vnp_SecureHash={by_hand.signature('', 'other')}",
        TEXT,
        f"{TEXT}&vnp_SecureHash",
        f"{TEXT}&vnp_SecureHash=",
        f"{TEXT}&vnp_SecureHash={HASH[:-1]}",
        f"{TEXT}&vnp_SecureHash={HASH[:64]}",
        f"{TEXT}&vnp_SecureHash={HASH}0",
        f"{TEXT}&vnp_SecureHash={HASH}%0A",
        f"{TEXT}&vnp_SecureHash=%20{HASH}",
        f"{TEXT}&vnp_SecureHash={HASH}%00",
        f"{TEXT}&vnp_SecureHash={HASH}é",
        f"{TEXT}&vnp_SecureHash=0x{HASH[:126]}",
        f"{TEXT}&vnp_SecureHash={'é' * 128}",
        f"{TEXT}&vnp_SecureHash={'%EF%BC%90' * 128}",
        f"{TEXT}&vnp_SecureHash={'g' * 128}",
        f"{TEXT}&vnp_SecureHash={'0' * 128}",
        f"{TEXT}&SecureHash={HASH}",
        f"{TEXT}&vnp_secureHash={HASH}",
        f"{TEXT};vnp_SecureHash={HASH}",
        f"{TEXT}#&vnp_SecureHash={HASH}",
        f"?{RAW}",
    ],
)
def test_a_call_without_its_whole_hash_is_refused(raw: str) -> None:
    with pytest.raises(BadSignature):
        read(raw)


def test_a_hash_in_upper_case_is_the_same() -> None:
    assert read(f"{TEXT}&vnp_SecureHash={HASH.upper()}") == PAID


@pytest.mark.parametrize("value", ["", "SHA256", "HmacSHA512", "x" * 100])
def test_the_hash_type_is_not_signed_and_chooses_nothing(value: str) -> None:
    assert read(f"{RAW}&vnp_SecureHashType={value}") == PAID


@given(st.text(max_size=40))
def test_any_text_is_refused_and_nothing_else_happens(text: str) -> None:
    for raw in (text, f"{text}&vnp_SecureHash={HASH}"):
        with pytest.raises(BadSignature):
            read(raw)


@pytest.mark.parametrize("half", ["vnp_TxnRef=\ud800", "vnp_\udfff=1"])
def test_half_a_surrogate_pair_is_refused(half: str) -> None:
    with pytest.raises(BadSignature):
        read(f"{half}&vnp_SecureHash={HASH}")


# Names


@pytest.mark.parametrize("name", [*NOTIFIED, "vnp_SecureHash"])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("spelled", ["vnp_", "%76np_", "vnp%5F", "vnp%5f"])
def test_a_name_that_comes_twice_is_refused(*, name: str, first: bool, spelled: str) -> None:
    value = HASH if name == "vnp_SecureHash" else NOTIFIED[name]
    again = name.replace("vnp_", spelled)
    for other in (value, "", "1"):
        more = f"{again}={other}"
        with pytest.raises(BadSignature):
            read(f"{more}&{RAW}" if first else f"{RAW}&{more}")


def test_a_name_that_comes_twice_is_refused_even_if_both_are_signed() -> None:
    text = TEXT.replace("vnp_TxnRef=IMG01", "vnp_TxnRef=IMG01&vnp_TxnRef=IMG02")
    with pytest.raises(BadSignature):
        read(f"{text}&vnp_SecureHash={by_hand.signature(text)}")


@pytest.mark.parametrize(
    "foreign",
    [
        "utm_source=mail",
        "utm_source=mail&utm_source=mail",
        "VNP_TxnRef=IMG02&Vnp_Amount=1&vnp-Amount=1&%20vnp_Amount=1",
        "TxnRef=IMG02",
        "=",
        "x=Th%E1%BA%BB",
    ],
)
def test_what_is_not_vnpays_is_neither_signed_nor_read(foreign: str) -> None:
    assert read(f"{foreign}&{RAW}") == read(f"{RAW}&{foreign}") == PAID
    signed_too = f"{TEXT}&{foreign}"
    with pytest.raises(BadSignature):
        read(f"{signed_too}&vnp_SecureHash={by_hand.signature(signed_too)}")


# Values


EMPTY = {"vnp_BankTranNo": "", "vnp_CardType": "", "vnp_PayDate": ""}


def test_an_empty_value_may_be_signed_or_left_out_of_the_signed_text() -> None:
    fields = NOTIFIED | EMPTY
    filled = {name: value for name, value in fields.items() if value}
    for signed in (fields, filled):
        signature = by_hand.signature(by_hand.query_text(signed))
        for on_the_way in (fields, filled):
            raw = f"{by_hand.query_text(on_the_way)}&vnp_SecureHash={signature}"
            if signed == fields and on_the_way == filled:
                with pytest.raises(BadSignature):
                    read(raw)
            else:
                assert read(raw) == PAID


@pytest.mark.parametrize("name", sorted(set(NOTIFIED) - {"vnp_TmnCode"}))
def test_an_emptied_value_is_refused_unless_it_was_signed_so(name: str) -> None:
    emptied = {**NOTIFIED, name: ""}
    with pytest.raises(BadSignature):
        read(f"{by_hand.query_text(emptied)}&vnp_SecureHash={HASH}")
    read(by_hand.signed_query(emptied))


@pytest.mark.parametrize(
    ("amount", "vnd"),
    [
        ("5000000", 50_000),
        ("100", 1),
        ("0", 0),
        ("0005000000", 50_000),
        ("99999999999900", 999_999_999_999),
        ("5000050", None),
        ("5000001", None),
        ("1", None),
        ("", None),
        ("\uff15\uff10\uff10\uff10\uff10\uff10\uff10", None),
        ("\u0665\u0660\u0660\u0660\u0660\u0660\u0660", None),
        ("5\u00b200", None),
        ("5_000_000", None),
        ("+5000000", None),
        ("-5000000", None),
        ("5e6", None),
        ("1e9", None),
        ("0x4c4b40", None),
        ("5000000.00", None),
        ("5,000,000", None),
        (" 5000000", None),
        ("5000000\n", None),
        ("5000000\0", None),
        ("NaN", None),
        ("100000000000000", None),
        ("9" * 600, None),
    ],
)
def test_an_amount_is_whole_vnd_in_plain_digits_or_none(amount: str, vnd: int | None) -> None:
    said = read(by_hand.signed_query(NOTIFIED | {"vnp_Amount": amount}))
    assert said.amount_vnd == vnd


@pytest.mark.parametrize("code", ["LITERAL2", "literal1", "LITERAL1 ", "LITERAL", ""])
def test_a_call_for_another_merchant_is_refused_though_our_secret_signs_it(code: str) -> None:
    with pytest.raises(BadSignature, match="merchant"):
        read(by_hand.signed_query(NOTIFIED | {"vnp_TmnCode": code}))


def test_a_call_for_no_merchant_is_refused_though_our_secret_signs_it() -> None:
    nobodys = {name: value for name, value in NOTIFIED.items() if name != "vnp_TmnCode"}
    with pytest.raises(BadSignature, match="merchant"):
        read(by_hand.signed_query(nobodys))


@pytest.mark.parametrize("escape", ["%FF", "%C3", "%E1%BA", "%ED%A0%80", "%F8%88%80%80%80"])
def test_what_is_no_utf8_is_refused(escape: str) -> None:
    for text in (
        TEXT.replace("vnp_CardType=ATM", f"vnp_CardType={escape}"),
        f"{TEXT}&vnp_{escape}=1",
    ):
        with pytest.raises(BadSignature, match="cannot be read"):
            read(f"{text}&vnp_SecureHash={by_hand.signature(text)}")


@pytest.mark.parametrize("odd", ["100%", "%zz", "%", "%4", "a%0Ab", "\0"])
def test_a_percent_sign_that_escapes_nothing_is_itself(odd: str) -> None:
    fields = NOTIFIED | {"vnp_TransactionNo": odd}
    assert read(by_hand.signed_query(fields)).transaction_no == odd


# Limits


def test_a_call_of_4096_characters_is_read_and_one_more_is_refused() -> None:
    longest = f"{RAW}&x=".ljust(4096, "x")
    assert read(longest) == PAID
    with pytest.raises(BadSignature, match="longer"):
        read(f"{longest}x")


def test_a_call_of_64_parameters_is_read_and_one_more_is_refused() -> None:
    most = RAW + "&x=1" * (64 - len(NOTIFIED) - 1)
    assert read(most) == PAID
    with pytest.raises(BadSignature, match="cannot be read"):
        read(f"{most}&x=1")
