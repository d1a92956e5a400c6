"""The product in the simulation: its handlers, called as by Lambda, over simulated ports."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from common import observability
from common.errors import ImagifyError
from common.jobs import Image
from common.observability import logger
from common.outlook import Forecaster
from common.routes import Route
from common.services.push import PushServices
from common.sizing import SPARE_DELIVERIES, TIMEOUTS
from common.snapshots import Snapshots
from functions.accounts import handler as accounts
from functions.feed import handler as feed
from functions.payments import handler as payments
from functions.push import handler as push
from functions.status import handler as status
from functions.submit import handler as submit
from functions.sweep import handler as sweep
from functions.worker import handler as worker
from tests.fakes import START, ManualClock, MemoryImages
from tests.fakes_feed import MemoryWire
from tests.fate import ProcessDied, mortal
from tests.simulation.faults import Faults
from tests.simulation.gateway import SimulatedGateway
from tests.simulation.model import SimulatedModel
from tests.simulation.schedule import US, Process, Schedule
from tests.simulation.sqs import SimulatedQueue
from tests.simulation.tape import Tape
from tests.simulation.watched import watch
from tests.simulation.weather import Weather
from tests.world import World

FUNCTIONS = {
    "submit": (submit, 28),
    "status": (status, 28),
    "accounts": (accounts, 15),
    "payments": (payments, 15),
    "feed": (feed, 15),
    "push": (push, 30),
    "worker": (worker, TIMEOUTS.function_seconds),
    "sweep": (sweep, 55),
}
"""Each function's handler, and how long one invocation may take."""
LATE_WAKE_MS_MAX = 2500
"""How late a sleeper may wake: long enough to sleep through its turn."""
TERMINAL_SECONDS = 600
"""How long an operator waits for one command."""


class SimulatedClock(ManualClock):
    """The schedule's time, on a machine that may wake late."""

    def __init__(
        self, schedule: Schedule, tape: Tape, weather: Weather, note: Callable[[str], None]
    ) -> None:
        super().__init__()
        self._note = note
        self._schedule = schedule
        self._tape = tape
        self._weather = weather
        self._start_us = round(START.timestamp()) * US

    def __call__(self) -> datetime:
        return START + timedelta(microseconds=self._schedule.now_us)

    def now_us(self) -> int:
        return self._start_us + self._schedule.now_us

    def sleep(self, seconds: float) -> None:
        late_us = 0
        if self._weather.happens("late wake"):
            late_ms = self._tape.between(1, LATE_WAKE_MS_MAX)
            self._note(f"is going to wake {late_ms} ms late")
            late_us = late_ms * 1000
        self._schedule.sleep_us(round(seconds * US) + late_us)


class SimulatedWire(MemoryWire):
    """A wire whose listeners are watched."""

    on_said: Callable[[str, str], None]
    """Called with the socket and what is said on it."""

    def send(self, connection_id: str, text: str) -> None:
        super().send(connection_id, text)
        self.said.pop(connection_id)
        self.on_said(connection_id, text)


class SimulatedImages(MemoryImages):
    """An image store that is watched."""

    on_put: Callable[[str], None]
    """Called with the key before an image is stored."""

    def put(self, key: str, content: bytes, *, width: int, height: int) -> Image:
        self.on_put(key)
        return super().put(key, content, width=width, height=height)


class SimulatedWorld(World):
    """The world of the other tests, with ports that the tape decides about."""

    def __init__(
        self,
        tape: Tape,
        schedule: Schedule,
        weather: Weather,
        note: Callable[[str], None],
        *,
        routes: tuple[Route, ...],
        attempts_max: int,
        active_jobs_max: int,
    ) -> None:
        super().__init__(routes=routes, attempts_max=attempts_max, active_jobs_max=active_jobs_max)
        self.schedule = schedule
        self._note = note
        self.changes = watch(self.tables)
        self.clock = SimulatedClock(schedule, tape, weather, note)
        self.sqs = SimulatedQueue(
            self.clock,
            tape,
            weather,
            visibility_seconds=TIMEOUTS.visibility_seconds,
            receives_max=attempts_max + SPARE_DELIVERIES,
        )
        self.queue = self.sqs
        self.models = SimulatedModel(tape, schedule, weather)
        self.model = self.models
        self.vnpay = SimulatedGateway()
        self.gateway = self.vnpay
        self.listeners = SimulatedWire()
        self.wire = self.listeners
        self.bucket = SimulatedImages()
        self.images = self.bucket
        self.fate = Faults(tape, schedule, weather, note)

    def snapshots(self) -> Snapshots:
        """What shows jobs, with faults of its own."""
        forecaster = Forecaster(
            mortal("lines", self.lines, self.fate),
            mortal("jobs", self.jobs, self.fate),
            routes=self.worker_settings.routes,
            workers=self.submit_settings.workers,
            now=self.clock,
        )
        return replace(super().snapshots(), forecaster=forecaster)

    def push_services(self) -> PushServices:
        """A stream's records are the changes themselves; reading items is tested elsewhere."""
        return replace(super().push_services(), read=lambda event: event["changes"])

    def services(self, function: str) -> Any:
        """A function's services in the environment of whoever calls it."""
        kept = self.schedule.current.environment
        if function not in kept:
            kept[function] = getattr(self, f"{function}_services")()
        return kept[function]

    def invoke(self, function: str, event: Mapping[str, Any]) -> dict[str, Any] | None:
        """Call a function as Lambda does; None when it died or failed."""
        module, seconds = FUNCTIONS[function]
        task = self.schedule.current
        deadline_us = self.schedule.now_us + seconds * US
        task.process = Process(function, deadline_us)
        context = _Context(lambda: deadline_us - self.schedule.now_us)
        try:
            answer: dict[str, Any] = module.handler(dict(event), context)
        except ProcessDied as death:
            self._note(str(death))
            task.environment.clear()
            return None
        except ImagifyError as error:
            self._note(f"{function} failed: {error.message}")
            return None
        finally:
            task.process = None
        return answer

    def at_the_terminal(self, command: Callable[[], object]) -> None:
        """Do what an operator does with the command line, which fails as anything does."""
        task = self.schedule.current
        task.process = Process("imagify", self.schedule.now_us + TERMINAL_SECONDS * US)
        with suppress(ProcessDied, ImagifyError):
            command()
        task.process = None


class _Context:
    """What Lambda tells of an invocation."""

    function_name = "imagify"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:ap-southeast-1:111111111111:function:imagify"
    aws_request_id = "request-1"

    def __init__(self, left_us: Callable[[], int]) -> None:
        self._left_us = left_us

    def get_remaining_time_in_millis(self) -> int:
        return self._left_us() // 1000


@contextmanager
def installed(
    world: SimulatedWorld,
    *,
    counted: Callable[[str, float], None],
    failed: Callable[[], None],
) -> Iterator[None]:
    """Put the world behind the handlers, and hear of their metrics and of logged exceptions."""
    state, level = random.getstate(), logger.log_level
    with ExitStack() as stack:
        for name, (module, _seconds) in FUNCTIONS.items():
            stack.enter_context(patch.object(module, "services", _services_of(world, name)))
        stack.enter_context(
            patch.object(
                observability, "add", lambda metric, value, *_where: counted(metric.name, value)
            )
        )
        stack.enter_context(patch.object(logger, "exception", lambda *_said, **_more: failed()))
        logger.setLevel("CRITICAL")
        # Jitter is drawn from here.
        random.seed(0)
        try:
            yield
        finally:
            logger.setLevel(level)
            random.setstate(state)


def _services_of(world: SimulatedWorld, function: str) -> Callable[[], Any]:
    return lambda: world.services(function)
