"""A plain page for people who come back from paying, where no web page is configured."""

from __future__ import annotations

from html import escape

from common.payments import Payment, PaymentStatus
from common.vnpay_codes import Outcome

UNVERIFIED = (
    "This link does not come from VNPAY, so it says nothing about a payment.",
    "Liên kết này không đến từ VNPAY nên không cho biết gì về thanh toán.",
)
BOOKED = (
    "Paid. {credits} credits have been added.",
    "Đã thanh toán. {credits} tín dụng đã được cộng.",
)
PAID = (
    "VNPAY says that it is paid. Your {credits} credits come as soon as VNPAY confirms it to us.",
    "VNPAY báo đã thanh toán. {credits} tín dụng sẽ được cộng ngay khi VNPAY xác nhận với chúng tôi.",  # noqa: E501 - one sentence
)
NOT_PAID = (
    "It was not paid, and no credits were added.",
    "Chưa thanh toán, không có tín dụng nào được cộng.",
)
PAID_BACK = (
    "This payment is being paid back, or has been.",
    "Khoản thanh toán này đang được hoàn lại hoặc đã được hoàn lại.",
)
LOOKING = (
    "VNPAY has not finished with this payment. It will be settled without you.",
    "VNPAY chưa xử lý xong thanh toán này. Bạn không cần làm gì thêm.",
)

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def return_page(payment: Payment | None, outcome: Outcome | None) -> str:
    """What VNPAY says and whether it is booked, in both languages; None: it proves nothing."""
    if payment is None or outcome is None:
        said = UNVERIFIED
    elif payment.status is PaymentStatus.PAID:
        said = BOOKED
    elif payment.status in (PaymentStatus.REFUNDING, PaymentStatus.REFUNDED):
        said = PAID_BACK
    elif payment.status is PaymentStatus.REVIEW:
        said = LOOKING
    else:
        said = {Outcome.PAID: PAID, Outcome.FAILED: NOT_PAID}.get(outcome, LOOKING)
    number = payment.credits if payment else 0
    english, vietnamese = (escape(text.format(credits=number)) for text in said)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>Imagify</title></head>'
        f'<body><h1>Imagify</h1><p>{english}</p><p lang="vi">{vietnamese}</p></body></html>'
    )
