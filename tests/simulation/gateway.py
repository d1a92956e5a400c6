"""VNPAY and its customers: what was truly paid, and what VNPAY tells of it, to whom and when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from common.payments import Payment
from common.vnpay import ApiAnswer
from tests.fakes_money import MERCHANT, FakeGateway
from tests.simulation.schedule import US, Schedule
from tests.simulation.tape import Tape
from tests.vnpay_by_hand import FAILED, ipn
from tests.vnpay_signed import signed_query

CONFIRMED = ("00", "02")
"""The answers after which VNPAY calls no more."""
CALL_AGAIN_SECONDS = 300


@dataclass
class Truth:
    """What has become of one payment at VNPAY."""

    txn_ref: str
    amount_vnd: int
    """What the customer was asked for, and then what was paid."""
    status: str = "open"
    """Or `paid`, or `failed`."""
    paid_at: datetime | None = None


class SimulatedGateway(FakeGateway):
    """Knows the truth, and tells it when asked."""

    def __init__(self) -> None:
        super().__init__()
        self.truths: dict[str, Truth] = {}

    def query(self, payment: Payment, *, request_id: str, now: datetime) -> ApiAnswer:  # noqa: ARG002 - the port's
        truth = self.truths.get(payment.txn_ref)
        if truth is None or truth.status == "open":
            return _answer("91", "", None)
        status = {"paid": "00", "failed": "02"}[truth.status]
        return _answer("00", status, truth.amount_vnd)


def _answer(response_code: str, status: str, amount_vnd: int | None) -> ApiAnswer:
    return ApiAnswer(
        response_code=response_code,
        message="",
        amount_vnd=amount_vnd,
        transaction_no="14000001",
        transaction_type="01",
        transaction_status=status,
    )


class Customer:
    """Somebody on VNPAY's pay page, and the calls that VNPAY makes because of them."""

    def __init__(
        self,
        truth: Truth,
        *,
        tape: Tape,
        schedule: Schedule,
        begin: Callable[..., None],
        notify: Callable[[str], str | None],
        come_back: Callable[[str], None],
    ) -> None:
        """`begin` starts an errand; `notify` calls our IPN address and gives the RspCode,
        `come_back` goes to our page."""
        self._truth = truth
        self._tape = tape
        self._schedule = schedule
        self._begin = begin
        self._notify = notify
        self._come_back = come_back

    def pay(self) -> None:
        """Pay or cancel, once or at last; each time VNPAY tells of it as it likes."""
        self._wait(5, 600)
        match self._tape.choose(10):
            case 0:
                return
            case 1 | 2:
                self._end("failed")
            case 3:
                self._end("failed")
                self._wait(10, 3000)
                self._end("paid", after_failing=True)
            case 4:
                self._truth.amount_vnd -= self._tape.pick((1000, 1, -1000))
                self._end("paid")
            case 5:
                self._wait(900, 5400)
                self._end("paid")
            case _:
                self._end("paid")
        if self._tape.choose(2):
            self._come_back(self._told())

    def _end(self, status: str, *, after_failing: bool = False) -> None:
        """Be done with it; VNPAY calls never, once or several times.

        A payment that it has said to have failed is not asked after any more, so that it was paid
        after all is only known from a call: then VNPAY does not give up.
        """
        self._truth.status = status
        told = self._told()
        calls = 1 + self._tape.choose(2) if after_failing else self._tape.pick((1, 0, 1, 2, 3))
        for number in range(calls):
            self._begin(
                f"ipn {self._truth.txn_ref[-4:]} {number}",
                lambda: self._call(told, calls=100 if after_failing else self._tape.between(1, 4)),
                after_us=self._tape.pick((1, 5, 60, 1500, 7000)) * US,
            )

    def _told(self) -> str:
        """A notification as VNPAY signs it."""
        said = {} if self._truth.status == "paid" else FAILED
        return ipn(self._truth, MERCHANT, **said)

    def _call(self, query: str, *, calls: int) -> None:
        """Call again until we confirm, or VNPAY has had enough of it."""
        for _call in range(calls):
            if self._notify(query) in CONFIRMED:
                return
            self._schedule.sleep_us(CALL_AGAIN_SECONDS * US)

    def _wait(self, low: int, high: int) -> None:
        self._schedule.sleep_us(self._tape.between(low, high) * US)


def forged(truth: Truth, tape: Tape) -> str:
    """A notification that says paid and that VNPAY has not signed."""
    query = ipn(Truth(truth.txn_ref, truth.amount_vnd), MERCHANT)
    fields, _sign, signature = query.rpartition("&vnp_SecureHash=")
    match tape.choose(4):
        case 0:
            return fields
        case 1:
            return f"{fields}&vnp_SecureHash={'0' * len(signature)}"
        case 2:
            return f"{fields.replace('vnp_Amount', 'vnp_amount')}&vnp_SecureHash={signature}"
        case _:
            return signed_query({"vnp_TxnRef": truth.txn_ref, "vnp_Amount": "1"}, "guessed")
