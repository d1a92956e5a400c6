"""The API's bodies about money: packages, payments and the ledger; see `common.api`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from common.api import BalanceView, Body, ErrorView
from common.credits import EntryKind, LedgerEntry
from common.packages import Package
from common.payments import Payment, PaymentStatus


class PackageView(Body):
    """Credits that can be bought."""

    package: str
    credits: int
    price_vnd: int


class PackageList(Body):
    """What can be bought."""

    packages: list[PackageView]


class PaymentRequest(Body):
    """A package to buy."""

    package: str
    locale: Literal["vn", "en"] = "vn"
    """The pay page's language."""
    bank_code: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9]{2,20}$")] = None
    """Where to pay: VNPAYQR, VNBANK, INTCARD or a bank; null lets the customer choose there."""


class RefundView(Body):
    """What is taken back and paid back."""

    credits: int
    amount_vnd: int


class PaymentUrls(Body):
    """`self` is a path below the API's address, `pay` where to go and pay; null when too late."""

    self: str
    pay: str | None


class PaymentView(Body):
    """A payment as its owner sees it."""

    txn_ref: str
    status: PaymentStatus
    terminal: bool
    """Nothing more is expected; money that comes late still credits."""
    version: int
    """Grows with every change; of two views the higher is the newer."""
    package: str
    credits: int
    amount_vnd: int
    locale: str
    bank_code: str | None
    created_at: datetime
    expires_at: datetime
    """Until when it can be paid."""
    paid_at: datetime | None
    refund: RefundView | None
    error: ErrorView | None
    urls: PaymentUrls


class PaymentList(Body):
    """Some of the user's payments, newest first; `next_cursor` is null on the last page."""

    payments: list[PaymentView]
    next_cursor: str | None


class EntryView(Body):
    """One move of credits: why, how much, and what there was afterwards."""

    entry_id: str
    kind: EntryKind
    job_id: str | None
    txn_ref: str | None
    reason: str | None
    created_at: datetime
    amount: BalanceView
    """What was added to each; negative when taken."""
    balance_after: BalanceView


class EntryList(Body):
    """Some of the user's moves, newest first; `next_cursor` is null on the last page."""

    entries: list[EntryView]
    next_cursor: str | None


def package_view(package: Package) -> PackageView:
    """The package for those who choose one."""
    return PackageView(
        package=package.package, credits=package.credits, price_vnd=package.price_vnd
    )


def payment_view(payment: Payment, *, pay_url: str | None) -> PaymentView:
    """The payment for its owner; `pay_url` is where to pay, if it still can be."""
    refund = payment.refund
    refunding = payment.status in (PaymentStatus.REFUNDING, PaymentStatus.REFUNDED)
    error = payment.error
    return PaymentView(
        txn_ref=payment.txn_ref,
        status=payment.status,
        terminal=payment.terminal,
        version=payment.version,
        package=payment.package,
        credits=payment.credits,
        amount_vnd=payment.amount_vnd,
        locale=payment.locale,
        bank_code=payment.bank_code,
        created_at=payment.created_at,
        expires_at=payment.expires_at,
        paid_at=payment.paid_at,
        refund=RefundView(credits=refund.credits, amount_vnd=refund.amount_vnd)
        if refund and refunding
        else None,
        error=ErrorView(code=error.code, message=error.message) if error else None,
        urls=PaymentUrls(self=f"/payments/{payment.txn_ref}", pay=pay_url),
    )


def entry_view(entry: LedgerEntry, *, available_after: int, held_after: int) -> EntryView:
    """The entry for its owner; which operator it was is not theirs to know."""
    return EntryView(
        entry_id=entry.entry_id,
        kind=entry.kind,
        job_id=entry.job_id,
        txn_ref=entry.txn_ref,
        reason=entry.reason,
        created_at=entry.created_at,
        amount=BalanceView(available=entry.available, held=entry.held),
        balance_after=BalanceView(available=available_after, held=held_after),
    )
