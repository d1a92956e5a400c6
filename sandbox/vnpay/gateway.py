"""The customer's side: the pay page, and the buttons that end a payment.

    GET  /paymentv2/vpcpay.html?vnp_…    the pay page, or a page that says what is wrong
    POST /paymentv2/pay                  token=…&outcome=pay|cancel|wrong_otp|too_little_money

`token` is in the page's form. The answer is 303 to the signed return address. The first click ends
the payment; any later one gets the same redirect and changes nothing. Ended after vnp_ExpireDate,
whichever button it was, the payment has expired (11).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from urllib.parse import parse_qsl

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from sandbox.vnpay.behaviour import Suspected, WrongAmount
from sandbox.vnpay.bodies import read_body
from sandbox.vnpay.errors import PAGE_STATUSES, PageCode, PageError
from sandbox.vnpay.notification import FAILED, NO_TRANSACTION, WRONG_OTP, return_url
from sandbox.vnpay.notifier import Notifier, Plan
from sandbox.vnpay.pages import error_page, pay_page
from sandbox.vnpay.pay_request import read_pay_request
from sandbox.vnpay.state import State
from sandbox.vnpay.transactions import Ended, Transaction

FORM_FIELDS_MAX = 10
EXPIRED = "11"
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
}


class Outcome(StrEnum):
    """The buttons."""

    PAY = "pay"
    CANCEL = "cancel"
    WRONG_OTP = "wrong_otp"
    TOO_LITTLE_MONEY = "too_little_money"


RESPONSE_CODES: Mapping[Outcome, str] = {
    Outcome.CANCEL: "24",
    Outcome.WRONG_OTP: WRONG_OTP,
    Outcome.TOO_LITTLE_MONEY: "51",
}
"""vnp_ResponseCode of each way to fail (VNPAY, page PAY)."""

NO_BANK = ("VNPAY", "QRCODE")
"""BankCode and CardType when no bank came into it, as integrators see it."""
BANKS: Mapping[str, tuple[str, str]] = {
    "": ("NCB", "ATM"),
    "VNPAYQR": ("NCB", "QRCODE"),
    "VNBANK": ("NCB", "ATM"),
    "INTCARD": ("VISA", "VISA"),
}
"""BankCode and CardType by the request's vnp_BankCode, if any; another is a bank itself."""


class Gateway:
    """The pages of one simulator."""

    def __init__(self, state: State, notifier: Notifier) -> None:
        self._state = state
        self._notifier = notifier

    def routes(self) -> list[Route]:
        """Where each page is."""
        return [
            Route("/paymentv2/vpcpay.html", self._open, methods=["GET"]),
            Route("/paymentv2/pay", self._click, methods=["POST"]),
        ]

    async def _open(self, request: Request) -> Response:
        state = self._state
        locale = "en" if request.query_params.get("vnp_Locale") == "en" else "vn"
        try:
            asked = read_pay_request(
                request.url.query, state.merchant, state.behaviour, now=state.now()
            )
            transaction = state.transactions.open(asked, token=state.random_id(), now=state.now())
        except PageError as error:
            return _refused(error, locale)
        page = pay_page(transaction, state.merchant.tmn_code, now=state.now())
        return HTMLResponse(page, headers=HEADERS)

    async def _click(self, request: Request) -> Response:
        try:
            transaction, outcome = self._clicked(await read_body(request))
        except PageError as error:
            return _refused(error, "vn")
        if transaction.ended is not None:
            return self._redirect(transaction, transaction.ended)
        ended = transaction.ended = self._end(transaction, outcome)
        plan = self._notifier.plan(transaction, ended)
        if plan is None:
            return self._redirect(transaction, ended)
        if plan.before_return:
            await self._notifier.begin(transaction, ended, plan).wait()
            return self._redirect(transaction, ended)
        response = self._redirect(transaction, ended)
        # Begun only when the redirect has been sent, so that the return is never late by accident.
        response.background = BackgroundTask(self._begin, transaction, ended, plan)
        return response

    async def _begin(self, transaction: Transaction, ended: Ended, plan: Plan) -> None:
        # A reset may have come first; then there is nothing to tell.
        if self._state.transactions.get(transaction.request.txn_ref) is transaction:
            self._notifier.begin(transaction, ended, plan)

    def _clicked(self, body: bytes) -> tuple[Transaction, Outcome]:
        try:
            form = dict(parse_qsl(body.decode("ascii"), max_num_fields=FORM_FIELDS_MAX))
            outcome = Outcome(form.get("outcome", ""))
        except ValueError:
            raise PageError(
                PageCode.FORMAT, f"outcome must be one of {', '.join(Outcome)}."
            ) from None
        transaction = self._state.transactions.with_token(form.get("token", ""))
        if transaction is None:
            raise PageError(PageCode.NOT_FOUND, "No payment has this form's token.")
        return transaction, outcome

    def _end(self, transaction: Transaction, outcome: Outcome) -> Ended:
        state, asked = self._state, transaction.request
        now = state.now()
        bank, card = BANKS.get(asked.bank_code, (asked.bank_code, "ATM"))
        if now < asked.expires_at and outcome is Outcome.PAY:
            number = state.next_number()
            suspected = state.faults.take(Suspected, asked.txn_ref) is not None
            other = state.faults.take(WrongAmount, asked.txn_ref)
            code = "07" if suspected else "00"
            amount = other.amount_vnd * 100 if other else asked.amount
            return Ended(now, code, code, amount, number, f"VNP{number}", bank, card)
        code = EXPIRED if now >= asked.expires_at else RESPONSE_CODES[outcome]
        if code in (EXPIRED, RESPONSE_CODES[Outcome.CANCEL]):
            bank, card = NO_BANK
        return Ended(now, code, FAILED, asked.amount, NO_TRANSACTION, None, bank, card)

    def _redirect(self, transaction: Transaction, ended: Ended) -> Response:
        url = return_url(transaction, ended, self._state.merchant)
        return RedirectResponse(url, status_code=303, headers=HEADERS)


def _refused(error: PageError, locale: str) -> Response:
    page = error_page(error.code, error.detail, locale)
    return HTMLResponse(page, status_code=PAGE_STATUSES.get(error.code, 400), headers=HEADERS)
