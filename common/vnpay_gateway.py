"""VNPAY's merchant API over HTTP: one question, one verified answer, no retries."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import urllib3

from common.errors import BadSignature, GatewaySilent
from common.payments import Payment
from common.vnpay import (
    ApiAnswer,
    Inquiry,
    Merchant,
    RefundOrder,
    query_request,
    read_answer,
    refund_request,
)

if TYPE_CHECKING:
    from common.ports import MerchantReader

CONNECT_SECONDS = 3.0
READ_SECONDS = 8.0
"""From the question to the end of the answer, in which no pause may be as long either."""
ANSWER_BYTES_MAX = 64 * 1024
HTTP_OK = 200


class HttpGateway:
    """Asks VNPAY; whatever does not prove to be its answer is silence."""

    def __init__(self, merchant: MerchantReader) -> None:
        self._merchant = merchant

    def require_account(self) -> None:
        """Read the merchant's account."""
        self._merchant()

    def query(self, payment: Payment, *, request_id: str, now: datetime) -> ApiAnswer:
        """Send a querydr."""
        merchant = self._merchant()
        inquiry = _inquiry(payment, request_id, now)
        return self._ask(query_request(inquiry, merchant), merchant)

    def refund(self, payment: Payment, *, now: datetime) -> ApiAnswer:
        """Send the refund that the payment asks for, under its own request id."""
        merchant, refund = self._merchant(), payment.refund
        if refund is None:
            raise ValueError(f"{payment.txn_ref} has no refund to ask for")
        order = RefundOrder(
            amount_vnd=refund.amount_vnd,
            full=refund.credits == payment.credits,
            transaction_no=payment.transaction_no or "",
            by="imagify",
        )
        inquiry = _inquiry(payment, refund.request_id, now)
        return self._ask(refund_request(inquiry, order, merchant), merchant)

    def _ask(self, request: Mapping[str, str], merchant: Merchant) -> ApiAnswer:
        try:
            return read_answer(self._post(merchant.api_url, request), request, merchant)
        except BadSignature as error:
            raise GatewaySilent(error.message) from None

    @staticmethod
    def _post(url: str, request: Mapping[str, str]) -> Mapping[str, Any]:
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
        deadline = time.monotonic() + READ_SECONDS
        try:
            # Questions are minutes apart: a connection that was kept would be half closed by then.
            with urllib3.connection_from_url(url, timeout=timeout, retries=False) as vnpay:
                answer = vnpay.request(
                    "POST",
                    urllib3.util.parse_url(url).request_uri,
                    json=dict(request),
                    redirect=False,
                    preload_content=False,
                )
                content = _read(answer, deadline=deadline)
        except urllib3.exceptions.HTTPError as error:
            raise GatewaySilent(f"VNPAY did not answer: {type(error).__name__}.") from error
        if answer.status != HTTP_OK:
            raise GatewaySilent(f"VNPAY answered {answer.status}.")
        try:
            values = json.loads(content)
        except (ValueError, RecursionError):
            raise GatewaySilent("VNPAY's answer is no JSON.") from None
        if not isinstance(values, dict):
            raise GatewaySilent("VNPAY's answer is no JSON object.")
        return values


def _read(answer: urllib3.BaseHTTPResponse, *, deadline: float) -> bytes:
    """The whole body, within its limits."""
    content = b""
    try:
        while chunk := answer.read1(ANSWER_BYTES_MAX, decode_content=True):
            content += chunk
            if len(content) > ANSWER_BYTES_MAX or time.monotonic() > deadline:
                raise GatewaySilent("VNPAY's answer does not end.")
    finally:
        answer.close()
    return content


def _inquiry(payment: Payment, request_id: str, now: datetime) -> Inquiry:
    return Inquiry(
        txn_ref=payment.txn_ref, created_at=payment.created_at, request_id=request_id, now=now
    )
