"""Ports on loopback."""

from __future__ import annotations

import socket
from contextlib import ExitStack

from sandbox.errors import PortTaken

HOST = "127.0.0.1"


def require_free(port: int) -> None:
    """Raise PortTaken when something listens on the port."""
    with socket.socket() as probe:
        # As servers do: a port that only remembers old connections is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise PortTaken(
                f"Port {port} is in use by another program. Stop that, or take other ports: "
                "bin/imagify up --port N (or make run PORT=N) uses N and N + 1."
            ) from error


def free_pair() -> int:
    """A port that is free together with the next one."""
    while True:
        with ExitStack() as stack:
            first, second = (stack.enter_context(socket.socket()) for _ in range(2))
            first.bind((HOST, 0))
            port: int = first.getsockname()[1]
            try:
                second.bind((HOST, port + 1))
            except (OSError, OverflowError):
                continue
            return port
