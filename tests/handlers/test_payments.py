"""POST and GET /payments, GET /payments/{txn_ref}, GET /packages."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from common.errors import Conflict, ServiceFailed
from common.payments import Payment
from common.refunds import begin_refund, end_refund
from common.vnpay import Merchant
from common.vnpay_codes import Outcome
from tests.fakes_money import MERCHANT, MemoryPaymentStore
from tests.handlers.calls import Answer, Api, event
from tests.vnpay_by_hand import FAILED, ipn
from tests.vnpay_signed import signed_query
from tests.world import LARGE, SMALL, World

TXN_REF = "IMG7ec604411831fb51717972182068d936"
UNKNOWN = "IMG" + "0" * 32
QUARTER = 15 * 60


def everything(world: World) -> tuple[object, ...]:
    """All that a request could change."""
    tables = world.tables
    return dict(tables.payments), dict(tables.users), dict(tables.ledger)


def paid(api: Api) -> Payment:
    """The first payment, paid."""
    payment = api.world.buy()
    api.call("get_ipn", query=ipn(payment))
    return api.world.payment(payment.txn_ref)


def refunding(api: Api, number_of_credits: int) -> Payment:
    """So many of the first payment's credits are to be refunded."""
    begun, entry = begin_refund(
        paid(api),
        number_of_credits=number_of_credits,
        by="eve@example.com",
        reason="asked for",
        request_id="refund-1",
        now=api.world.clock(),
    )
    api.world.payments.save(begun, entry=entry)
    return begun


def test_a_payment_begins_with_where_to_pay(api: Api) -> None:
    answer = api.call("post_payments")
    assert answer.status == 201
    assert answer.headers["Location"] == f"/payments/{TXN_REF}"
    assert answer.headers["Cache-Control"] == "no-store"
    assert int(answer.headers["Retry-After"]) > 0
    payment = answer.json
    pay = payment["urls"].pop("pay")
    assert pay.startswith(f"{MERCHANT.pay_url}?")
    assert payment == {
        "txn_ref": TXN_REF,
        "status": "pending",
        "terminal": False,
        "version": 1,
        "package": "small",
        "credits": SMALL.credits,
        "amount_vnd": SMALL.price_vnd,
        "locale": "vn",
        "bank_code": None,
        "created_at": "2026-11-01T12:00:00Z",
        "expires_at": "2026-11-01T12:15:00Z",
        "paid_at": None,
        "refund": None,
        "error": None,
        "urls": {"self": f"/payments/{TXN_REF}"},
    }
    api.world.audit()


def test_the_pay_url_asks_vnpay_for_just_this_payment(api: Api) -> None:
    body = {"package": "large", "locale": "en", "bank_code": "VNPAYQR"}
    pay = urlsplit(api.call("post_payments", body=body).json["urls"]["pay"])
    fields = dict(parse_qsl(pay.query, strict_parsing=True))
    del fields["vnp_SecureHash"]
    assert pay.query == signed_query(fields, MERCHANT.hash_secret.get_secret_value())
    assert fields == {
        "vnp_Version": "2.1.0",
        "vnp_Command": "pay",
        "vnp_TmnCode": MERCHANT.tmn_code,
        "vnp_Amount": str(LARGE.price_vnd * 100),
        "vnp_CurrCode": "VND",
        "vnp_TxnRef": TXN_REF,
        "vnp_OrderInfo": "Imagify 400 credits",
        "vnp_OrderType": "other",
        "vnp_Locale": "en",
        "vnp_BankCode": "VNPAYQR",
        "vnp_ReturnUrl": MERCHANT.return_url,
        "vnp_IpAddr": "192.0.2.7",
        "vnp_CreateDate": "20261101190000",
        "vnp_ExpireDate": "20261101191500",
    }


def test_the_customers_address_is_the_callers_and_not_what_they_claim(api: Api) -> None:
    api.call("post_payments", headers={"x-forwarded-for": "198.51.100.66"})
    assert api.world.payment(TXN_REF).ip_address == "192.0.2.7"


def test_the_same_again_is_the_same_payment(api: Api) -> None:
    first, again = api.call("post_payments"), api.call("post_payments")
    assert (again.status, again.json) == (201, first.json)
    assert len(api.world.tables.payments) == 1


def test_the_same_again_after_it_is_paid_says_so_and_nowhere_to_pay(api: Api) -> None:
    api.call("post_payments")
    paid(api)
    again = api.call("post_payments")
    assert again.status == 201
    assert (again.json["status"], again.json["urls"]["pay"]) == ("paid", None)
    assert "Retry-After" not in again.headers
    api.world.audit()


def test_without_a_key_every_request_is_a_new_payment(api: Api) -> None:
    begun = [api.call("post_payments", headers={"idempotency-key": None}).json for _two in "ab"]
    assert len({payment["txn_ref"] for payment in begun}) == 2


def test_a_key_with_another_request_is_refused(api: Api) -> None:
    api.call("post_payments")
    before = everything(api.world)
    for body in ({"package": "large"}, {"package": "small", "locale": "en"}):
        assert api.call("post_payments", body=body).problem == (422, "idempotency_key_reused")
    assert everything(api.world) == before


BAD_BODIES: dict[str, tuple[str | bytes, tuple[int, str]]] = {
    "nothing": ("", (400, "invalid_json")),
    "no JSON": ("package=small", (400, "invalid_json")),
    "no text": (b"\xff\xfe", (400, "invalid_json")),
    "a list": ("[]", (400, "invalid_request")),
    "no package": ("{}", (400, "invalid_request")),
    "a package that is a number": ('{"package": 1}', (400, "invalid_request")),
    "a price of one's own": ('{"package": "small", "amount_vnd": 1}', (400, "invalid_request")),
    "credits of one's own": ('{"package": "small", "credits": 999}', (400, "invalid_request")),
    "another language": ('{"package": "small", "locale": "fr"}', (400, "invalid_request")),
    "no bank": ('{"package": "small", "bank_code": ""}', (400, "invalid_request")),
    "a bank that is a query": (
        '{"package": "small", "bank_code": "NCB&vnp_Amount=1"}',
        (400, "invalid_request"),
    ),
    "a bank and a line": ('{"package": "small", "bank_code": "NCB\\n"}', (400, "invalid_request")),
    "an unknown package": ('{"package": "huge"}', (400, "unknown_package")),
    "too large a body": (json.dumps({"package": "x" * 300_000}), (413, "payload_too_large")),
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_bad_body_is_refused_and_changes_nothing(api: Api, name: str) -> None:
    raw, expected = BAD_BODIES[name]
    before = everything(api.world)
    assert api.call("post_payments", raw=raw).problem == expected
    assert everything(api.world) == before


@pytest.mark.parametrize("key", ["", "a b", "k" * 256, "schlüssel"])
def test_a_bad_key_is_refused(api: Api, key: str) -> None:
    answer = api.call("post_payments", headers={"idempotency-key": key})
    assert answer.problem == (400, "invalid_idempotency_key")
    assert api.world.tables.payments == {}


def test_too_many_open_payments_are_429_with_a_time_to_come_back(api: Api) -> None:
    for number in range(10):
        assert api.call("post_payments", headers={"idempotency-key": f"k{number}"}).status == 201
    answer = api.call("post_payments", headers={"idempotency-key": "k10"})
    assert answer.problem == (429, "too_many_open_payments")
    assert answer.headers["Retry-After"] == str(QUARTER)
    assert api.call("post_payments", headers={"idempotency-key": "k0"}).status == 201, "a replay"


def test_a_token_without_our_user_id_is_401(api: Api) -> None:
    api.world.buy()
    before = everything(api.world)
    for name in ("post_payments", "get_payment", "get_payments"):
        assert api.call(name, user_id=None).problem == (401, "unauthenticated")
        assert api.call(name, user_id="").problem == (401, "unauthenticated")
        sent = event(name)
        del sent["requestContext"]["authorizer"]
        assert api.send(name, sent).problem == (401, "unauthenticated")
    assert everything(api.world) == before


def test_a_payment_is_shown_to_its_owner_alone(api: Api) -> None:
    api.world.buy()
    assert api.call("get_payment").json["txn_ref"] == TXN_REF
    api.world.person("usr_ben")
    strangers, nobodys = (
        api.call("get_payment", user_id="usr_ben"),
        api.call("get_payment", txn_ref=UNKNOWN),
    )
    assert strangers.problem == nobodys.problem == (404, "not_found")
    assert strangers.text == nobodys.text, "nobody learns what others have"


@pytest.mark.parametrize(
    "txn_ref",
    ["x", TXN_REF.lower(), TXN_REF + "0", TXN_REF[:-1], "IMG" + "g" * 32, "IMG%00", "ipn"],
)
def test_what_can_be_no_reference_is_404_and_asks_no_store(api: Api, txn_ref: str) -> None:
    api.world.fate.calls.clear()
    assert api.call("get_payment", txn_ref=txn_ref).problem == (404, "not_found")
    assert api.world.fate.calls == []


def shown(api: Api) -> Answer:
    return api.call("get_payment")


def test_a_pay_url_is_shown_only_while_it_can_be_paid(api: Api) -> None:
    begun = api.call("post_payments").json
    api.world.clock.advance(QUARTER - 1)
    assert shown(api).json["urls"]["pay"] == begun["urls"]["pay"], "the same each time"
    api.world.clock.advance(1)
    late = shown(api)
    assert late.json["urls"]["pay"] is None
    assert (late.json["status"], late.json["terminal"]) == ("pending", False)
    assert "Retry-After" in late.headers, "it is still to be asked after"
    assert api.call("get_payments").json["payments"] == [late.json]


def test_a_paid_payment_says_when_and_that_nothing_more_comes(api: Api) -> None:
    api.world.buy()
    api.world.clock.advance(60)
    paid(api)
    answer = shown(api)
    payment = answer.json
    assert (payment["status"], payment["terminal"], payment["version"]) == ("paid", True, 2)
    assert payment["paid_at"] == "2026-11-01T12:01:00Z"
    assert (payment["error"], payment["refund"], payment["urls"]["pay"]) == (None, None, None)
    assert "Retry-After" not in answer.headers


def test_a_failed_payment_says_why(api: Api) -> None:
    api.call("get_ipn", query=ipn(api.world.buy(), **FAILED))
    payment = shown(api).json
    assert (payment["status"], payment["terminal"]) == ("failed", True)
    assert payment["error"]["code"] == "canceled_by_customer"
    assert payment["error"]["message"]
    assert (payment["paid_at"], payment["urls"]["pay"]) == (None, None)


def test_a_payment_in_review_is_not_over(api: Api) -> None:
    api.call("get_ipn", query=ipn(api.world.buy(), vnp_Amount="100"))
    answer = shown(api)
    assert (answer.json["status"], answer.json["terminal"]) == ("review", False)
    assert answer.json["error"]["code"] == "other_amount"
    assert "Retry-After" in answer.headers


def test_a_refund_is_shown_without_who_gave_it(api: Api) -> None:
    refunding(api, 7)
    answer = shown(api)
    payment = answer.json
    assert (payment["status"], payment["terminal"]) == ("refunding", False)
    assert payment["refund"] == {"credits": 7, "amount_vnd": 9_100}
    assert "eve" not in answer.text


def test_a_refund_that_was_refused_is_not_shown_as_one(api: Api) -> None:
    undone, entry = end_refund(refunding(api, 7), Outcome.REFUND_REFUSED, now=api.world.clock())
    api.world.payments.save(undone, entry=entry)
    payment = shown(api).json
    assert (payment["status"], payment["terminal"]) == ("paid", True)
    assert (payment["refund"], payment["error"]["code"]) == (None, "refund_refused")


def list_all(api: Api, limit: int) -> list[dict[str, Any]]:
    """The payments on all pages."""
    found: list[dict[str, Any]] = []
    query = {"limit": str(limit)}
    for _page in range(20):
        page = api.call("get_payments", query=query).json
        found += page["payments"]
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize("limit", [1, 2, 5, 50])
def test_payments_are_listed_newest_first_each_once_and_only_ones_own(api: Api, limit: int) -> None:
    api.world.person("usr_ben")
    begun = []
    for number in range(5):
        begun.append(api.world.buy(key=f"buy-{number}").txn_ref)
        api.world.buy("usr_ben", key=f"buy-{number}")
        api.world.clock.advance(1)
    listed = [payment["txn_ref"] for payment in list_all(api, limit)]
    assert listed == begun[::-1]


def test_who_bought_nothing_has_an_empty_list(api: Api) -> None:
    assert api.call("get_payments").json == {"payments": [], "next_cursor": None}


@pytest.mark.parametrize("limit", ["0", "51", "-1", "x", "", "1.5"])
def test_a_bad_limit_is_refused(api: Api, limit: str) -> None:
    answer = api.call("get_payments", query={"limit": limit})
    assert answer.problem == (400, "invalid_limit")


@pytest.mark.parametrize("position", [["a"], ["a", "b", "c"], ["", "b"], {"a": "b"}, [1, 2]])
def test_a_cursor_that_is_not_ours_is_refused(api: Api, position: object) -> None:
    cursor = base64.urlsafe_b64encode(json.dumps(position).encode()).decode()
    answer = api.call("get_payments", query={"cursor": cursor})
    assert answer.problem == (400, "invalid_cursor")


def test_packages_are_the_price_list_for_everybody(api: Api) -> None:
    answer = api.call("get_packages")
    assert answer.status == 200
    assert answer.json == {
        "packages": [
            {"package": "small", "credits": SMALL.credits, "price_vnd": SMALL.price_vnd},
            {"package": "large", "credits": LARGE.credits, "price_vnd": LARGE.price_vnd},
        ]
    }
    assert api.world.fate.calls == [], "nothing is asked for it"


def test_each_listed_package_can_be_bought(api: Api) -> None:
    for package in api.call("get_packages").json["packages"]:
        body = {"package": package["package"]}
        headers = {"idempotency-key": package["package"]}
        payment = api.call("post_payments", body=body, headers=headers).json
        assert payment["amount_vnd"] == package["price_vnd"]
        assert payment["credits"] == package["credits"]


def failing(error: Exception) -> Callable[[World], Merchant]:
    def fail(_world: World) -> Merchant:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Conflict("No.", code="payments_not_set_up"), (409, "payments_not_set_up")),
        (ServiceFailed("The merchant's account could not be read."), (503, "try_again")),
        (ValueError("/imagify/vnpay: wrong are hash_secret"), (500, "internal_error")),
    ],
)
def test_without_the_merchants_account_nothing_begins(
    api: Api, monkeypatch: pytest.MonkeyPatch, error: Exception, expected: tuple[int, str]
) -> None:
    del api.world.merchant
    monkeypatch.setattr(World, "merchant", property(failing(error)), raising=False)
    before = everything(api.world)
    assert api.call("post_payments").problem == expected
    assert everything(api.world) == before


def test_where_nobody_can_pay_any_more_a_payment_is_still_shown(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.call("post_payments")
    del api.world.merchant
    gone = Conflict("No.", code="payments_not_set_up")
    monkeypatch.setattr(World, "merchant", property(failing(gone)), raising=False)
    assert shown(api).json["urls"]["pay"] is None
    assert api.call("get_payments").json["payments"] == [shown(api).json]


class BrokenPayments(MemoryPaymentStore):
    """A store that does not answer."""

    def get(self, txn_ref: str) -> Payment | None:  # noqa: ARG002 - the port's
        raise ServiceFailed("Reading a payment did not work: arn:aws:dynamodb:secret.")


def test_a_store_that_does_not_answer_is_503_and_worth_another_try(api: Api) -> None:
    api.world.payments = BrokenPayments(api.world.tables)
    answer = api.call("get_payment")
    assert answer.problem == (503, "try_again")
    assert int(answer.headers["Retry-After"]) > 0
    assert "arn" not in answer.text
