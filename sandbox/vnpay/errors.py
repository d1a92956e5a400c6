"""The gateway's refusals: a page for the customer's browser, an answer for the merchant's server.

The codes of pages are those that integrators see in the address of VNPAY's error page; VNPAY's
documentation does not list them. Those of answers are in its page querydr & refund.
"""

from __future__ import annotations

from enum import StrEnum


class PageCode(StrEnum):
    """Why VNPAY shows its error page."""

    EXISTS = "01"
    """The TxnRef was used before: with other parameters, or it is finished."""
    FORMAT = "03"
    """A parameter is missing, unknown, repeated or not in its format."""
    EXPIRED = "15"
    """vnp_ExpireDate has passed."""
    SIGNATURE = "70"
    """vnp_SecureHash is wrong."""
    MERCHANT = "72"
    """No merchant has this vnp_TmnCode."""
    NOT_FOUND = "91"
    """The form belongs to no transaction: the simulator has forgotten it."""


PAGE_STATUSES = {
    PageCode.EXISTS: 409,
    PageCode.EXPIRED: 410,
    PageCode.NOT_FOUND: 404,
}
"""The HTTP status of a page, 400 if it is not here. VNPAY itself redirects to a page with 200."""


class PageError(Exception):
    """A page with VNPAY's code; `detail` is for the developer who reads it."""

    def __init__(self, code: PageCode, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class ApiError(Exception):
    """An answer with VNPAY's code.

    It is signed, unless nothing proves that the merchant asked.
    """

    def __init__(self, code: str, message: str, *, signed: bool = True) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.signed = signed
