"""What can become of each call of a port: it takes a while, and may be lost on either way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from common.errors import GatewaySilent, ServiceFailed
from tests.fate import Fate
from tests.simulation.schedule import US, Schedule
from tests.simulation.tape import Tape
from tests.simulation.weather import Weather

BESIDE = ("lines.push",)
"""Calls that are made beside the start of a model and not waited for: they always succeed, as the
pace is promised for no other case."""
CALM_US = 4_000
"""How long a call takes when nothing is wrong."""
SLOWEST_SECONDS = 12


class Faults(Fate):
    """The fate of every port: the tape has what happens to each call."""

    def __init__(
        self,
        tape: Tape,
        schedule: Schedule,
        weather: Weather,
        note: Callable[[str], None],
    ) -> None:
        super().__init__()
        self._tape = tape
        self._schedule = schedule
        self._weather = weather
        self._note = note

    def call(self, name: str, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Make the call, with what goes wrong before and after it."""
        if name in BESIDE:
            return method(*args, **kwargs)
        service = name.partition(".")[0]
        if service == "models":
            return self._model_call(name, method, *args, **kwargs)
        fault = self._weather.port_fault(service)
        if fault is not None:
            self._note(f"{name}: {fault}")
        if fault == "throttled":
            raise _error(service, name, fault)
        there_us = self._duration_us(fault)
        self._schedule.sleep_us(there_us)
        self._die_if(fault == "died before", name)
        if fault in ("lost", "outage"):
            raise _error(service, name, fault)
        answer = method(*args, **kwargs)
        # An answer that is late is late at the end, when what was asked has long been done.
        back_us = self._duration_us(fault)
        if service == "lines" and self._weather.happens("slow line"):
            late_ms = self._tape.between(30, 3000)
            self._note(f"{name}: answered {late_ms} ms late")
            back_us += late_ms * 1000
        self._schedule.sleep_us(back_us)
        self._die_if(fault == "died after", name)
        if fault == "unanswered":
            raise _error(service, name, fault)
        return answer

    def _model_call(self, name: str, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """A model call goes wrong by itself; here the process can only die."""
        fault = self._weather.port_fault("processes")
        died = fault if fault in ("died before", "died after") else None
        if died is not None:
            self._note(f"{name}: {died}")
        self._die_if(died == "died before", name)
        answer = method(*args, **kwargs)
        self._die_if(died == "died after", name)
        return answer

    def _duration_us(self, fault: str | None) -> int:
        if self._weather.calm:
            return CALM_US
        if fault == "slow":
            return self._tape.between(1, SLOWEST_SECONDS) * US // 2
        # Mostly a few milliseconds, seldom a fifth of a second.
        drawn = self._tape.choose(16)
        return CALM_US + drawn * drawn * drawn * 50

    def _die_if(self, dies: bool, name: str) -> None:  # noqa: FBT001 - the condition itself
        process = self._schedule.current.process
        if dies and process is not None:
            raise process.die(f"died at {name}")


def _error(service: str, name: str, fault: str) -> Exception:
    kind = GatewaySilent if service == "gateway" else ServiceFailed
    return kind(f"{name} was {fault}.")
