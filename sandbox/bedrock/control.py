"""The control API, `/_control/…`: what has happened, and what shall go wrong next.

    GET    /_control/health      200 {"status": "ok"}
    GET    /_control/state       counts, gaps, faults due, behaviour, ?arrivals=N last arrivals
    POST   /_control/reset       forget it all, behave as at the start
    POST   /_control/settings    change some of the behaviour, such as {"latency_seconds": 0.2}
    POST   /_control/behaviour   misbehave, such as {"kind": "throttle", "calls": 3}
    DELETE /_control/behaviour   stop misbehaving

Times are seconds of the machine's monotonic clock, as `time.monotonic()` gives them to any process.
A body that cannot be read gets 422 and `{"message": "a sentence"}`, and changes nothing.
"""

from __future__ import annotations

import json
import time

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.bedrock.behaviour import Behaviour, Misbehaviour
from sandbox.bedrock.simulator import Simulator
from sandbox.loopback import not_understood, refusal

ARRIVALS_SHOWN = 1000


class _StateQuery(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    arrivals: int = Field(default=ARRIVALS_SHOWN, ge=0, le=100_000)


class Control:
    """The control API of one simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def routes(self) -> list[Route]:
        """Where each thing is asked for."""
        return [
            Route("/_control/health", self._health, methods=["GET"]),
            Route("/_control/state", self._state, methods=["GET"]),
            Route("/_control/reset", self._reset, methods=["POST"]),
            Route("/_control/settings", self._settings, methods=["POST"]),
            Route("/_control/behaviour", self._misbehave, methods=["POST"]),
            Route("/_control/behaviour", self._behave, methods=["DELETE"]),
        ]

    async def _health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _state(self, request: Request) -> Response:
        try:
            query = _StateQuery.model_validate(dict(request.query_params))
        except ValidationError as error:
            return not_understood(error)
        return self._shown(arrivals_max=query.arrivals)

    async def _reset(self, _: Request) -> Response:
        self._simulator.reset()
        return self._shown()

    async def _settings(self, request: Request) -> Response:
        simulator = self._simulator
        try:
            asked = json.loads(await request.body())
            if not isinstance(asked, dict):
                return refusal("The body must be a JSON object of settings.")
            simulator.behaviour = Behaviour.model_validate(simulator.behaviour.model_dump() | asked)
        except ValidationError as error:
            return not_understood(error)
        except ValueError:
            return refusal("The body is not JSON.")
        return self._shown()

    async def _misbehave(self, request: Request) -> Response:
        try:
            told = Misbehaviour.model_validate_json(await request.body())
        except ValidationError as error:
            return not_understood(error)
        self._simulator.faults.add(told, now_ns=time.monotonic_ns())
        return self._shown()

    async def _behave(self, _: Request) -> Response:
        self._simulator.faults.clear()
        return self._shown()

    def _shown(self, *, arrivals_max: int = 0) -> Response:
        simulator = self._simulator
        now_ns = time.monotonic_ns()
        return JSONResponse(
            {
                "now_seconds": now_ns / 1e9,
                "settings": simulator.behaviour.model_dump(mode="json"),
                "behaviour": simulator.faults.pending(now_ns=now_ns),
                **simulator.tally.summary(simulator.behaviour, arrivals_max=arrivals_max),
            }
        )
