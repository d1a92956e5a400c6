"""The auditor's own account of payments: what VNPAY truly got, and what was credited for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from tests.simulation.gateway import Truth

Violate = Callable[[str, str], None]

MOVES: Mapping[str | None, tuple[str, ...]] = {
    None: ("pending",),
    "pending": ("pending", "paid", "failed", "expired", "review"),
    "failed": ("paid", "review"),
    "expired": ("expired", "paid", "failed", "review"),
    "review": ("review", "paid"),
}
FIXED = ("user_id", "package", "credits", "amount_vnd", "fingerprint", "created_at")


class Money:
    """What payments and top-ups must look like."""

    def __init__(self, violate: Violate, *, truths: Mapping[str, Truth]) -> None:
        self._violate = violate
        self._truths = truths
        self.payments: dict[str, Any] = {}
        self._top_ups: defaultdict[str, list[Any]] = defaultdict(list)
        self._touched: dict[str, None] = {}

    def payment_changed(self, before: Any, after: Any) -> None:
        """One write of a payment."""
        if after is None:
            self._violate("payment", f"{before.txn_ref} is gone")
            return
        self.payments[after.txn_ref] = after
        self._touched[after.txn_ref] = None
        was = None if before is None else str(before.status)
        what = f"{after.txn_ref[:8]} {was} -> {after.status}"
        if str(after.status) not in MOVES.get(was, ()):
            self._violate("payment", f"{what} is not allowed")
        if after.version != (0 if before is None else before.version) + 1:
            self._violate("payment", f"{what}: version {after.version} does not follow")
        for name in FIXED if before is not None else ():
            if getattr(before, name) != getattr(after, name):
                self._violate("payment", f"{what}: its {name} has changed")

    def entry_changed(self, entry: Any) -> None:
        """One ledger entry that was written."""
        if entry is None or entry.job_id is not None or str(entry.kind) == "grant":
            return
        self._top_ups[entry.txn_ref].append(entry)
        self._touched[entry.txn_ref] = None

    def check(self) -> None:
        """Check whatever was written since the last time."""
        for txn_ref in self._touched:
            self._check(txn_ref)
        self._touched.clear()

    def unpaid(self) -> list[str]:
        """The payments that VNPAY knows as paid, as agreed, and that are not credited."""
        return [
            txn_ref
            for txn_ref, payment in self.payments.items()
            if self._paid(payment) and str(payment.status) != "paid"
        ]

    def _check(self, txn_ref: str) -> None:
        payment, entries = self.payments.get(txn_ref), self._top_ups[txn_ref]
        if payment is None:
            self._violate("top-up", f"{txn_ref} is credited and does not exist")
            return
        paid = str(payment.status) == "paid"
        if len(entries) != paid:
            self._violate("top-up", f"{txn_ref[:8]} is {payment.status}, {len(entries)} top-ups")
        if paid and not self._paid(payment):
            self._violate("top-up", f"{txn_ref[:8]} was not paid as agreed")
        for entry in entries:
            moved = (entry.available, entry.held, entry.active_jobs)
            right = str(entry.kind) == "top_up" and entry.user_id == payment.user_id
            right = right and entry.entry_id == f"payment#{txn_ref}#top_up"
            if moved != (payment.credits, 0, 0) or not right:
                self._violate("top-up", f"{txn_ref[:8]}: {entry.kind} moves {moved}")

    def _paid(self, payment: Any) -> bool:
        """Whether VNPAY has the money, and as much as was agreed."""
        truth = self._truths.get(payment.txn_ref)
        return (
            truth is not None and truth.status == "paid" and truth.amount_vnd == payment.amount_vnd
        )
