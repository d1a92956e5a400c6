"""Book an IPN: VNPAY's word that a payment was paid or failed, over and over until we confirm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.booking import book
from common.errors import BadSignature
from common.metrics import NOTIFICATIONS_FAILED, NOTIFICATIONS_REFUSED
from common.observability import count, logger
from common.payments import News, Verdict
from common.vnpay import read_notification
from common.vnpay_codes import RspCode

if TYPE_CHECKING:
    from common.ports import Clock, MerchantReader, PaymentSaver

ANSWERS = {
    Verdict.RECORDED: RspCode.RECORDED,
    Verdict.REPEATED: RspCode.ALREADY_RECORDED,
    Verdict.OTHER_AMOUNT: RspCode.OTHER_AMOUNT,
    Verdict.UNCLEAR: RspCode.ERROR,
}


def book_notification(
    raw_query: str,
    *,
    source_ip: str,
    payments: PaymentSaver,
    merchant: MerchantReader,
    now: Clock,
) -> RspCode:
    """Book what an IPN says, and answer it as VNPAY's page "PAY" orders the checks.

    Raises nothing: whatever goes wrong is 99, after which VNPAY calls again. A call that is not
    VNPAY's leaves no trace in any payment, as anybody could make it.
    """
    if not raw_query:
        return RspCode.ERROR
    try:
        account = merchant()
        if not account.allows(source_ip):
            logger.warning("an IPN from elsewhere", source_ip=source_ip)
            count(NOTIFICATIONS_REFUSED)
            return RspCode.ADDRESS_NOT_ALLOWED
        said = read_notification(raw_query, account)
        news = News(
            txn_ref=said.txn_ref,
            outcome=said.outcome,
            amount_vnd=said.amount_vnd,
            response_code=said.response_code,
            transaction_no=said.transaction_no,
        )
        heard = book(news, payments=payments, now=now) if news.txn_ref else None
    except BadSignature as error:
        logger.warning("an IPN that is not VNPAY's", reason=error.message)
        count(NOTIFICATIONS_REFUSED)
        return RspCode.BAD_SIGNATURE
    except Exception:  # noqa: BLE001 - the protocol's answer to whatever happens here
        logger.exception("an IPN was not booked")
        count(NOTIFICATIONS_FAILED)
        return RspCode.ERROR
    return ANSWERS[heard.verdict] if heard else RspCode.UNKNOWN_PAYMENT
