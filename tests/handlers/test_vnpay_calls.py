"""GET /payments/vnpay/ipn, which books, and GET /payments/vnpay/return, which only shows."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from common.errors import Conflict
from common.payments import Payment, PaymentStatus
from common.vnpay import Merchant
from common.vnpay_codes import RSP_MESSAGES, RspCode
from tests.fakes_money import MERCHANT, MemoryPaymentStore
from tests.handlers.calls import Api, event
from tests.handlers.test_payments import UNKNOWN, everything
from tests.vnpay_by_hand import FAILED, SUSPECT, UNFINISHED, fields_of, ipn
from tests.vnpay_signed import signed_query
from tests.world import CREDITS, SMALL, World

SECRET = MERCHANT.hash_secret.get_secret_value()


@pytest.fixture
def payment(api: Api) -> Payment:
    return api.world.buy()


def forged(payment: Payment) -> str:
    return signed_query(fields_of(payment), "F" * 32)


def told(api: Api, query: str) -> str:
    """The RspCode of an IPN, whose answer is always of one form."""
    answer = api.call("get_ipn", query=query)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert set(answer.json) == {"RspCode", "Message"}
    code = RspCode(answer.json["RspCode"])
    assert answer.json["Message"] == RSP_MESSAGES[code]
    return code


def available(api: Api) -> int:
    api.world.audit()
    return api.world.tables.users["usr_ann"].balance.available


def test_an_ipn_credits_once_and_needs_no_token(api: Api, payment: Payment) -> None:
    assert "authorizer" not in event("get_ipn")["requestContext"]
    assert [told(api, ipn(payment)) for _again in range(3)] == ["00", "02", "02"]
    assert available(api) == CREDITS + SMALL.credits


def test_every_answer_that_vnpay_knows_is_given(api: Api, payment: Payment) -> None:
    unknown = replace(payment, txn_ref=UNKNOWN)
    assert told(api, forged(payment)) == "97"
    assert told(api, ipn(unknown)) == "01"
    assert told(api, ipn(payment, **UNFINISHED)) == "99"
    assert told(api, "") == "99"
    assert told(api, ipn(payment, vnp_Amount="100")) == "04"
    assert told(api, ipn(payment, **FAILED)) == "02"
    assert told(api, ipn(payment)) == "00"
    assert told(api, ipn(payment)) == "02"
    api.world.merchant = MERCHANT.model_copy(update={"ipn_addresses": ("198.51.100.1",)})
    assert told(api, ipn(payment)) == "03"
    assert available(api) == CREDITS + SMALL.credits


def test_the_callers_address_is_not_what_it_claims(api: Api, payment: Payment) -> None:
    api.world.merchant = MERCHANT.model_copy(update={"ipn_addresses": ("203.0.113.99",)})
    sent = event("get_ipn")
    sent["rawQueryString"] = ipn(payment)
    sent["requestContext"]["http"]["sourceIp"] = "198.51.100.1"
    sent["headers"]["x-forwarded-for"] = "203.0.113.99"
    assert api.send("get_ipn", sent).json["RspCode"] == "03"
    sent["requestContext"]["http"]["sourceIp"] = "203.0.113.99"
    sent["headers"]["x-forwarded-for"] = "198.51.100.1"
    assert api.send("get_ipn", sent).json["RspCode"] == "00"


class Broken(MemoryPaymentStore):
    """A store with a bug in it."""

    def get(self, txn_ref: str) -> Payment | None:
        raise KeyError(txn_ref)


def test_whatever_breaks_vnpay_is_asked_to_come_again(
    api: Api, payment: Payment, written: Callable[[], str]
) -> None:
    api.world.payments = Broken(api.world.tables)
    assert told(api, ipn(payment)) == "99"
    logged = written()
    assert "an IPN was not booked" in logged
    assert "NotificationsFailed" in logged
    api.world.payments = MemoryPaymentStore(api.world.tables)
    assert told(api, ipn(payment)) == "00"


def test_money_that_does_not_fit_is_counted_each_time_it_comes(
    api: Api, payment: Payment, written: Callable[[], str]
) -> None:
    """Somebody must look, and the alarm that says so watches these."""
    for query in (ipn(payment, vnp_Amount="100"), ipn(payment, vnp_Amount="100")):
        written()
        told(api, query)
        assert counted(written()) == {"PaymentsToReview"}
    other = api.world.buy(key="buy-2")
    written()
    told(api, ipn(other, **SUSPECT))
    assert counted(written()) == {"PaymentsToReview"}
    told(api, ipn(other, **SUSPECT))
    assert counted(written()) == set(), "told once"
    told(api, ipn(other))
    assert counted(written()) == {"PaymentsPaid"}
    told(api, ipn(other, vnp_Amount="100"))
    assert counted(written()) == {"PaymentsToReview"}, "and that on top of it"


def test_what_is_not_vnpays_is_counted_and_raises_no_alarm(
    api: Api, payment: Payment, written: Callable[[], str]
) -> None:
    written()
    told(api, forged(payment))
    assert counted(written()) == {"NotificationsRefused"}
    told(api, ipn(payment, vnp_Amount="100", **FAILED))
    assert counted(written()) == set(), "no money has moved"
    told(api, ipn(payment, **FAILED))
    assert counted(written()) == {"PaymentsFailed"}


def counted(logged: str) -> set[str]:
    """The metrics that were counted, but for the cold start's."""
    return set(re.findall(r'"Name":"(\w+)"', logged.replace('": "', '":"'))) - {"ColdStarts"}


def came_back(api: Api, query: str) -> tuple[int, str]:
    """The status and the text of the page that a customer comes back to."""
    answer = api.call("get_return", query=query)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Referrer-Policy"] == "no-referrer", "the query proves what was paid"
    assert "vnp_" not in answer.text
    assert "<script" not in answer.text
    assert '<p lang="vi">' in answer.text
    return answer.status, unescape(re.sub(r"<[^>]+>", " ", answer.text))


@pytest.mark.parametrize(
    ("said", "english", "vietnamese"),
    [
        ({}, "VNPAY says that it is paid. Your 20 credits come", "20 tín dụng sẽ được cộng"),
        (FAILED, "It was not paid", "Chưa thanh toán"),
        (UNFINISHED, "has not finished", "chưa xử lý xong"),
        (SUSPECT, "has not finished", "chưa xử lý xong"),
    ],
)
def test_a_return_shows_what_vnpay_says_in_both_languages_and_books_nothing(
    api: Api, payment: Payment, said: dict[str, str], english: str, vietnamese: str
) -> None:
    before = everything(api.world)
    status, text = came_back(api, ipn(payment, **said))
    assert status == 200
    assert english in text
    assert vietnamese in text
    assert everything(api.world) == before
    assert available(api) == CREDITS


def test_a_return_after_the_ipn_says_that_the_credits_are_there(api: Api, payment: Payment) -> None:
    told(api, ipn(payment))
    _status, text = came_back(api, ipn(payment))
    assert "Paid. 20 credits have been added." in text
    assert "Đã thanh toán. 20 tín dụng đã được cộng." in text
    assert available(api) == CREDITS + SMALL.credits


@pytest.mark.parametrize("first", ["ipn", "return"])
def test_return_and_ipn_come_in_either_order(api: Api, payment: Payment, first: str) -> None:
    if first == "return":
        came_back(api, ipn(payment))
    assert told(api, ipn(payment)) == "00"
    came_back(api, ipn(payment))
    assert available(api) == CREDITS + SMALL.credits


@pytest.mark.parametrize(
    ("status", "english", "vietnamese"),
    [
        (PaymentStatus.REFUNDING, "is being paid back, or has been", "đang được hoàn lại"),
        (PaymentStatus.REFUNDED, "is being paid back, or has been", "đã được hoàn lại"),
        (PaymentStatus.REVIEW, "has not finished", "chưa xử lý xong"),
    ],
)
def test_an_old_link_promises_no_credits_that_will_not_come(
    api: Api, payment: Payment, status: PaymentStatus, english: str, vietnamese: str
) -> None:
    """Its owner has been paid back since, or the money did not fit."""
    api.world.payments.save(replace(payment, status=status, version=2))
    _status, text = came_back(api, ipn(payment))
    assert english in text
    assert vietnamese in text
    assert "20" not in text


def test_a_link_of_another_amount_promises_no_credits(api: Api, payment: Payment) -> None:
    text = came_back(api, ipn(payment, vnp_Amount="100"))[1]
    assert "has not finished" in text
    assert "20" not in text


def test_a_link_from_before_the_payment_failed_for_us_tells_of_the_money(
    api: Api, payment: Payment
) -> None:
    told(api, ipn(payment, **FAILED))
    assert "VNPAY says that it is paid" in came_back(api, ipn(payment))[1]
    told(api, ipn(payment))
    assert "have been added" in came_back(api, ipn(payment, **FAILED))[1]


@pytest.mark.parametrize("query", ["", "vnp_TxnRef=x", "%ff", "a" * 5000])
def test_a_link_that_is_not_vnpays_says_nothing_of_a_payment(
    api: Api, payment: Payment, query: str
) -> None:
    before = everything(api.world)
    api.world.fate.calls.clear()
    for each in (query, forged(payment), forged(payment).replace("vnp_", "&vnp_")):
        status, text = came_back(api, each)
        assert status == 400
        assert "does not come from VNPAY" in text
        assert "20" not in text
        assert payment.txn_ref not in text
    assert api.world.fate.calls == []
    assert everything(api.world) == before


@pytest.mark.parametrize("txn_ref", [UNKNOWN, "", None])
def test_a_link_to_a_payment_that_is_not_ours_is_404(
    api: Api, payment: Payment, txn_ref: str | None
) -> None:
    status, text = came_back(api, ipn(payment, vnp_TxnRef=txn_ref))
    assert status == 404
    assert "says nothing about a payment" in text


PAGE = "https://imagify.example.com/paid"


@pytest.mark.parametrize(
    ("said", "outcome"), [({}, "paid"), (FAILED, "failed"), (UNFINISHED, "unfinished")]
)
def test_with_a_page_of_ones_own_people_go_there(
    api: Api, payment: Payment, said: dict[str, str], outcome: str
) -> None:
    api.world.payments_settings = api.world.payments_settings.model_copy(update={"page_url": PAGE})
    before = everything(api.world)
    answer = api.call("get_return", query=ipn(payment, **said))
    assert answer.status == 303
    assert answer.headers["Cache-Control"] == "no-store"
    where = urlsplit(answer.headers["Location"])
    assert where._replace(query="").geturl() == PAGE
    assert parse_qs(where.query) == {"txn_ref": [payment.txn_ref], "outcome": [outcome]}
    assert everything(api.world) == before


def test_nobody_is_sent_on_by_a_link_that_is_not_vnpays(api: Api, payment: Payment) -> None:
    api.world.payments_settings = api.world.payments_settings.model_copy(update={"page_url": PAGE})
    assert came_back(api, forged(payment))[0] == 400
    assert came_back(api, ipn(replace(payment, txn_ref=UNKNOWN)))[0] == 404


def test_a_return_before_the_merchant_is_set_up_is_409(
    api: Api, payment: Payment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_world: World) -> Merchant:
        raise Conflict("Nothing can be paid for here yet.", code="payments_not_set_up")

    del api.world.merchant
    monkeypatch.setattr(World, "merchant", property(fail), raising=False)
    answer = api.call("get_return", query=ipn(payment))
    assert answer.problem == (409, "payments_not_set_up")


def test_no_secret_and_no_query_is_logged(
    api: Api, payment: Payment, written: Callable[[], str]
) -> None:
    queries: list[Any] = [
        ipn(payment, vnp_OrderInfo="Gudrun"),
        ipn(payment, vnp_OrderInfo="Gudrun", vnp_Amount="100"),
        ipn(payment, vnp_OrderInfo="Gudrun", **SUSPECT),
        forged(payment) + "&vnp_OrderInfo=Gudrun",
        forged(payment) + "&x=Gudrun",
        "Gudrun",
        "%ffGudrun",
    ]
    api.call("post_payments")
    api.call("get_payment")
    for query in queries:
        api.call("get_ipn", query=query)
        api.call("get_return", query=query)
    api.world.payments = Broken(api.world.tables)
    api.call("get_ipn", query=queries[0])
    logged = written()
    assert f'"txn_ref":"{payment.txn_ref}"' in logged
    assert SECRET not in logged
    assert "Gudrun" not in logged
    assert "vnp_" not in logged
    assert "SecureHash" not in logged
    assert not re.search(r"[0-9a-f]{128}", logged)
    assert "203.0.113.7" not in logged, "no customer's address"
