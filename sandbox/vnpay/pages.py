"""The gateway's two pages in Vietnamese and English: to pay, and what is wrong.

They need no script, fit a phone, and say that no money moves. Everything that came in from outside
is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from html import escape
from pathlib import Path

from sandbox.vnpay.errors import PageCode
from sandbox.vnpay.times import GMT7
from sandbox.vnpay.transactions import Transaction

_STYLE = Path(__file__).with_name("pages.css").read_text(encoding="utf-8")
_LANGUAGES = {"vn": "vi", "en": "en"}
_TEXTS: Mapping[str, Mapping[str, str]] = {
    "vn": {
        "simulated": "Cổng thanh toán giả lập: không có khoản tiền nào được chuyển.",
        "title": "Thanh toán đơn hàng",
        "merchant": "Đơn vị bán",
        "order": "Nội dung",
        "reference": "Mã giao dịch",
        "bank": "Ngân hàng",
        "any_bank": "Tự chọn",
        "valid": "Còn hiệu lực",
        "remaining": "{minutes} phút {seconds} giây, đến {until} (giờ Việt Nam)",
        "pay": "Thanh toán",
        "cancel": "Hủy giao dịch",
        "wrong_otp": "Nhập sai mã OTP",
        "too_little_money": "Tài khoản không đủ số dư",
        "error": "Không thể thanh toán",
        "code": "Mã lỗi",
        "reason": "Lý do",
        "detail": "Chi tiết",
    },
    "en": {
        "simulated": "A simulated payment gateway: no money moves.",
        "title": "Pay for your order",
        "merchant": "Merchant",
        "order": "For",
        "reference": "Reference",
        "bank": "Bank",
        "any_bank": "Any",
        "valid": "Valid for",
        "remaining": "{minutes} min {seconds} s, until {until} (Vietnam time)",
        "pay": "Pay",
        "cancel": "Cancel",
        "wrong_otp": "Enter a wrong OTP",
        "too_little_money": "Have too little money",
        "error": "This cannot be paid",
        "code": "Error",
        "reason": "Reason",
        "detail": "Details",
    },
}
_REASONS: Mapping[PageCode, Mapping[str, str]] = {
    PageCode.EXISTS: {
        "vn": "Giao dịch đã tồn tại.",
        "en": "This transaction already exists.",
    },
    PageCode.FORMAT: {
        "vn": "Dữ liệu gửi sang không đúng định dạng.",
        "en": "The data is not in the right format.",
    },
    PageCode.EXPIRED: {
        "vn": "Giao dịch đã quá thời gian chờ thanh toán.",
        "en": "The time to pay is over.",
    },
    PageCode.SIGNATURE: {
        "vn": "Sai chữ ký.",
        "en": "The signature is wrong.",
    },
    PageCode.MERCHANT: {
        "vn": "Không tìm thấy website.",
        "en": "There is no such website.",
    },
    PageCode.NOT_FOUND: {
        "vn": "Không tìm thấy giao dịch.",
        "en": "There is no such transaction.",
    },
}
_BUTTONS = ("pay", "cancel", "wrong_otp", "too_little_money")


def pay_page(transaction: Transaction, tmn_code: str, *, now: datetime) -> str:
    """What is to be paid, for how long, and the buttons that end it."""
    request = transaction.request
    texts = _TEXTS[request.locale]
    minutes, seconds = divmod(int((request.expires_at - now).total_seconds()), 60)
    remaining = texts["remaining"].format(
        minutes=minutes,
        seconds=seconds,
        until=request.expires_at.astimezone(GMT7).strftime("%H:%M:%S"),
    )
    rows = {
        "merchant": tmn_code,
        "order": request.order_info,
        "reference": request.txn_ref,
        "bank": request.bank_code or texts["any_bank"],
        "valid": remaining,
    }
    buttons = "\n".join(
        f'<button class="{name}" name="outcome" value="{name}">{texts[name]}</button>'
        for name in _BUTTONS
    )
    # The form's address is relative, so that the page works behind any prefix.
    return _page(
        request.locale,
        "title",
        f'<p class="amount">{_money(request.amount, request.locale)}</p>',
        f"""{_rows(rows, texts)}
<form method="post" action="pay">
<input type="hidden" name="token" value="{escape(transaction.token)}">
{buttons}
</form>""",
    )


def error_page(code: PageCode, detail: str, locale: str) -> str:
    """VNPAY's code, what it means, and what exactly was wrong."""
    rows = {"code": code.value, "reason": _REASONS[code][locale], "detail": detail}
    return _page(locale, "error", "", _rows(rows, _TEXTS[locale]))


def _page(locale: str, title: str, under_title: str, body: str) -> str:
    texts = _TEXTS[locale]
    return f"""<!doctype html>
<html lang="{_LANGUAGES[locale]}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{texts[title]} · VNPAY</title>
<style>
{_STYLE}</style>
</head>
<body>
<main>
<p class="simulated" role="note">{texts["simulated"]}</p>
<header>
<p class="brand">VN<span>PAY</span></p>
<h1>{texts[title]}</h1>
{under_title}
</header>
{body}
</main>
</body>
</html>
"""


def _rows(rows: Mapping[str, str], texts: Mapping[str, str]) -> str:
    shown = "\n".join(
        f"<div><dt>{texts[name]}</dt><dd>{escape(value)}</dd></div>" for name, value in rows.items()
    )
    return f"<dl>\n{shown}\n</dl>"


def _money(amount: int, locale: str) -> str:
    """An amount in VND × 100, as people write it."""
    grouped = f"{amount // 100:,}"
    return f"{grouped.replace(',', '.')} ₫" if locale == "vn" else f"{grouped} VND"
