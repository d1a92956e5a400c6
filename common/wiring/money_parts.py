"""What payments and the sweep are made of: who pays whom for what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.aws import clients
from common.aws.dynamo_payments import DynamoPaymentStore
from common.aws.ssm_merchant import SsmMerchant

if TYPE_CHECKING:
    from common.settings.money import MoneySettings


def payments(settings: MoneySettings) -> DynamoPaymentStore:
    """The payments, and the credits that they buy."""
    return DynamoPaymentStore(
        clients.dynamodb(settings.home_region),
        payments_table=settings.payments_table,
        users_table=settings.users_table,
        ledger_table=settings.ledger_table,
    )


def merchant(settings: MoneySettings) -> SsmMerchant:
    """The merchant's account."""
    return SsmMerchant(clients.ssm(settings.home_region), parameter=settings.vnpay_parameter)
