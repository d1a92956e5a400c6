"""What `functions/payments` works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from common.ports import Clock, MerchantReader, NewId, PaymentStore
    from common.settings.payments import PaymentsSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentsServices:
    """What `functions/payments` works with."""

    settings: PaymentsSettings
    payments: PaymentStore
    merchant: MerchantReader
    now: Clock
    new_id: NewId
