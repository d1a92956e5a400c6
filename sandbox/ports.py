"""Ports on loopback."""

from __future__ import annotations

import socket
from contextlib import ExitStack, suppress

from sandbox.errors import PortTaken

HOST = "127.0.0.1"
PORTS = 4
"""A local run's: the emulator, the model simulator, the simulated VNPAY, the page."""


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
                "bin/imagify up --port N (or make run PORT=N) uses N to N + 3."
            ) from error


def free_ports(preferred: int | None = None) -> int:
    """The first of `PORTS` ports in a row that are all free: `preferred` if it is one.

    A run on the same ports as the one before need not synthesize its stack again.
    """
    if preferred is not None:
        with suppress(PortTaken):
            for number in range(PORTS):
                require_free(preferred + number)
            return preferred
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
