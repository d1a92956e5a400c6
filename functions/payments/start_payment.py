"""Begin a payment: it is stored before its customer is sent to pay."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from common.api_money import PaymentRequest
from common.errors import InvalidRequest, KeyReused, Rejected, TooManyOpenPayments
from common.packages import Package
from common.payments import PAY_MINUTES, Payment, txn_ref_for

if TYPE_CHECKING:
    from common.ports import MerchantReader, PaymentOpener

OPEN_MAX = 10
"""Payments that one user may have open on the pay page at a time."""
LOOKED_AT = 50
"""The user's latest payments, among which the open ones are counted."""


def start_payment(
    request: PaymentRequest,
    *,
    user_id: str,
    key: str,
    ip_address: str,
    packages: Sequence[Package],
    payments: PaymentOpener,
    merchant: MerchantReader,
    now: datetime,
) -> Payment:
    """The payment that the user's key stands for, new or as it is; the same again is the same.

    Raises InvalidRequest, TooManyOpenPayments, Conflict while nobody can pay, or KeyReused when the
    key came with another request before; then nothing has changed.
    """
    txn_ref = txn_ref_for(user_id, key)
    fingerprint = _fingerprint(request)
    try:
        package = _package_of(request, packages)
        merchant()
        _require_room(user_id, payments, now)
    except Rejected:
        # What could be begun once is that payment for ever, whatever is sold now.
        there = payments.get(txn_ref)
        if there is None:
            raise
        payment = there
    else:
        expires_at = now + timedelta(minutes=PAY_MINUTES)
        payment = payments.open(
            Payment(
                txn_ref=txn_ref,
                user_id=user_id,
                package=package.package,
                credits=package.credits,
                amount_vnd=package.price_vnd,
                locale=request.locale,
                bank_code=request.bank_code,
                ip_address=ip_address,
                fingerprint=fingerprint,
                created_at=now,
                expires_at=expires_at,
                due_at=expires_at,
            )
        )
    if payment.fingerprint != fingerprint:
        raise KeyReused("This Idempotency-Key was used before, with another request.")
    return payment


def _package_of(request: PaymentRequest, packages: Sequence[Package]) -> Package:
    for package in packages:
        if package.package == request.package:
            return package
    names = ", ".join(package.package for package in packages) or "none"
    raise InvalidRequest(
        f"There is no package of that name; there is {names}.", code="unknown_package"
    )


def _require_room(user_id: str, payments: PaymentOpener, now: datetime) -> None:
    """Each open payment will be asked after, so nobody may begin very many of them.

    The index is a moment behind, so whoever is quick enough can begin some more.
    """
    latest = payments.page(user_id, limit=LOOKED_AT).items
    open_ones = [payment for payment in latest if payment.payable(now)]
    if len(open_ones) >= OPEN_MAX:
        first_ends = min(payment.expires_at for payment in open_ones)
        raise TooManyOpenPayments(
            f"You have {len(open_ones)} payments open; finish one, or wait until one expires.",
            retry_after_seconds=max(1, int((first_ends - now).total_seconds())),
        )


def _fingerprint(request: PaymentRequest) -> str:
    """What was asked, without what says the same as its absence."""
    asked = request.model_dump(exclude_defaults=True)
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
