"""How the simulator behaves, and how it has been told to misbehave.

Everything here comes in through the control API, so each is checked and says what it means.
"""

from __future__ import annotations

import random
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Rate = Annotated[float, Field(ge=0.1, le=1000)]
Words = tuple[Annotated[str, Field(min_length=1)], ...]


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Behaviour(_Told):
    """What stays so until it is changed."""

    latency_seconds: Annotated[float, Field(ge=0, le=300)] = 3.0
    """From a call's arrival to its answer."""
    latency_spread: Annotated[float, Field(ge=0, le=1)] = 0.0
    """How far a call's latency may be off, as a share of it; decided by prompt and seed."""
    rate_per_second: Rate = 2.0
    """The quota of a model in a region; a rate that is not whole counts over ten seconds."""
    rates: dict[str, Rate] = {}
    """Quotas of their own, by route: `model@region`."""
    enforce: bool = True
    """Whether a call over the quota is turned away; it is counted in any case."""
    private_access: bool = False
    """Whether retired models are still served."""
    any_region: bool = False
    """Whether models are served everywhere, not only where the service has them."""
    without_access: tuple[str, ...] = ()
    """Models, by id, that this account has not been given access to."""
    picture: Literal["full", "plain"] = "full"
    """`plain` is one flat image a size, for measuring pace without paying for drawing."""
    refused_prompts: Words = ("nsfw", "nude", "gore", "khỏa thân", "khoả thân")
    """A prompt with one of these words is refused before anything is drawn."""
    refused_images: Words = ("bloodbath", "tắm máu")
    """A prompt with one of these words is drawn, and then the image is refused."""
    broken_prompts: Words = ()
    """A prompt with one of these words breaks the model: InternalServerException, each time."""

    def rate(self, route: str) -> float:
        """The route's quota, in starts a second."""
        return self.rates.get(route, self.rate_per_second)


class Fault(StrEnum):
    """What can be made to go wrong."""

    THROTTLE = "throttle"
    """ThrottlingException, 429, as if the account's quota were used up elsewhere."""
    NOT_READY = "not_ready"
    """ModelNotReadyException, 429."""
    INTERNAL = "internal"
    """InternalServerException, 500."""
    UNAVAILABLE = "unavailable"
    """ServiceUnavailableException, 503."""
    MODEL_ERROR = "model_error"
    """ModelErrorException, 424."""
    MODEL_TIMEOUT = "model_timeout"
    """ModelTimeoutException, 408."""
    ACCESS_DENIED = "access_denied"
    """AccessDeniedException, 403."""
    VALIDATION = "validation"
    """ValidationException, 400."""
    NOT_FOUND = "not_found"
    """ResourceNotFoundException, 404: the model has been retired."""
    REFUSE = "refuse"
    """The content filter refuses the prompt."""
    REFUSE_IMAGE = "refuse_image"
    """The content filter refuses the image."""
    INFERENCE_ERROR = "inference_error"
    """A 200 that says `Inference error` and has no image."""
    HANG = "hang"
    """No answer at all, until the client gives up."""
    CLOSE = "close"
    """The connection is cut at once."""
    CUT = "cut"
    """The image is made, and the connection cut half-way through the answer."""


class Misbehaviour(_Told):
    """One thing that goes wrong, and when: for so many calls, for a while, or at random."""

    kind: Fault
    calls: Annotated[int, Field(ge=1)] | None = None
    """The next so many calls."""
    seconds: Annotated[float, Field(gt=0)] | None = None
    """Every call for so long; with `probability`, some of them."""
    probability: Annotated[float, Field(gt=0, le=1)] | None = None
    """Each call with this chance, for good unless `seconds` bounds it."""
    route: str | None = None
    """Only this `model@region`."""

    @model_validator(mode="after")
    def _check_when(self) -> Self:
        if self.calls is None and self.seconds is None and self.probability is None:
            raise ValueError("say when: calls, seconds or probability")
        if self.calls is not None and (self.seconds is not None or self.probability is not None):
            raise ValueError("calls cannot be combined with seconds or probability")
        return self


class Faults:
    """The misbehaviours that are due, the oldest first."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._due: list[_Due] = []

    def add(self, told: Misbehaviour, *, now_ns: int) -> None:
        """Begin to misbehave."""
        until_ns = None if told.seconds is None else now_ns + int(told.seconds * 1e9)
        self._due.append(_Due(told, told.calls, until_ns))

    def clear(self) -> None:
        """Behave again."""
        self._due.clear()

    def next(self, route: str, *, now_ns: int) -> Fault | None:
        """What goes wrong with this call, if anything; a counted fault is used up by it."""
        self._due = [due for due in self._due if due.until_ns is None or due.until_ns > now_ns]
        for due in self._due:
            told = due.told
            if told.route not in (None, route):
                continue
            if told.probability is not None and self._rng.random() >= told.probability:
                continue
            if due.calls_left is not None:
                due.calls_left -= 1
                if due.calls_left == 0:
                    self._due.remove(due)
            return told.kind
        return None

    def pending(self, *, now_ns: int) -> list[dict[str, object]]:
        """What is still due, for people."""
        return [
            due.told.model_dump(mode="json", exclude_none=True)
            | ({} if due.calls_left is None else {"calls": due.calls_left})
            | ({} if due.until_ns is None else {"seconds": (due.until_ns - now_ns) / 1e9})
            for due in self._due
            if due.until_ns is None or due.until_ns > now_ns
        ]


class _Due:
    """A misbehaviour, and how much of it is left."""

    def __init__(self, told: Misbehaviour, calls_left: int | None, until_ns: int | None) -> None:
        self.told = told
        self.calls_left = calls_left
        self.until_ns = until_ns
