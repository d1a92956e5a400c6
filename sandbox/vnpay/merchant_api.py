"""The merchant's side: `POST /merchant_webapi/api/transaction`, querydr and refund.

The body and the answer are JSON, signed as VNPAY's page querydr & refund says. An answer is HTTP
200 whatever its ResponseCode: 00, 02 unknown TmnCode, 03 wrong format or amount, 91 unknown TxnRef
or other TransactionDate, 94 too soon, repeated or already refunded, 95 not paid, 97 wrong hash.
It is signed, unless the call's own format, TmnCode or hash is wrong.

A payment that nobody opened is unknown (91). querydr tells of the latest transaction under the
TxnRef: the payment (TransactionType 01), or once there are refunds the last of those (02 all, 03 a
part), with its own amount and number.

A refund is answered 00 with TransactionStatus 05. It is 05 for `refund_seconds`, 06 for as long
again, then 00. While one is under way another gets 94, as it does once all has been given back.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from sandbox.loopback import Silence
from sandbox.vnpay.api_request import check_call, read_fields
from sandbox.vnpay.behaviour import (
    ApiFault,
    Error500,
    Lost,
    RefundRefused,
    Refuse,
    Silent,
    Unsigned,
)
from sandbox.vnpay.bodies import read_body
from sandbox.vnpay.errors import ApiError
from sandbox.vnpay.signing import HASH, QUERYDR_RESPONSE, REFUND_RESPONSE, fields_hash
from sandbox.vnpay.state import ApiCall, State
from sandbox.vnpay.times import stamp
from sandbox.vnpay.transactions import TAKEN, Ended, Refund, Transaction

PATH = "/merchant_webapi/api/transaction"
PAYMENT = "01"
FULL_REFUND = "02"
"""vnp_TransactionType of each; 03 is a refund of a part."""


class MerchantApi:
    """The API of one simulator."""

    def __init__(self, state: State) -> None:
        self._state = state

    def routes(self) -> list[Route]:
        """Where it is."""
        return [Route(PATH, self._transaction, methods=["POST"])]

    async def _transaction(self, request: Request) -> Response:
        state = self._state
        values = read_fields(await read_body(request))
        ref, command = values.get("vnp_TxnRef"), values.get("vnp_Command")
        call = ApiCall(state.now(), command, ref, values.get("vnp_RequestId"))
        state.api_calls.append(call)
        fault = state.faults.take(ApiFault, ref, command)
        call.misbehaviour = None if fault is None else fault.kind
        if isinstance(fault, Silent):
            return Silence()
        if isinstance(fault, Error500):
            call.http_status = 500
            return HTMLResponse("<h1>Internal Server Error</h1>", status_code=500)
        answer = self._answer(values, fault)
        call.response_code, call.message = answer["vnp_ResponseCode"], answer["vnp_Message"]
        if isinstance(fault, Lost):
            return Silence()
        call.http_status = 200
        if isinstance(fault, Unsigned):
            answer.pop(HASH, None)
            if fault.hash == "wrong":
                answer[HASH] = f"{state.rng.getrandbits(512):0128x}"
        return JSONResponse(answer)

    def _answer(self, values: Mapping[str, str], fault: ApiFault | None) -> dict[str, str]:
        """Do what is asked, unless it is refused, and say what came of it."""
        command = values.get("vnp_Command", "")
        signed = True
        try:
            said = self._done(values, fault)
        except ApiError as error:
            signed = error.signed
            said = {"vnp_ResponseCode": error.code, "vnp_Message": error.message}
        answer = {
            "vnp_ResponseId": self._state.random_id(),
            "vnp_Command": command,
            "vnp_TmnCode": values.get("vnp_TmnCode", ""),
            "vnp_TxnRef": values.get("vnp_TxnRef", ""),
            **said,
        }
        if signed:
            fields = REFUND_RESPONSE if command == "refund" else QUERYDR_RESPONSE
            answer[HASH] = fields_hash(answer, fields, self._state.merchant.secret)
        return answer

    def _done(self, values: Mapping[str, str], fault: ApiFault | None) -> dict[str, str]:
        check_call(values, self._state.merchant)
        if isinstance(fault, Refuse):
            raise ApiError(fault.code, "Refused")
        if not self._state.is_new(values["vnp_RequestId"]):
            raise ApiError("94", "Duplicate vnp_RequestId")
        if values["vnp_Command"] == "refund":
            return self._refund(values)
        return self._query(values)

    def _find(self, values: Mapping[str, str]) -> Transaction:
        transaction = self._state.transactions.get(values["vnp_TxnRef"])
        if transaction is None or transaction.request.created != values["vnp_TransactionDate"]:
            raise ApiError("91", "Transaction not found")
        number = values.get("vnp_TransactionNo", "")
        if number and transaction.ended and number != transaction.ended.transaction_no:
            raise ApiError("91", "Transaction not found")
        return transaction

    def _query(self, values: Mapping[str, str]) -> dict[str, str]:
        state, now = self._state, self._state.now()
        transaction = self._find(values)
        gap = timedelta(seconds=state.behaviour.query_gap_seconds)
        if transaction.queried_at is not None and now < transaction.queried_at + gap:
            raise ApiError("94", "Duplicate request")
        transaction.queried_at = now
        said = {"vnp_ResponseCode": "00", "vnp_Message": "QueryDR Success"}
        ended = transaction.ended
        if ended is not None and transaction.refunds:
            return said | self._about(ended, transaction.refunds[-1])
        said |= {
            "vnp_Amount": str(ended.amount if ended else transaction.request.amount),
            "vnp_TransactionType": PAYMENT,
            "vnp_TransactionStatus": transaction.status(now, state.behaviour),
            "vnp_OrderInfo": transaction.request.order_info,
        }
        if ended is not None:
            said |= {
                "vnp_BankCode": ended.bank_code,
                "vnp_PayDate": stamp(ended.at),
                "vnp_TransactionNo": ended.transaction_no,
            }
        return said

    def _refund(self, values: Mapping[str, str]) -> dict[str, str]:
        state, now = self._state, self._state.now()
        transaction = self._find(values)
        ended = transaction.ended
        if ended is None or ended.status not in TAKEN:
            raise ApiError("95", "The original transaction is not successful")
        if transaction.under_way(now, state.behaviour):
            raise ApiError("94", "A refund is being processed")
        left = ended.amount - transaction.given_back(now, state.behaviour)
        if left == 0:
            raise ApiError("94", "Refunded already")
        kind, amount = values["vnp_TransactionType"], int(values["vnp_Amount"])
        if amount > left or (kind == FULL_REFUND and amount != ended.amount):
            raise ApiError("03", f"The amount does not fit: {left} is left of {ended.amount}")
        refund = Refund(
            at=now,
            transaction_no=state.next_number(),
            transaction_type=kind,
            amount=amount,
            order_info=values["vnp_OrderInfo"],
            refused=state.faults.take(RefundRefused, values["vnp_TxnRef"]) is not None,
        )
        transaction.refunds.append(refund)
        said = {"vnp_ResponseCode": "00", "vnp_Message": "Refund success"}
        return said | self._about(ended, refund) | {"vnp_TransactionStatus": "05"}

    def _about(self, ended: Ended, refund: Refund) -> dict[str, str]:
        state = self._state
        return {
            "vnp_Amount": str(refund.amount),
            "vnp_BankCode": ended.bank_code,
            "vnp_PayDate": stamp(refund.at),
            "vnp_TransactionNo": refund.transaction_no,
            "vnp_TransactionType": refund.transaction_type,
            "vnp_TransactionStatus": refund.status(state.now(), state.behaviour.refund_seconds),
            "vnp_OrderInfo": refund.order_info,
        }
