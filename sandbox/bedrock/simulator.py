"""One call: whose region is it, is it within the quota, does it go wrong, what is the answer."""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
import time
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sandbox.bedrock.behaviour import Behaviour, Fault, Faults
from sandbox.bedrock.errors import BedrockError, throttled
from sandbox.bedrock.models import MODELS, PlayedModel
from sandbox.bedrock.painter import Painter
from sandbox.bedrock.picture.orders import Painting
from sandbox.bedrock.quota import SECOND_NS
from sandbox.bedrock.tally import Line, Tally
from sandbox.bedrock.wire import FILTERED_IMAGE, FILTERED_PROMPT, INFERENCE_ERROR, Order
from sandbox.loopback import Silence, client_gone

RETIRED = "This model version has reached the end of its life."
REFUSAL_LATENCY_SHARE = 0.1
"""A refused prompt is answered this much sooner than an image."""

_CREDENTIAL = re.compile(r"^AWS4-HMAC-SHA256 .*Credential=[^/,\s]+/\d{8}/([a-z0-9-]+)/bedrock/")
_ERRORS: Mapping[Fault, tuple[str, str]] = {
    Fault.NOT_READY: (
        "ModelNotReadyException",
        "The model is not ready to serve inference requests.",
    ),
    Fault.INTERNAL: ("InternalServerException", "An internal server error occurred."),
    Fault.UNAVAILABLE: (
        "ServiceUnavailableException",
        "The service isn't currently available. Try again later.",
    ),
    Fault.MODEL_ERROR: (
        "ModelErrorException",
        "The request failed due to an error while processing the model.",
    ),
    Fault.MODEL_TIMEOUT: ("ModelTimeoutException", "The request took too long to process."),
    Fault.ACCESS_DENIED: (
        "AccessDeniedException",
        "You don't have access to the model with the specified model ID.",
    ),
    Fault.VALIDATION: ("ValidationException", "The request is not valid."),
    Fault.NOT_FOUND: ("ResourceNotFoundException", RETIRED),
}
_REASONS: Mapping[Fault, str] = {
    Fault.REFUSE: FILTERED_PROMPT,
    Fault.REFUSE_IMAGE: FILTERED_IMAGE,
    Fault.INFERENCE_ERROR: INFERENCE_ERROR,
}


@dataclass(slots=True)
class _Call:
    """A call under way; `outcome` is the count that it will add to."""

    request: Request
    route: str
    model: PlayedModel
    line: Line
    arrived_ns: int
    outcome: str = "failures"


class Simulator:
    """Bedrock's runtime, with a behaviour, a quota a route and a tally of it all."""

    def __init__(self, behaviour: Behaviour, *, rng: random.Random, painter: Painter) -> None:
        self._first_behaviour = behaviour
        self._rng = rng
        self._painter = painter
        self.behaviour = behaviour
        self.faults = Faults(rng)
        self.tally = Tally()

    def reset(self) -> None:
        """Forget every call and every fault, and behave as at the start."""
        self.behaviour = self._first_behaviour
        self.faults.clear()
        self.tally = Tally()

    async def invoke(self, request: Request) -> Response:
        """`POST /model/{model_id}/invoke`.

        The quota is judged before anything is awaited, so calls are judged as they arrive.
        """
        arrived_ns: int = request.scope["state"]["arrived_ns"]
        tally = self.tally
        try:
            region = region_of(request)
            model_id: str = request.path_params["model_id"]
            model = self.served(model_id, region)
            self._require_access(model_id)
        except BedrockError as error:
            tally.add(None, calls=1, failures=1)
            return self._sent(error.response())
        route = f"{model_id}@{region}"
        call = _Call(request, route, model, tally.line(route), arrived_ns)
        tally.add(call.line, calls=1, in_flight=1)
        try:
            return self._sent(await self._answer(call, tally))
        except BedrockError as error:
            call.line.errors[error.code] += 1
            if error.code == "ThrottlingException":
                call.outcome = "throttles"
            return self._sent(error.response())
        finally:
            tally.add(call.line, in_flight=-1, **{call.outcome: 1})

    def served(self, model_id: str, region: str) -> PlayedModel:
        """The model, if the region has it; raises BedrockError."""
        model = MODELS.get(model_id)
        if model is None:
            raise BedrockError(
                "ResourceNotFoundException", f"Could not resolve the foundation model {model_id}."
            )
        if model.retired:
            if not self.behaviour.private_access:
                raise BedrockError("ResourceNotFoundException", RETIRED)
        elif region not in model.regions and not self.behaviour.any_region:
            raise BedrockError(
                "ValidationException",
                f"The provided model identifier is invalid: {region} does not have {model_id}.",
            )
        return model

    def _require_access(self, model_id: str) -> None:
        if model_id in self.behaviour.without_access:
            raise BedrockError(*_ERRORS[Fault.ACCESS_DENIED])

    async def _answer(self, call: _Call, tally: Tally) -> Response:
        behaviour = self.behaviour
        arrival = call.line.quota.arrive(
            call.arrived_ns,
            rate_per_second=behaviour.rate(call.route),
            enforce=behaviour.enforce,
        )
        if arrival.violation:
            tally.add(call.line, violations=1)
            if behaviour.enforce:
                raise throttled()
        tally.add(call.line, starts=1)
        fault = self.faults.next(call.route, now_ns=call.arrived_ns)
        if fault is Fault.THROTTLE:
            raise throttled()
        if fault is not None and fault in _ERRORS:
            raise BedrockError(*_ERRORS[fault])
        body = await call.request.body()
        if fault is Fault.HANG:
            return Silence()
        if fault is Fault.CLOSE:
            return _Severed(b"")
        order = call.model.wire.read(body, lambda most: self._rng.randint(1, most))
        if fault is None and _mentions(order.prompt, behaviour.broken_prompts):
            raise BedrockError(*_ERRORS[Fault.INTERNAL])
        answer = await self._generate(call, behaviour, order, fault)
        if fault is Fault.CUT:
            call.outcome = "failures"
            return _Severed(answer)
        return Response(answer, media_type="application/json")

    async def _generate(
        self, call: _Call, behaviour: Behaviour, order: Order, fault: Fault | None
    ) -> bytes:
        """Draw the order or refuse it, and take the model's time."""
        seconds = _latency_seconds(behaviour, order)
        reason = None if fault is None else _REASONS.get(fault)
        if reason is None and _mentions(order.prompt, behaviour.refused_prompts):
            reason = FILTERED_PROMPT
        if reason is None and _mentions(order.prompt, behaviour.refused_images):
            reason = FILTERED_IMAGE
        if reason is not None:
            if reason == FILTERED_PROMPT:
                seconds *= REFUSAL_LATENCY_SHARE
            await _sleep_until(call.arrived_ns + int(seconds * SECOND_NS))
            call.outcome = "failures" if reason == INFERENCE_ERROR else "refusals"
            return call.model.wire.refuse(order, reason)
        images = [
            await self._painter.paint(
                Painting(
                    prompt=order.prompt,
                    width=order.width,
                    height=order.height,
                    seed=seed,
                    output_format=order.output_format,
                    plain=behaviour.picture == "plain",
                )
            )
            for seed in order.seeds
        ]
        await _sleep_until(call.arrived_ns + int(seconds * SECOND_NS))
        call.outcome = "successes"
        return call.model.wire.answer(order, images)

    def _sent(self, response: Response) -> Response:
        response.headers["x-amzn-requestid"] = str(UUID(int=self._rng.getrandbits(128), version=4))
        return response


def region_of(request: Request) -> str:
    """The region that the call was signed for; signatures are not checked, only read."""
    match = _CREDENTIAL.match(request.headers.get("authorization", ""))
    if match is None:
        raise BedrockError(
            "AccessDeniedException", "The request is not signed for bedrock with Signature V4."
        )
    return match[1]


def _mentions(prompt: str, words: tuple[str, ...]) -> bool:
    """Whether one of the words is in the prompt, as a word and in any case."""
    folded = unicodedata.normalize("NFC", prompt).casefold()
    return any(
        re.search(
            rf"(?<!\w){re.escape(unicodedata.normalize('NFC', word).casefold())}(?!\w)", folded
        )
        for word in words
    )


def _latency_seconds(behaviour: Behaviour, order: Order) -> float:
    """The latency, moved by up to the spread; the same prompt and seed always take as long."""
    digest = hashlib.sha256(f"{order.seeds}{order.prompt}".encode()).digest()
    off = int.from_bytes(digest[:4], "big") / 2**31 - 1
    return behaviour.latency_seconds * (1 + behaviour.latency_spread * off)


async def _sleep_until(at_ns: int) -> None:
    await asyncio.sleep(max(0.0, (at_ns - time.monotonic_ns()) / SECOND_NS))


class _Severed(Response):
    """The first half of an answer, then nothing; without a body, not even its head."""

    media_type = "application/json"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport: asyncio.Transport = scope["state"]["transport"]
        if self.body:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            half = bytes(self.body[: len(self.body) // 2])
            await send({"type": "http.response.body", "body": half, "more_body": True})
            transport.close()
        else:
            transport.abort()
        await client_gone(receive)
