"""Ports on loopback."""

from __future__ import annotations

import socket
from contextlib import ExitStack

from sandbox.errors import PortTaken

HOST = "127.0.0.1"
PORTS = 3
"""A local run's: the emulator, the model simulator, the simulated VNPAY."""


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
                "bin/imagify up --port N (or make run PORT=N) uses N, N + 1 and N + 2."
            ) from error


def free_ports() -> int:
    """The first of `PORTS` ports in a row that are all free."""
    while True:
        with ExitStack() as stack:
            probes = [stack.enter_context(socket.socket()) for _ in range(PORTS)]
            probes[0].bind((HOST, 0))
            port: int = probes[0].getsockname()[1]
            try:
                for number, probe in enumerate(probes[1:], start=1):
                    probe.bind((HOST, port + number))
            except (OSError, OverflowError):
                continue
            return port
