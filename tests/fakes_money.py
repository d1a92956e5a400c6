"""The ports about money in memory; see `tests.fakes`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from common.credits import LedgerEntry, same_move
from common.errors import StaleWrite
from common.pages import Page
from common.payments import Payment
from common.vnpay import ApiAnswer, Merchant
from tests.fakes import MemoryTables

MERCHANT = Merchant.model_validate(
    {
        "tmn_code": "IMAGIFY1",
        "hash_secret": "0123456789ABCDEF0123456789ABCDEF",
        "pay_url": "https://vnpay.test/paymentv2/vpcpay.html",
        "api_url": "https://vnpay.test/merchant_webapi/api/transaction",
        "return_url": "https://api.test/payments/vnpay/return",
    }
)


class MemoryPaymentStore:
    """Payments in a dict."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    def get(self, txn_ref: str) -> Payment | None:
        return self._tables.payments.get(txn_ref)

    def open(self, payment: Payment) -> Payment:
        with self._tables.lock:
            return self._tables.payments.setdefault(payment.txn_ref, payment)

    def save(self, payment: Payment, *, entry: LedgerEntry | None = None) -> None:
        with self._tables.lock:
            there = self._tables.payments.get(payment.txn_ref)
            if there == payment:
                return
            if there is None or there.version != payment.version - 1:
                raise StaleWrite(f"{payment.txn_ref} has changed.")
            if entry is not None:
                self._tables.move(entry)
            self._tables.payments[payment.txn_ref] = payment

    def page(
        self, user_id: str, *, limit: int, after: tuple[str, str] | None = None
    ) -> Page[Payment]:
        with self._tables.lock:
            own = [each for each in self._tables.payments.values() if each.user_id == user_id]
        own = sorted(own, key=_payment_place, reverse=True)
        own = [each for each in own if after is None or _payment_place(each) < after]
        page = own[:limit]
        return Page(tuple(page), _payment_place(page[-1]) if len(own) > limit else None)

    def due(self, now: datetime, *, limit: int) -> tuple[str, ...]:
        with self._tables.lock:
            found = [
                (each.due_at, each.txn_ref)
                for each in self._tables.payments.values()
                if each.due_at is not None and each.due_at <= now
            ]
        return tuple(txn_ref for _due_at, txn_ref in sorted(found)[:limit])


class MemoryLedger:
    """The ledger, read by time."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    def page(
        self, user_id: str, *, limit: int, after: tuple[str, str] | None = None
    ) -> Page[LedgerEntry]:
        with self._tables.lock:
            own = [each for each in self._tables.ledger.values() if each.user_id == user_id]
        own = sorted(own, key=_entry_place, reverse=True)
        own = [each for each in own if after is None or _entry_place(each) < after]
        page = own[:limit]
        return Page(tuple(page), _entry_place(page[-1]) if len(own) > limit else None)

    def add(self, entry: LedgerEntry) -> None:
        with self._tables.lock:
            there = self._tables.ledger.get((entry.user_id, entry.entry_id))
            if there is None or not same_move(there, entry):
                self._tables.move(entry)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _payment_place(payment: Payment) -> tuple[str, str]:
    return _time(payment.created_at), payment.txn_ref


def _entry_place(entry: LedgerEntry) -> tuple[str, str]:
    return _time(entry.created_at), entry.entry_id


Told = Callable[[Payment], ApiAnswer]


def api_answer(payment: Payment, **said: str) -> ApiAnswer:
    """What VNPAY answers about a paid payment, but for what is given."""
    fields: Mapping[str, str] = {
        "response_code": "00",
        "message": "OK",
        "transaction_no": "14000001",
        "transaction_type": "01",
        "transaction_status": "00",
        **said,
    }
    return ApiAnswer(amount_vnd=payment.amount_vnd, **fields)


class FakeGateway:
    """VNPAY's merchant API, answering as told; an exception among the answers is raised."""

    def __init__(self) -> None:
        self.says: dict[str, Told | Exception] = {"query": api_answer, "refund": api_answer}
        self.asked: list[tuple[str, str, str]] = []
        """Each call: what, the payment's reference, the request's id."""

    def require_account(self) -> None:
        """There is always one."""

    def query(self, payment: Payment, *, request_id: str, now: datetime) -> ApiAnswer:  # noqa: ARG002 - the port's
        return self._answer("query", payment, request_id)

    def refund(self, payment: Payment, *, now: datetime) -> ApiAnswer:  # noqa: ARG002 - the port's
        assert payment.refund is not None
        return self._answer("refund", payment, payment.refund.request_id)

    def _answer(self, what: str, payment: Payment, request_id: str) -> ApiAnswer:
        self.asked.append((what, payment.txn_ref, request_id))
        told = self.says[what]
        if isinstance(told, Exception):
            raise told
        return told(payment)
