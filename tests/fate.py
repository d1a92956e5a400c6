"""Ports that can die under a call, as processes do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

Port = TypeVar("Port")


class ProcessDied(BaseException):
    """The process ended here: nothing in it can catch this."""


@dataclass
class Fate:
    """Which call of any port the process dies at; each call is noted, `port.method`."""

    at: int | None = None
    after: bool = False
    """Die when the call has been made and its answer is on its way, instead of before it."""
    calls: list[str] = field(default_factory=list)

    def call(self, name: str, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self.calls.append(name)
        dies = self.at == len(self.calls)
        if dies and not self.after:
            raise ProcessDied(f"before {name}")
        answer = method(*args, **kwargs)
        if dies:
            raise ProcessDied(f"after {name}")
        return answer


class _Mortal:
    """A port whose every call is noted, and may be the last."""

    def __init__(self, name: str, port: object, fate: Fate) -> None:
        self._name = name
        self._port = port
        self._fate = fate

    def __getattr__(self, method: str) -> Any:
        real = getattr(self._port, method)
        name = f"{self._name}.{method}"
        return lambda *args, **kwargs: self._fate.call(name, real, *args, **kwargs)


def mortal(name: str, port: Port, fate: Fate) -> Port:
    """The port, dying as `fate` has it."""
    return cast("Port", _Mortal(name, port, fate))
