"""The IPN: a GET from the gateway to the merchant, again and again until it is confirmed.

VNPAY's page PAY: RspCode 00 and 02 end it. After 01, 04, 97, 99, a timeout or anything else VNPAY
calls again, at most ten times, five minutes apart.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Literal

import httpx

from sandbox.vnpay.behaviour import BeforeReturn, Duplicate, Forged, Late, Missing, Reordered
from sandbox.vnpay.forgeries import forgeries
from sandbox.vnpay.notification import notification, parameters, stale_notification
from sandbox.vnpay.state import IpnCall, State
from sandbox.vnpay.transactions import TAKEN, Ended, Transaction

CONFIRMING = frozenset({"00", "02"})
ANSWER_BYTES_MAX = 16_384
"""An answer is read this far, and is nonsense if it goes on."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How one payment will be told of."""

    delay_seconds: float
    before_return: bool
    copies: int
    forged: bool
    stale: Literal["first", "last"] | None


class Notifier:
    """Tells the merchant of payments that have ended."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._http = httpx.AsyncClient(trust_env=False)
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Stop telling."""
        self.forget()
        await self._http.aclose()

    def forget(self) -> None:
        """Drop every notification that is under way or to be repeated."""
        for task in self._tasks:
            task.cancel()

    def plan(self, transaction: Transaction, ended: Ended) -> Plan | None:
        """How to tell of it, using up the misbehaviours that are due; None is not at all."""
        faults, ref = self._state.faults, transaction.request.txn_ref
        if self._state.behaviour.ipn_url is None or faults.take(Missing, ref):
            return None
        late = faults.take(Late, ref)
        duplicate = faults.take(Duplicate, ref)
        reordered = faults.take(Reordered, ref) if ended.status in TAKEN else None
        before_return = faults.take(BeforeReturn, ref) is not None
        usual_delay_seconds = 0 if before_return else self._state.behaviour.ipn_delay_seconds
        return Plan(
            delay_seconds=usual_delay_seconds + (late.seconds if late else 0),
            before_return=before_return,
            copies=duplicate.copies if duplicate else 1,
            forged=faults.take(Forged, ref) is not None,
            stale=reordered.stale if reordered else None,
        )

    def begin(self, transaction: Transaction, ended: Ended, plan: Plan) -> asyncio.Event:
        """Tell in the background; the event is set when the first calls are answered."""
        told = asyncio.Event()
        task = asyncio.create_task(self._tell(transaction, ended, plan, told))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return told

    async def tell_again(self, transaction: Transaction, ended: Ended) -> IpnCall:
        """One call now, whatever was planned; there must be an ipn_url."""
        return await self._notify(transaction, ended, what="again")

    async def _tell(
        self, transaction: Transaction, ended: Ended, plan: Plan, told: asyncio.Event
    ) -> None:
        state = self._state
        try:
            await asyncio.sleep(plan.delay_seconds)
            await self._tell_first(transaction, ended, plan)
        finally:
            told.set()
        for attempt in range(2, state.behaviour.tries_max + 1):
            await asyncio.sleep(state.behaviour.retry_seconds)
            if transaction.confirmed:
                return
            await self._notify(transaction, ended, attempt=attempt)

    async def _tell_first(self, transaction: Transaction, ended: Ended, plan: Plan) -> None:
        merchant = self._state.merchant
        stale = stale_notification(transaction, ended, merchant)
        if plan.forged:
            said = parameters(transaction, ended, merchant)
            for name, query in forgeries(said, merchant.secret, rng=self._state.rng):
                await self._call(transaction, query, what=f"forged: {name}")
        if plan.stale == "first":
            await self._call(transaction, stale, what="stale")
        await asyncio.gather(
            *(self._notify(transaction, ended, attempt=1) for _ in range(plan.copies))
        )
        if plan.stale == "last":
            await self._call(transaction, stale, what="stale")

    async def _notify(
        self,
        transaction: Transaction,
        ended: Ended,
        *,
        what: str = "notification",
        attempt: int = 0,
    ) -> IpnCall:
        query = notification(transaction, ended, self._state.merchant)
        call = await self._call(transaction, query, what=what, attempt=attempt)
        if call.rsp_code in CONFIRMING:
            transaction.confirmed = True
        return call

    async def _call(
        self, transaction: Transaction, query: str, *, what: str, attempt: int = 0
    ) -> IpnCall:
        state = self._state
        address = state.behaviour.ipn_url
        ref = transaction.request.txn_ref
        call = IpnCall(ref, what, attempt, address, query, state.now())
        state.ipn_calls.append(call)
        if address is None:
            call.error = "there is no ipn_url any more"
            return call
        try:
            async with asyncio.timeout(state.behaviour.ipn_timeout_seconds):
                await self._get(address, call)
        except TimeoutError:
            call.error = "no answer in time"
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            call.error = f"{type(error).__name__}: {error}"
        return call

    async def _get(self, address: str, call: IpnCall) -> None:
        url = f"{address}{'&' if '?' in address else '?'}{call.query}"
        body = b""
        async with self._http.stream("GET", url, timeout=None) as answer:
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > ANSWER_BYTES_MAX:
                    break
        call.http_status = answer.status_code
        if answer.status_code == httpx.codes.OK:
            call.rsp_code, call.message = _understood(body)


def _understood(body: bytes) -> tuple[str | None, str | None]:
    """RspCode and Message of an answer, or none when it is not such an answer."""
    if len(body) > ANSWER_BYTES_MAX:
        return None, None
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None, None
    if not isinstance(said, dict) or not isinstance(said.get("RspCode"), str):
        return None, None
    return said["RspCode"], str(said.get("Message", ""))
