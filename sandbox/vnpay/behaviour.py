"""How the gateway behaves, and how it has been told to misbehave.

Everything here comes in through the control API, so each is checked and says what it means. A
misbehaviour is due for the next `count` occasions, with `txn_ref` only for that transaction's.
Those of different kinds add up: a notification can be late, forged and sent in two copies at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

DUE_MAX = 100
"""How many misbehaviours may be due at once."""


def _check_address(address: str) -> str:
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        raise ValueError("not a URL") from None
    if url.scheme not in ("http", "https") or not url.host or url.fragment:
        raise ValueError("must be an http or https URL without a fragment")
    return address


Address = Annotated[str, Field(max_length=2000), AfterValidator(_check_address)]
Vnd = Annotated[int, Field(ge=1, le=9_999_999_999)]
"""Whole VND; × 100 it has 12 digits."""


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Behaviour(_Told):
    """What stays so until it is changed."""

    ipn_url: Address | None = None
    """Where the IPN goes, which a merchant tells VNPAY once; without it there is none."""
    ipn_delay_seconds: Annotated[float, Field(ge=0, le=3600)] = 0.5
    """From the redirect to the IPN, which thus comes a moment after the customer's return."""
    ipn_timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 30.0
    """How long an IPN may take before it counts as not answered."""
    retry_seconds: Annotated[float, Field(ge=0, le=86_400)] = 300.0
    """From an IPN that was not confirmed to the next (VNPAY, page PAY)."""
    tries_max: Annotated[int, Field(ge=1, le=100)] = 11
    """IPN calls in all: the first, and as VNPAY's page PAY has it, ten more."""
    query_gap_seconds: Annotated[float, Field(ge=0, le=86_400)] = 300.0
    """From an answered querydr to the next that is, for one TxnRef; those between get 94."""
    refund_seconds: Annotated[float, Field(ge=0, le=86_400)] = 60.0
    """How long a refund is at VNPAY (05), and then again at the bank (06)."""
    expired_status: Literal["01", "02", "08"] = "01"
    """TransactionStatus of a payment that was left to expire: VNPAY's pages do not say."""
    amount_min_vnd: Vnd = 5_000
    """VND; from this on a payment is taken, as integrators report."""
    amount_max_vnd: Vnd = 999_999_999
    """VND; up to this a payment is taken, as integrators report."""


class _Misbehaviour(_Told):
    kind: str
    count: Annotated[int, Field(ge=1, le=10_000)] = 1
    txn_ref: Annotated[str, Field(min_length=1, max_length=100)] | None = None

    def concerns(self, txn_ref: str | None, command: str | None) -> bool:  # noqa: ARG002
        """Whether this is an occasion for it."""
        return self.txn_ref in (None, txn_ref)


class Suspected(_Misbehaviour):
    """A payment is 07: the money is taken, and VNPAY suspects fraud."""

    kind: Literal["suspected"]


class WrongAmount(_Misbehaviour):
    """Another amount than asked comes in; redirect, IPN and querydr say so, correctly signed."""

    kind: Literal["wrong_amount"]
    amount_vnd: Vnd


class Late(_Misbehaviour):
    """The IPN comes so many seconds later."""

    kind: Literal["late"]
    seconds: Annotated[float, Field(gt=0, le=86_400)]


class Duplicate(_Misbehaviour):
    """The first IPN goes out in so many copies at once."""

    kind: Literal["duplicate"]
    copies: Annotated[int, Field(ge=2, le=50)] = 2


class Missing(_Misbehaviour):
    """No IPN ever, except when the control API asks for it."""

    kind: Literal["missing"]


class BeforeReturn(_Misbehaviour):
    """The first IPN is answered before the redirect is given; usually it starts after that."""

    kind: Literal["before_return"]


class Reordered(_Misbehaviour):
    """A payment that is paid also has a failed attempt (13), told of before or after it."""

    kind: Literal["reordered"]
    stale: Literal["first", "last"] = "last"


class Forged(_Misbehaviour):
    """IPNs that VNPAY never signed come first; `forgeries.py` names them."""

    kind: Literal["forged"]


class ApiFault(_Misbehaviour):
    """What goes wrong with a call to the merchant API."""

    command: Literal["querydr", "refund"] | None = None
    """Only these calls."""

    def concerns(self, txn_ref: str | None, command: str | None) -> bool:
        """Whether this is an occasion for it."""
        return super().concerns(txn_ref, command) and self.command in (None, command)


class Silent(ApiFault):
    """Nothing is done and nothing answered, until the client gives up."""

    kind: Literal["silent"]


class Lost(ApiFault):
    """What was asked is done, but the answer never comes."""

    kind: Literal["lost"]


class Unsigned(ApiFault):
    """What was asked is done, but the answer has no hash, or a wrong one."""

    kind: Literal["unsigned"]
    hash: Literal["none", "wrong"] = "none"


class Refuse(ApiFault):
    """Nothing is done; the answer is signed and has this ResponseCode."""

    kind: Literal["refuse"]
    code: Annotated[str, Field(pattern=r"^[0-9]{2}$")] = "99"


class Error500(ApiFault):
    """Nothing is done; the answer is HTTP 500 and a page of HTML."""

    kind: Literal["error500"]


class RefundRefused(_Misbehaviour):
    """A refund is accepted, and `refund_seconds` later refused (09)."""

    kind: Literal["refund_refused"]


AtApi = Silent | Lost | Unsigned | Refuse | Error500
Misbehaviour = Annotated[
    Suspected
    | WrongAmount
    | Late
    | Duplicate
    | Missing
    | BeforeReturn
    | Reordered
    | Forged
    | AtApi
    | RefundRefused,
    Field(discriminator="kind"),
]
MISBEHAVIOUR: TypeAdapter[Misbehaviour] = TypeAdapter(Misbehaviour)
"""Reads what the control API is told."""

_Kind = TypeVar("_Kind", bound=_Misbehaviour)


class Faults:
    """The misbehaviours that are due, the oldest first."""

    def __init__(self) -> None:
        self._due: list[_Due] = []

    def add(self, told: Misbehaviour) -> None:
        """Begin to misbehave; raises ValueError when too much is due already."""
        if len(self._due) == DUE_MAX:
            raise ValueError(f"More than {DUE_MAX} misbehaviours cannot be due.")
        self._due.append(_Due(told))

    def clear(self) -> None:
        """Behave again."""
        self._due.clear()

    def take(
        self, kind: type[_Kind], txn_ref: str | None, command: str | None = None
    ) -> _Kind | None:
        """The misbehaviour of a kind that is due on this occasion, which uses it up, or None."""
        for due in self._due:
            if isinstance(due.told, kind) and due.told.concerns(txn_ref, command):
                due.count_left -= 1
                if due.count_left == 0:
                    self._due.remove(due)
                return due.told
        return None

    def pending(self) -> list[Mapping[str, object]]:
        """What is still due, for people."""
        return [
            due.told.model_dump(mode="json", exclude_none=True) | {"count": due.count_left}
            for due in self._due
        ]


class _Due:
    """A misbehaviour, and how often it is still due."""

    def __init__(self, told: _Misbehaviour) -> None:
        self.told = told
        self.count_left = told.count
