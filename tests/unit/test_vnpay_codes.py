"""Every code of VNPAY's against every meaning: one is missed here before it is in production."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.vnpay_codes import (
    FAILURES,
    OTHER_FAILURE,
    RSP_MESSAGES,
    Outcome,
    RspCode,
    notified_outcome,
    query_outcome,
    refund_outcome,
)

RESPONSES = ["00", "07", "09", "10", "11", "12", "13", "24", "51", "65", "75", "79", "99"]
STATUSES = ["00", "01", "02", "04", "05", "06", "07", "08", "09", "10", "11", "20"]
NONSENSE = ["", "0", "000", " 00", "00 ", "\uff10\uff10", "42", "paid"]
TYPES = ["01", "02", "03", "", "42"]
REFUNDS = ["02", "03"]
QUESTIONS = ["02", "03", "91", "94", "95", "97", "99"]
"""What else than 00 is answered to a querydr or a refund."""

NOTIFIED = {
    #     code 00             another
    "00": (Outcome.PAID, Outcome.SUSPECT),
    "01": (Outcome.UNFINISHED, Outcome.UNFINISHED),
    "02": (Outcome.SUSPECT, Outcome.FAILED),
    "04": (Outcome.SUSPECT, Outcome.SUSPECT),
    "05": (Outcome.UNKNOWN, Outcome.UNKNOWN),
    "06": (Outcome.UNKNOWN, Outcome.UNKNOWN),
    "07": (Outcome.SUSPECT, Outcome.SUSPECT),
    "08": (Outcome.SUSPECT, Outcome.FAILED),
    "09": (Outcome.UNKNOWN, Outcome.UNKNOWN),
    "10": (Outcome.SUSPECT, Outcome.SUSPECT),
    "11": (Outcome.SUSPECT, Outcome.FAILED),
    "20": (Outcome.SUSPECT, Outcome.SUSPECT),
}
QUERIED = {
    #     a payment           a refund
    "00": (Outcome.PAID, Outcome.REFUNDED),
    "01": (Outcome.UNFINISHED, Outcome.UNKNOWN),
    "02": (Outcome.FAILED, Outcome.UNKNOWN),
    "04": (Outcome.SUSPECT, Outcome.SUSPECT),
    "05": (Outcome.REFUNDING, Outcome.REFUNDING),
    "06": (Outcome.REFUNDED, Outcome.REFUNDED),
    "07": (Outcome.SUSPECT, Outcome.SUSPECT),
    "08": (Outcome.FAILED, Outcome.UNKNOWN),
    "09": (Outcome.REFUND_REFUSED, Outcome.REFUND_REFUSED),
    "10": (Outcome.PAID, Outcome.REFUNDED),
    "11": (Outcome.FAILED, Outcome.UNKNOWN),
    "20": (Outcome.PAID, Outcome.REFUNDED),
}


def test_the_tables_are_whole() -> None:
    assert list(NOTIFIED) == list(QUERIED) == STATUSES


@pytest.mark.parametrize("status", STATUSES)
def test_a_notification_means_what_both_of_its_codes_say(status: str) -> None:
    by_success, by_another = NOTIFIED[status]
    assert notified_outcome("00", status) is by_success
    for code in [*RESPONSES, *NONSENSE]:
        if code not in {"00", "07"}:
            assert notified_outcome(code, status) is by_another, code


@pytest.mark.parametrize("status", [*STATUSES, *NONSENSE])
def test_suspected_fraud_is_never_a_payment_nor_a_failure(status: str) -> None:
    assert notified_outcome("07", status) is Outcome.SUSPECT


@pytest.mark.parametrize("status", NONSENSE)
def test_a_status_that_nobody_knows_says_nothing(status: str) -> None:
    for code in [*RESPONSES, *NONSENSE]:
        if code != "07":
            assert notified_outcome(code, status) is Outcome.UNKNOWN, code
    for kind in TYPES:
        assert query_outcome("00", kind, status) is Outcome.UNKNOWN, kind


@given(st.text(max_size=3), st.text(max_size=3))
def test_only_success_twice_is_a_payment(code: str, status: str) -> None:
    assert notified_outcome(code, status) is not Outcome.PAID or (code, status) == ("00", "00")


@pytest.mark.parametrize("status", STATUSES)
def test_an_answered_question_means_what_the_payments_status_says(status: str) -> None:
    of_payment, of_refund = QUERIED[status]
    for kind in TYPES:
        expected = of_refund if kind in REFUNDS else of_payment
        assert query_outcome("00", kind, status) is expected, kind


@pytest.mark.parametrize("code", [*QUESTIONS, *NONSENSE])
def test_a_refused_question_says_nothing_of_the_payment(code: str) -> None:
    expected = Outcome.UNFINISHED if code == "91" else Outcome.UNKNOWN
    for kind, status in product(TYPES, [*STATUSES, *NONSENSE]):
        assert query_outcome(code, kind, status) is expected, (kind, status)


@pytest.mark.parametrize("status", [*STATUSES, *NONSENSE])
def test_an_accepted_refund_is_under_way_until_the_bank_has_it_or_refuses(status: str) -> None:
    final = {"06": Outcome.REFUNDED, "09": Outcome.REFUND_REFUSED}
    assert refund_outcome("00", status) is final.get(status, Outcome.REFUNDING)


@pytest.mark.parametrize("code", ["02", "03", "04", "13", "91", "93", "95", "97"])
def test_a_refused_refund_gives_the_credits_back(code: str) -> None:
    for status in [*STATUSES, *NONSENSE]:
        assert refund_outcome(code, status) is Outcome.REFUND_REFUSED, status


def test_a_refund_that_was_asked_for_before_is_under_way() -> None:
    for status in [*STATUSES, *NONSENSE]:
        assert refund_outcome("94", status) is Outcome.REFUNDING, status


@pytest.mark.parametrize("code", ["98", "99", "01", "16", *NONSENSE])
def test_a_refund_with_any_other_answer_stays_open(code: str) -> None:
    for status in [*STATUSES, *NONSENSE]:
        assert refund_outcome(code, status) is Outcome.UNKNOWN, status


def test_each_reason_of_a_failure_has_a_name_that_never_changes() -> None:
    assert {code: name for code, (name, _sentence) in FAILURES.items()} == {
        "09": "not_registered",
        "10": "wrong_card_data",
        "11": "window_expired",
        "12": "card_locked",
        "13": "wrong_otp",
        "24": "canceled_by_customer",
        "51": "insufficient_funds",
        "65": "daily_limit",
        "75": "bank_maintenance",
        "79": "wrong_password",
    }
    assert OTHER_FAILURE[0] == "payment_failed"
    assert set(RESPONSES) - set(FAILURES) == {"00", "07", "99"}


def test_each_failure_is_told_in_a_sentence_of_its_own() -> None:
    sentences = [sentence for _name, sentence in [*FAILURES.values(), OTHER_FAILURE]]
    assert len(set(sentences)) == len(sentences)
    assert all(sentence[0].isupper() and sentence.endswith(".") for sentence in sentences)


def test_an_ipn_is_answered_with_vnpays_own_codes() -> None:
    assert {name: code.value for name, code in RspCode.__members__.items()} == {
        "BAD_SIGNATURE": "97",
        "UNKNOWN_PAYMENT": "01",
        "OTHER_AMOUNT": "04",
        "ALREADY_RECORDED": "02",
        "RECORDED": "00",
        "ADDRESS_NOT_ALLOWED": "03",
        "ERROR": "99",
    }
    assert set(RSP_MESSAGES) == set(RspCode)
    assert all(RSP_MESSAGES.values())
