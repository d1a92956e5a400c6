"""The control API, `/_control/…`: what has happened, and what shall go wrong next.

    GET    /_control/health       200 {"status": "ok"}
    GET    /_control/state        settings, misbehaviours due, payments, IPN and API calls
    POST   /_control/reset        forget it all, behave as at the start
    POST   /_control/settings     change some of the behaviour, such as {"retry_seconds": 0.2}
    POST   /_control/behaviour    misbehave, such as {"kind": "late", "seconds": 5, "count": 2}
    DELETE /_control/behaviour    stop misbehaving
    GET    /_control/transactions/{txn_ref}/notification
                                  {"query": what its IPN carries, "return_url": where it leads back}
    POST   /_control/transactions/{txn_ref}/notify
                                  send its IPN now, once; gives the call and its answer

Misbehaviours have `kind`, `count` (1 by default: the next so many) and `txn_ref` (any by default):

    of a payment   {"kind": "suspected"}                            07, money taken
                   {"kind": "wrong_amount", "amount_vnd": 1000}     that much came in
    of its IPN     {"kind": "late", "seconds": 5}
                   {"kind": "duplicate", "copies": 3}               at once, 2 by default
                   {"kind": "missing"}                              never
                   {"kind": "before_return"}                        answered before the redirect
                   {"kind": "reordered", "stale": "first"}          a failed one too, or "last"
                   {"kind": "forged"}                               six forgeries come first
    of an answer   {"kind": "silent"}                               nothing done, none
                   {"kind": "lost"}                                 done, none
                   {"kind": "unsigned", "hash": "wrong"}            done, or "none"
                   {"kind": "refuse", "code": "99"}                 nothing done, signed
                   {"kind": "error500"}                             nothing done, HTTP 500
    of a refund    {"kind": "refund_refused"}                       accepted, in the end 09

Those of an answer may name a `command`, querydr or refund. Times are ISO 8601 in GMT+7. A body that
cannot be read, or asks for what cannot be, gets 422 and `{"message": "a sentence"}`, and changes
nothing; a payment that is unknown or not finished gets 404.
"""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.loopback import not_understood, refusal
from sandbox.vnpay.behaviour import MISBEHAVIOUR, Behaviour
from sandbox.vnpay.bodies import read_body
from sandbox.vnpay.notification import notification, return_url
from sandbox.vnpay.notifier import Notifier
from sandbox.vnpay.state import State
from sandbox.vnpay.transactions import Ended, Transaction

_SETTINGS: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


class Control:
    """The control API of one simulator."""

    def __init__(self, state: State, notifier: Notifier) -> None:
        self._state = state
        self._notifier = notifier

    def routes(self) -> list[Route]:
        """Where each thing is asked for."""
        transaction = "/_control/transactions/{txn_ref}"
        return [
            Route("/_control/health", self._health, methods=["GET"]),
            Route("/_control/state", self._shown, methods=["GET"]),
            Route("/_control/reset", self._reset, methods=["POST"]),
            Route("/_control/settings", self._settings, methods=["POST"]),
            Route("/_control/behaviour", self._misbehave, methods=["POST"]),
            Route("/_control/behaviour", self._behave, methods=["DELETE"]),
            Route(f"{transaction}/notification", self._notification, methods=["GET"]),
            Route(f"{transaction}/notify", self._notify, methods=["POST"]),
        ]

    async def _health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _shown(self, _: Request) -> Response:
        return JSONResponse(self._state.summary())

    async def _reset(self, request: Request) -> Response:
        self._notifier.forget()
        self._state.reset()
        return await self._shown(request)

    async def _settings(self, request: Request) -> Response:
        state = self._state
        try:
            asked = _SETTINGS.validate_json(await read_body(request))
            state.behaviour = Behaviour.model_validate(state.behaviour.model_dump() | asked)
        except ValidationError as error:
            return not_understood(error)
        return await self._shown(request)

    async def _misbehave(self, request: Request) -> Response:
        try:
            told = MISBEHAVIOUR.validate_json(await read_body(request))
            self._state.faults.add(told)
        except ValidationError as error:
            return not_understood(error)
        except ValueError as error:
            return refusal(str(error))
        return await self._shown(request)

    async def _behave(self, request: Request) -> Response:
        self._state.faults.clear()
        return await self._shown(request)

    async def _notification(self, request: Request) -> Response:
        finished = self._finished(request)
        if finished is None:
            return _not_finished(request)
        merchant = self._state.merchant
        return JSONResponse(
            {
                "query": notification(*finished, merchant),
                "return_url": return_url(*finished, merchant),
            }
        )

    async def _notify(self, request: Request) -> Response:
        finished = self._finished(request)
        if finished is None:
            return _not_finished(request)
        if self._state.behaviour.ipn_url is None:
            return refusal("There is no ipn_url to notify.")
        call = await self._notifier.tell_again(*finished)
        return JSONResponse(call.summary())

    def _finished(self, request: Request) -> tuple[Transaction, Ended] | None:
        known = self._state.transactions.get(request.path_params["txn_ref"])
        return (known, known.ended) if known is not None and known.ended is not None else None


def _not_finished(request: Request) -> Response:
    message = f"There is no finished payment {request.path_params['txn_ref']}."
    return JSONResponse({"message": message}, status_code=404)
