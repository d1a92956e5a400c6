"""What is asked of VNPAY's merchant API, and which answers are believed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import BadSignature
from common.vnpay import (
    ApiAnswer,
    Inquiry,
    RefundOrder,
    query_request,
    read_answer,
    refund_request,
)
from tests import vnpay_signed as by_hand
from tests.vnpay_signed import (
    MERCHANT,
    QUERY_ANSWER,
    QUERY_ANSWERED,
    REFUND_ANSWER,
    REFUND_ANSWERED,
    SECRET,
    signed_answer,
)

INQUIRY = Inquiry(
    txn_ref="IMG01",
    created_at=datetime(2026, 11, 1, 17, 59, 58, tzinfo=UTC),
    request_id="req1",
    now=datetime(2026, 11, 1, 18, 20, 58, tzinfo=UTC),
)
HALF = RefundOrder(amount_vnd=25_000, full=False, transaction_no="15000001", by="ann")
QUERY = query_request(INQUIRY, MERCHANT)
REFUND = refund_request(INQUIRY, HALF, MERCHANT)
BOTH = pytest.mark.parametrize(
    ("request_", "values"),
    [(QUERY, QUERY_ANSWER), (REFUND, REFUND_ANSWER)],
    ids=["querydr", "refund"],
)
PAID = ApiAnswer(
    response_code="00",
    message="Thành công",
    amount_vnd=50_000,
    transaction_no="15000001",
    transaction_type="01",
    transaction_status="00",
)
PAYING_BACK = ApiAnswer(
    response_code="00",
    message="Thành công",
    amount_vnd=25_000,
    transaction_no="15000001",
    transaction_type="03",
    transaction_status="05",
)


# Requests


def test_a_querydr_is_this_one() -> None:
    assert QUERY == {
        "vnp_RequestId": "req1",
        "vnp_Version": "2.1.0",
        "vnp_Command": "querydr",
        "vnp_TmnCode": "LITERAL1",
        "vnp_TxnRef": "IMG01",
        "vnp_TransactionDate": "20261102005958",
        "vnp_CreateDate": "20261102012058",
        "vnp_IpAddr": "127.0.0.1",
        "vnp_OrderInfo": "Imagify IMG01",
        "vnp_SecureHash": "7fbcdd768d75245e3784a2bf17e76ce155071e242b19f0c1481d6b5fedf100b9"
        "1c77b470787065a03d8222f30c556afbbacf75dbbcfdad44fa8919b8745e79b5",
    }


def test_a_refund_is_this_one() -> None:
    assert REFUND == {
        "vnp_RequestId": "req1",
        "vnp_Version": "2.1.0",
        "vnp_Command": "refund",
        "vnp_TmnCode": "LITERAL1",
        "vnp_TransactionType": "03",
        "vnp_TxnRef": "IMG01",
        "vnp_Amount": "2500000",
        "vnp_TransactionNo": "15000001",
        "vnp_TransactionDate": "20261102005958",
        "vnp_CreateBy": "ann",
        "vnp_CreateDate": "20261102012058",
        "vnp_IpAddr": "127.0.0.1",
        "vnp_OrderInfo": "Imagify IMG01",
        "vnp_SecureHash": "00eabeaf2e4e235f926a384a3534cac3d169ee780593a9cd5d9d63b1ce0d5435"
        "87ecfb651a3b08fd5c9332f04c7ab028a5a3058c02d29d19980ec6665b08aa54",
    }


def test_all_of_a_payment_is_refunded_under_another_type_than_a_part() -> None:
    whole = RefundOrder(amount_vnd=50_000, full=True, transaction_no="15000001", by="ann")
    request = refund_request(INQUIRY, whole, MERCHANT)
    assert (request["vnp_TransactionType"], request["vnp_Amount"]) == ("02", "5000000")


WORD = st.text("abcXYZ012", min_size=1, max_size=32)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the zone is drawn
inquiries = st.builds(Inquiry, txn_ref=WORD, created_at=moments, request_id=WORD, now=moments)
orders = st.builds(
    RefundOrder,
    amount_vnd=st.integers(1, 999_999_999),
    full=st.booleans(),
    transaction_no=WORD | st.just(""),
    by=WORD,
)


@given(inquiry=inquiries, order=orders)
def test_any_request_is_signed_over_all_that_it_says(inquiry: Inquiry, order: RefundOrder) -> None:
    asked = query_request(inquiry, MERCHANT)
    text = (
        f"{inquiry.request_id}|2.1.0|querydr|LITERAL1|{inquiry.txn_ref}"
        f"|{asked['vnp_TransactionDate']}|{asked['vnp_CreateDate']}|127.0.0.1"
        f"|Imagify {inquiry.txn_ref}"
    )
    assert asked["vnp_SecureHash"] == by_hand.signature(text)
    ordered = refund_request(inquiry, order, MERCHANT)
    text = (
        f"{inquiry.request_id}|2.1.0|refund|LITERAL1|{'02' if order.full else '03'}"
        f"|{inquiry.txn_ref}|{order.amount_vnd}00|{order.transaction_no}"
        f"|{asked['vnp_TransactionDate']}|{order.by}|{asked['vnp_CreateDate']}|127.0.0.1"
        f"|Imagify {inquiry.txn_ref}"
    )
    assert ordered["vnp_SecureHash"] == by_hand.signature(text)
    assert (len(asked), len(ordered)) == (10, 14), "nothing goes unsigned but the hash"


# Answers


def test_an_answer_to_a_querydr_is_read_like_this_one() -> None:
    answer = json.loads(
        '{"vnp_ResponseId": "resp1", "vnp_Command": "querydr", "vnp_ResponseCode": "00",'
        ' "vnp_Message": "Thành công", "vnp_TmnCode": "LITERAL1", "vnp_TxnRef": "IMG01",'
        ' "vnp_Amount": "5000000", "vnp_BankCode": "NCB", "vnp_PayDate": "20261102010203",'
        ' "vnp_TransactionNo": "15000001", "vnp_TransactionType": "01",'
        ' "vnp_TransactionStatus": "00", "vnp_OrderInfo": "Imagify IMG01", "vnp_SecureHash": '
        '"198a40ca7a54d49a098447f17868628bbb5a0dd9de61f8d7ee52a8ece46fe811'
        'f5745b91e931be841d07390c4588029b3cf4f406201ba76fa700a772a764eaa3"}'
    )
    assert read_answer(answer, QUERY, MERCHANT) == PAID


def test_an_answer_to_a_refund_is_read_like_this_one() -> None:
    signature = (
        "470d3e0369602c567dad553078ac4a4be711be60fe48ca221ebd7702de7fdb20"
        "f3245a3e94dd29c80403ccb8f91a41bb9a0e734b7bddd2d3bc897dd0ff1c34f9"
    )
    answer = {f"vnp_{name}": value for name, value in REFUND_ANSWER.items()}
    answer["vnp_SecureHash"] = signature
    assert read_answer(answer, REFUND, MERCHANT) == PAYING_BACK


@BOTH
def test_an_answer_may_name_its_values_without_the_prefix(
    request_: dict[str, str], values: dict[str, str]
) -> None:
    answer = signed_answer(values)
    bare = {name.removeprefix("vnp_"): value for name, value in answer.items()}
    assert read_answer(bare, request_, MERCHANT) == read_answer(answer, request_, MERCHANT)


def test_an_answer_may_hold_numbers_nulls_and_more_than_is_signed() -> None:
    answer = signed_answer(QUERY_ANSWER) | {
        "vnp_Amount": 5_000_000,
        "vnp_PromotionCode": None,
        "vnp_PromotionAmount": "",
        "vnp_TransactionFee": "1",
        "vnp_Issuer": {"bank": ["NCB"]},
        "note": True,
    }
    assert read_answer(answer, QUERY, MERCHANT) == PAID


@BOTH
def test_an_answers_hash_may_be_in_upper_case(
    request_: dict[str, str], values: dict[str, str]
) -> None:
    answer = signed_answer(values)
    upper = answer | {"vnp_SecureHash": answer["vnp_SecureHash"].upper()}
    assert read_answer(upper, request_, MERCHANT) == read_answer(answer, request_, MERCHANT)


@pytest.mark.parametrize(
    ("amount", "vnd"),
    [("5000000", 50_000), ("5000001", None), ("", None), ("1e9", None), ("\uff1500", None)],
)
def test_an_answers_amount_is_whole_vnd_or_none(amount: str, vnd: int | None) -> None:
    answer = signed_answer(QUERY_ANSWER | {"Amount": amount})
    assert read_answer(answer, QUERY, MERCHANT).amount_vnd == vnd


def test_an_answer_that_knows_no_payment_says_little() -> None:
    little = {
        "ResponseId": "resp1",
        "Command": "querydr",
        "ResponseCode": "91",
        "Message": "Not found",
        "TmnCode": "LITERAL1",
        "TxnRef": "IMG01",
    }
    assert read_answer(signed_answer(little), QUERY, MERCHANT) == ApiAnswer(
        response_code="91",
        message="Not found",
        amount_vnd=None,
        transaction_no="",
        transaction_type="",
        transaction_status="",
    )


@BOTH
@pytest.mark.parametrize(
    "signature", [None, "", "0" * 128, "é" * 128, "\uff10" * 128, 1, True, ["0" * 128], {}]
)
def test_an_unsigned_answer_is_refused(
    signature: Any, request_: dict[str, str], values: dict[str, str]
) -> None:
    answer = signed_answer(values)
    for unsigned in (
        answer | {"vnp_SecureHash": signature},
        {name: value for name, value in answer.items() if name != "vnp_SecureHash"},
        answer | {"vnp_SecureHash": answer["vnp_SecureHash"][:-1]},
        answer | {"vnp_SecureHash": answer["vnp_SecureHash"] + "\n"},
        answer | {"vnp_SecureHash": answer["vnp_SecureHash"] + "é"},
        {},
    ):
        with pytest.raises(BadSignature, match="not signed"):
            read_answer(unsigned, request_, MERCHANT)


@pytest.mark.parametrize("kind", [True, None, 1.5, ["5"], {"a": 1}])
def test_a_value_that_is_no_text_or_whole_number_does_not_count(kind: Any) -> None:
    answer = signed_answer(QUERY_ANSWER | {"BankCode": str(kind)}) | {"vnp_BankCode": kind}
    with pytest.raises(BadSignature):
        read_answer(answer, QUERY, MERCHANT)


@BOTH
def test_an_answer_signed_with_another_secret_is_refused_without_a_word_of_ours(
    request_: dict[str, str], values: dict[str, str]
) -> None:
    with pytest.raises(BadSignature) as refused:
        read_answer(signed_answer(values, SECRET.lower()), request_, MERCHANT)
    for kept in (SECRET, signed_answer(values)["vnp_SecureHash"]):
        assert kept not in repr(refused.value)


@BOTH
@pytest.mark.parametrize(
    ("name", "other"),
    [("TxnRef", "IMG02"), ("TmnCode", "LITERAL2"), ("Command", "pay"), ("TxnRef", "img01")],
)
def test_an_answer_to_another_question_is_refused_though_it_is_signed(
    name: str, other: str, request_: dict[str, str], values: dict[str, str]
) -> None:
    order = QUERY_ANSWERED if values["Command"] == "querydr" else REFUND_ANSWERED
    with pytest.raises(BadSignature, match=name):
        read_answer(by_hand.answer_signed_over(order, values | {name: other}), request_, MERCHANT)
    without = {field: value for field, value in values.items() if field != name}
    with pytest.raises(BadSignature, match=name):
        read_answer(by_hand.answer_signed_over(order, without), request_, MERCHANT)


def test_the_answer_to_a_refund_is_none_to_a_querydr_nor_the_other_way_round() -> None:
    for values, request in ((REFUND_ANSWER, QUERY), (QUERY_ANSWER, REFUND)):
        for order in (QUERY_ANSWERED, REFUND_ANSWERED):
            with pytest.raises(BadSignature):
                read_answer(by_hand.answer_signed_over(order, values), request, MERCHANT)


@BOTH
def test_a_request_of_ours_is_no_answer_to_itself(
    request_: dict[str, str], values: dict[str, str]
) -> None:
    for extra in ({}, {f"vnp_{name}": value for name, value in values.items()}):
        with pytest.raises(BadSignature):
            read_answer({**extra, **request_}, request_, MERCHANT)


@BOTH
def test_an_answer_with_half_a_surrogate_pair_is_refused(
    request_: dict[str, str], values: dict[str, str]
) -> None:
    answer = signed_answer(values) | json.loads('{"vnp_Message": "\\ud800"}')
    with pytest.raises(BadSignature):
        read_answer(answer, request_, MERCHANT)


VALUE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="|"), max_size=8)
COMMANDS = {"querydr": (QUERY, QUERY_ANSWERED), "refund": (REFUND, REFUND_ANSWERED)}


@st.composite
def answers(draw: st.DrawFn) -> dict[str, str]:
    """The values of an answer, some of them empty or absent."""
    command = draw(st.sampled_from(sorted(COMMANDS)))
    _request, order = COMMANDS[command]
    free = draw(st.fixed_dictionaries({}, optional=dict.fromkeys(order, VALUE)))
    return free | {"Command": command, "TmnCode": "LITERAL1", "TxnRef": "IMG01"}


@given(answers())
def test_any_values_that_vnpay_answers_are_read(values: dict[str, str]) -> None:
    request, _order = COMMANDS[values["Command"]]
    said = read_answer(signed_answer(values), request, MERCHANT)
    assert said.response_code == values.get("ResponseCode", "")
    assert said.message == values.get("Message", "")
    assert said.transaction_no == values.get("TransactionNo", "")
    assert said.transaction_type == values.get("TransactionType", "")
    assert said.transaction_status == values.get("TransactionStatus", "")


@settings(max_examples=300)
@given(values=answers(), data=st.data())
def test_any_answer_with_one_changed_character_or_value_is_refused(
    values: dict[str, str], data: st.DataObject
) -> None:
    request, order = COMMANDS[values["Command"]]
    answer = signed_answer(values)
    name = f"vnp_{data.draw(st.sampled_from([*order, 'SecureHash']))}"
    value = answer.get(name, "")
    how = data.draw(st.sampled_from(["change", "insert", "drop", "kind"]))
    if how == "insert" or not value:
        place = data.draw(st.integers(0, len(value)))
        answer[name] = value[:place] + data.draw(st.characters()) + value[place:]
    elif how == "change":
        place = data.draw(st.integers(0, len(value) - 1))
        other = data.draw(st.characters().filter(lambda each: each.lower() != value[place].lower()))
        answer[name] = value[:place] + other + value[place + 1 :]
    elif how == "drop":
        del answer[name]
    else:
        answer[name] = data.draw(st.sampled_from([None, True, 1.5, [value], {"value": value}]))
    with pytest.raises(BadSignature):
        read_answer(answer, request, MERCHANT)


@BOTH
def test_an_answer_with_one_changed_byte_is_refused(
    request_: dict[str, str], values: dict[str, str]
) -> None:
    """Each byte of the JSON, names and quotes and all, with its bits flipped."""
    answer = signed_answer(values)
    raw, said = json.dumps(answer, ensure_ascii=False).encode(), _signed_of(answer)
    forged, refused = [], 0
    for place, byte in enumerate(raw):
        for bit in range(8):
            changed = raw[:place] + bytes([byte ^ 1 << bit]) + raw[place + 1 :]
            try:
                other = json.loads(changed)
                read_answer(other, request_, MERCHANT)
            except (ValueError, BadSignature):
                refused += 1
            else:
                if _signed_of(other) != said:
                    forged.append(changed)
    assert forged == []
    assert refused > 6 * len(raw)


def _signed_of(answer: dict[str, Any]) -> dict[str, Any]:
    names = {"vnp_SecureHash", *(f"vnp_{name}" for name in QUERY_ANSWERED)}
    signed = {name: value for name, value in answer.items() if name in names}
    return signed | {"vnp_SecureHash": signed["vnp_SecureHash"].lower()}


@BOTH
def test_an_answer_that_could_be_read_in_two_ways_is_refused(
    request_: dict[str, str], values: dict[str, str]
) -> None:
    """Joined with `|`, the same text also signs a message and a code that move one place on."""
    with pytest.raises(BadSignature, match="two ways"):
        read_answer(signed_answer(values | {"Message": "a|b"}), request_, MERCHANT)
