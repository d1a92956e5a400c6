"""The models, as they are seen from outside: they take their time, and answer as they like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from common.errors import (
    ContentRefused,
    ImagifyError,
    ModelFailed,
    ModelRejected,
    ModelThrottled,
    ModelTimedOut,
)
from common.routes import Route
from tests.fakes_model import FakeModel
from tests.simulation.schedule import US, Schedule
from tests.simulation.tape import Tape
from tests.simulation.weather import Weather

READ_SECONDS = 60
POISON = "a prompt that breaks the model"
"""While there is poison, the model fails on this prompt whatever the weather."""


class SimulatedModel(FakeModel):
    """A model whose answers are the weather's."""

    def __init__(self, tape: Tape, schedule: Schedule, weather: Weather) -> None:
        super().__init__()
        self._tape = tape
        self._schedule = schedule
        self._weather = weather
        self.poisonous = True
        self.on_start: Callable[[Route], None] = lambda _route: None
        """Called at each start, which is when the request leaves."""

    def invoke(
        self, route: Route, body: Mapping[str, Any], *, wait: Callable[[], None]
    ) -> Mapping[str, Any]:
        wait()
        self.on_start(route)
        fault = self._weather.model_fault()
        if fault is None and self.poisonous and POISON in str(body):
            fault = self._weather.note("model poisoned")
        if fault == "model rubbish":
            self._take_seconds(1, 10)
            return {"images": []}
        if fault is not None:
            raise self._error(fault)
        self._take_seconds(3, 14)
        return self._image

    def _error(self, fault: str) -> ImagifyError:
        """What is raised when it has taken its time."""
        match fault:
            case "model throttled":
                self._take_seconds(0, 1)
                return ModelThrottled("Too many.", retry_after_seconds=5)
            case "model timed out":
                self._take_seconds(READ_SECONDS, READ_SECONDS)
                return ModelTimedOut("No answer in time.")
            case "model refused":
                self._take_seconds(1, 10)
                return ContentRefused("The prompt was refused.")
            case "model rejected":
                return ModelRejected("This is no request.")
            case _:
                self._take_seconds(0, 10)
                return ModelFailed("The model broke.")

    def _take_seconds(self, low: int, high: int) -> None:
        seconds = low if self._weather.calm or low == high else self._tape.between(low, high)
        self._schedule.sleep_us(seconds * US + 20_000)
