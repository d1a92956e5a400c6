"""POST and GET /payments, GET /packages, and what VNPAY calls and comes back to."""

from __future__ import annotations

import json
from contextlib import suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from common import http
from common.api_money import (
    PackageList,
    PaymentList,
    PaymentRequest,
    PaymentView,
    package_view,
    payment_view,
)
from common.errors import BadSignature, Conflict, NotFound
from common.metrics import PAYMENTS_BEGUN
from common.observability import count, logger, observed
from common.payments import Payment
from common.resolver import Response
from common.vnpay import Purchase, pay_url, read_notification
from common.vnpay_codes import RSP_MESSAGES, Outcome
from common.wiring.payments import services
from common.wiring.snap_start import starts_from_snapshot
from functions.payments.book_notification import book_notification
from functions.payments.return_page import HEADERS, return_page
from functions.payments.start_payment import start_payment

PAGE_DEFAULT = 20
PAGE_MAX = 50

app = http.resolver()
starts_from_snapshot(services)


@app.post("/payments")
def post_payment() -> Response:
    """Begin a payment: 201, with where to pay."""
    given = services()
    event = app.current_event
    user_id = http.user_id(event)
    payment = start_payment(
        http.read_body(PaymentRequest, event),
        user_id=user_id,
        key=http.idempotency_key(event) or given.new_id(),
        ip_address=http.viewer_address(event),
        packages=given.settings.packages,
        payments=given.payments,
        merchant=given.merchant,
        now=given.now(),
    )
    logger.info("payment begun", txn_ref=payment.txn_ref, user_id=user_id, status=payment.status)
    count(PAYMENTS_BEGUN)
    return _answer(HTTPStatus.CREATED, payment)


@app.get("/payments/<txn_ref>")
def get_payment(txn_ref: str) -> Response:
    """One payment of the user's."""
    user_id = http.user_id(app.current_event)
    payment = services().payments.get(http.txn_ref(txn_ref))
    if payment is None or payment.user_id != user_id:
        raise NotFound("You have no payment of that reference.")
    return _answer(HTTPStatus.OK, payment)


@app.get("/payments")
def get_payments() -> Response:
    """The user's payments, newest first."""
    event = app.current_event
    page = services().payments.page(
        http.user_id(event),
        limit=http.query_limit(event, default=PAGE_DEFAULT, most=PAGE_MAX),
        after=http.read_cursor(http.query_text(event, "cursor")),
    )
    views = [_view(payment) for payment in page.items]
    return http.answer(
        HTTPStatus.OK, PaymentList(payments=views, next_cursor=http.write_cursor(page.next_key))
    )


@app.get("/packages")
def get_packages() -> Response:
    """What can be bought."""
    packages = services().settings.packages
    views = [package_view(package) for package in packages]
    return http.answer(HTTPStatus.OK, PackageList(packages=views))


@app.get("/payments/vnpay/ipn")
def get_ipn() -> Response:
    """VNPAY's word on a payment: always 200, with the RspCode that it goes by."""
    event = app.current_event
    given = services()
    code = book_notification(
        event.raw_query_string,
        source_ip=event.source_ip,
        payments=given.payments,
        merchant=given.merchant,
        now=given.now,
    )
    return Response(
        status_code=HTTPStatus.OK,
        content_type=http.JSON,
        body=json.dumps({"RspCode": code, "Message": RSP_MESSAGES[code]}),
        headers=http.NO_STORE,
    )


@app.get("/payments/vnpay/return")
def get_return() -> Response:
    """Where VNPAY sends the customer back to; it shows, and books nothing."""
    given = services()
    try:
        said = read_notification(app.current_event.raw_query_string, given.merchant())
    except BadSignature:
        return http.page(HTTPStatus.BAD_REQUEST, return_page(None, None), HEADERS)
    payment = given.payments.get(said.txn_ref) if said.txn_ref else None
    if payment is None:
        return http.page(HTTPStatus.NOT_FOUND, return_page(None, None), HEADERS)
    if given.settings.page_url:
        query = urlencode({"txn_ref": payment.txn_ref, "outcome": said.outcome})
        return http.see_other(f"{given.settings.page_url}?{query}")
    outcome = said.outcome if said.amount_vnd == payment.amount_vnd else Outcome.UNKNOWN
    return http.page(HTTPStatus.OK, return_page(payment, outcome), HEADERS)


@observed
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Lambda's entry point."""
    return app.resolve(event)


def _answer(status: HTTPStatus, payment: Payment) -> Response:
    """A payment, with Retry-After while something is expected of it."""
    view = _view(payment)
    headers = {"Location": view.urls.self}
    if not view.terminal:
        headers["Retry-After"] = str(http.RETRY_AFTER_SECONDS)
    return http.answer(status, view, headers)


def _view(payment: Payment) -> PaymentView:
    given = services()
    url = None
    if payment.payable(given.now()):
        with suppress(Conflict):  # while nobody can pay, there is nowhere to go
            url = pay_url(_purchase(payment), given.merchant())
    return payment_view(payment, pay_url=url)


def _purchase(payment: Payment) -> Purchase:
    return Purchase(
        txn_ref=payment.txn_ref,
        amount_vnd=payment.amount_vnd,
        order_info=f"Imagify {payment.credits} credits",
        locale=payment.locale,
        ip_address=payment.ip_address,
        created_at=payment.created_at,
        expires_at=payment.expires_at,
        bank_code=payment.bank_code,
    )
