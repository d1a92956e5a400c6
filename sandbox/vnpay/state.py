"""What one simulator knows: its merchant, its settings, its payments, and the calls it has seen."""

from __future__ import annotations

import itertools
import random
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime

from sandbox.vnpay.behaviour import Behaviour, Faults
from sandbox.vnpay.pay_request import Merchant
from sandbox.vnpay.times import shown, stamp
from sandbox.vnpay.transactions import Transactions

CALLS_MAX = 1000
"""How many calls of each kind are remembered."""
REQUEST_IDS_MAX = 10_000
"""How many ids of API calls are remembered."""


@dataclass(slots=True)
class IpnCall:
    """A call that the gateway made to the merchant, and how it was answered if it was."""

    txn_ref: str
    what: str
    """`notification`, `again` (asked for by the control API), `stale` or `forged: …`."""
    attempt: int
    """Which of its notification's tries it is, from 1; 0 when it is not one of them."""
    url: str | None
    """Where it went, without the query that it carried."""
    query: str
    at: datetime
    http_status: int | None = None
    rsp_code: str | None = None
    message: str | None = None
    error: str | None = None
    """Why there is no answer."""

    def summary(self) -> dict[str, object]:
        """All of it, for people."""
        return asdict(self) | {"at": shown(self.at)}


@dataclass(slots=True)
class ApiCall:
    """A call that the merchant made, and how it was answered if it was."""

    at: datetime
    command: str | None
    txn_ref: str | None
    request_id: str | None
    misbehaviour: str | None = None
    http_status: int | None = None
    response_code: str | None = None
    message: str | None = None

    def summary(self) -> dict[str, object]:
        """All of it, for people."""
        return asdict(self) | {"at": shown(self.at)}


class State:
    """One simulator's knowledge. It is used from one thread, and nothing outlives the process."""

    def __init__(
        self,
        merchant: Merchant,
        behaviour: Behaviour,
        *,
        rng: random.Random,
        now: Callable[[], datetime],
    ) -> None:
        self._first_behaviour = behaviour
        # A merchant may rely on these being new, so another run does not begin where this did.
        self._numbers = itertools.count(rng.randrange(10_000_000, 90_000_000))
        self.merchant = merchant
        self.rng = rng
        self.now = now
        self.reset()

    def reset(self) -> None:
        """Forget every payment, call and misbehaviour, and behave as at the start."""
        self.behaviour = self._first_behaviour
        self.faults = Faults()
        self.transactions = Transactions()
        self.ipn_calls: deque[IpnCall] = deque(maxlen=CALLS_MAX)
        self.api_calls: deque[ApiCall] = deque(maxlen=CALLS_MAX)
        self._request_ids: OrderedDict[tuple[str, str], None] = OrderedDict()

    def next_number(self) -> str:
        """A vnp_TransactionNo that no other transaction has."""
        return str(next(self._numbers))

    def random_id(self) -> str:
        """32 hexadecimal digits."""
        return f"{self.rng.getrandbits(128):032x}"

    def is_new(self, request_id: str) -> bool:
        """Whether the id is used for the first time today, by VNPAY's calendar; it now is used."""
        key = (stamp(self.now())[:8], request_id)
        if key in self._request_ids:
            return False
        if len(self._request_ids) == REQUEST_IDS_MAX:
            self._request_ids.popitem(last=False)
        self._request_ids[key] = None
        return True

    def summary(self) -> dict[str, object]:
        """All of it but the secret, for people."""
        now, behaviour = self.now(), self.behaviour
        return {
            "now": shown(now),
            "tmn_code": self.merchant.tmn_code,
            "settings": behaviour.model_dump(mode="json"),
            "behaviour": self.faults.pending(),
            "transactions": self.transactions.summary(now, behaviour),
            "ipn_calls": [call.summary() for call in self.ipn_calls],
            "api_calls": [call.summary() for call in self.api_calls],
        }
