"""What the gateway tells of a finished payment, through the browser and by IPN alike.

The parameters are those of VNPAY's page PAY. Of a payment that failed there is no vnp_BankTranNo,
vnp_TransactionNo is 0 and vnp_TransactionStatus 02, as integrators see it.
"""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from sandbox.vnpay.pay_request import Merchant
from sandbox.vnpay.signing import signed_query
from sandbox.vnpay.times import stamp
from sandbox.vnpay.transactions import Ended, Transaction

WRONG_OTP = "13"
FAILED = "02"
NO_TRANSACTION = "0"


def parameters(transaction: Transaction, ended: Ended, merchant: Merchant) -> dict[str, str]:
    """The parameters that tell of a payment that has ended so, without their hash."""
    said = {
        "vnp_TmnCode": merchant.tmn_code,
        "vnp_Amount": str(ended.amount),
        "vnp_BankCode": ended.bank_code,
        "vnp_CardType": ended.card_type,
        "vnp_PayDate": stamp(ended.at),
        "vnp_OrderInfo": transaction.request.order_info,
        "vnp_TransactionNo": ended.transaction_no,
        "vnp_ResponseCode": ended.response_code,
        "vnp_TransactionStatus": ended.status,
        "vnp_TxnRef": transaction.request.txn_ref,
    }
    if ended.bank_tran_no is not None:
        said["vnp_BankTranNo"] = ended.bank_tran_no
    return said


def notification(transaction: Transaction, ended: Ended, merchant: Merchant) -> str:
    """The signed query that tells of it."""
    return signed_query(parameters(transaction, ended, merchant), merchant.secret)


def stale_notification(transaction: Transaction, ended: Ended, merchant: Merchant) -> str:
    """The signed query that tells of an attempt before, at which the OTP was wrong."""
    attempt = Ended(
        at=ended.at,
        response_code=WRONG_OTP,
        status=FAILED,
        amount=transaction.request.amount,
        transaction_no=NO_TRANSACTION,
        bank_tran_no=None,
        bank_code=ended.bank_code,
        card_type=ended.card_type,
    )
    return notification(transaction, attempt, merchant)


def return_url(transaction: Transaction, ended: Ended, merchant: Merchant) -> str:
    """Where the customer goes back to; a query that the address has stays in front."""
    parts = urlsplit(transaction.request.return_url)
    query = "&".join(filter(None, (parts.query, notification(transaction, ended, merchant))))
    return urlunsplit(parts._replace(query=query))
