"""The payments that the gateway knows: what was asked, how each ended, what was given back."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sandbox.vnpay.behaviour import Behaviour
from sandbox.vnpay.errors import PageCode, PageError
from sandbox.vnpay.pay_request import PayRequest
from sandbox.vnpay.times import shown, stamp

TRANSACTIONS_MAX = 2000
"""How many are kept; then the oldest is forgotten."""
TAKEN = frozenset({"00", "07"})
"""TransactionStatus of a payment whose money VNPAY has: paid, or paid and suspected."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a payment ended; the names are those of the parameters that say so."""

    at: datetime
    response_code: str
    status: str
    amount: int
    """What came in, or was asked for if nothing did."""
    transaction_no: str
    bank_tran_no: str | None
    bank_code: str
    card_type: str


@dataclass(frozen=True, slots=True)
class Refund:
    """Money on its way back."""

    at: datetime
    transaction_no: str
    transaction_type: str
    """02 for all of it, 03 for a part."""
    amount: int
    order_info: str
    refused: bool
    """Whether VNPAY will refuse it after all."""

    def status(self, now: datetime, refund_seconds: float) -> str:
        """TransactionStatus: 05 at VNPAY, 06 at the bank, 00 done; or 05, then 09 refused."""
        step = timedelta(seconds=refund_seconds)
        if now < self.at + step:
            return "05"
        if self.refused:
            return "09"
        return "06" if now < self.at + 2 * step else "00"


@dataclass(slots=True)
class Transaction:
    """A payment since its page was first opened."""

    request: PayRequest
    token: str
    """Proves that a form was on this payment's page."""
    opened_at: datetime
    ended: Ended | None = None
    refunds: list[Refund] = field(default_factory=list)
    queried_at: datetime | None = None
    """When querydr was last answered."""
    confirmed: bool = False
    """Whether the merchant has answered an IPN with 00 or 02."""

    def status(self, now: datetime, behaviour: Behaviour) -> str:
        """TransactionStatus of the payment."""
        if self.ended is not None:
            return self.ended.status
        return "01" if now < self.request.expires_at else behaviour.expired_status

    def under_way(self, now: datetime, behaviour: Behaviour) -> bool:
        """Whether a refund is at VNPAY or at the bank."""
        return any(
            refund.status(now, behaviour.refund_seconds) in ("05", "06") for refund in self.refunds
        )

    def given_back(self, now: datetime, behaviour: Behaviour) -> int:
        """What was refunded or is about to be."""
        return sum(
            refund.amount
            for refund in self.refunds
            if refund.status(now, behaviour.refund_seconds) != "09"
        )

    def summary(self, now: datetime, behaviour: Behaviour) -> dict[str, object]:
        """All of it, for people."""
        request, ended = self.request, self.ended
        return {
            "status": self.status(now, behaviour),
            "response_code": ended.response_code if ended else None,
            "amount_vnd": request.amount // 100,
            "received_vnd": ended.amount // 100 if ended and ended.status in TAKEN else 0,
            "order_info": request.order_info,
            "created": request.created,
            "opened_at": shown(self.opened_at),
            "expires_at": shown(request.expires_at),
            "ended_at": shown(ended.at if ended else None),
            "transaction_no": ended.transaction_no if ended else None,
            "ipn_confirmed": self.confirmed,
            "refunds": [
                {
                    "at": shown(refund.at),
                    "type": refund.transaction_type,
                    "amount_vnd": refund.amount // 100,
                    "status": refund.status(now, behaviour.refund_seconds),
                    "transaction_no": refund.transaction_no,
                }
                for refund in self.refunds
            ],
        }


class Transactions:
    """The payments by TxnRef, the oldest first."""

    def __init__(self) -> None:
        self._by_ref: OrderedDict[str, Transaction] = OrderedDict()

    def get(self, txn_ref: str) -> Transaction | None:
        """The payment with this TxnRef."""
        return self._by_ref.get(txn_ref)

    def with_token(self, token: str) -> Transaction | None:
        """The payment whose page has this token."""
        return next((known for known in self._by_ref.values() if known.token == token), None)

    def open(self, request: PayRequest, *, token: str, now: datetime) -> Transaction:
        """A new payment, or the same one again while it is unfinished; else raises PageError."""
        known = self._by_ref.get(request.txn_ref)
        if known is not None:
            _check_again(known, request)
        if now >= request.expires_at:
            raise PageError(
                PageCode.EXPIRED,
                f"vnp_ExpireDate {stamp(request.expires_at)} has passed: "
                f"in GMT+7 it is {stamp(now)}.",
            )
        if known is None:
            if len(self._by_ref) == TRANSACTIONS_MAX:
                self._by_ref.popitem(last=False)
            known = self._by_ref[request.txn_ref] = Transaction(request, token, opened_at=now)
        return known

    def summary(self, now: datetime, behaviour: Behaviour) -> dict[str, object]:
        """Each payment by its TxnRef, for people."""
        return {ref: known.summary(now, behaviour) for ref, known in self._by_ref.items()}


def _check_again(known: Transaction, request: PayRequest) -> None:
    if known.request.secure_hash != request.secure_hash:
        raise PageError(
            PageCode.EXISTS, f"vnp_TxnRef {request.txn_ref} was used before, with other parameters."
        )
    if known.ended is not None:
        raise PageError(PageCode.EXISTS, f"vnp_TxnRef {request.txn_ref} is finished.")
