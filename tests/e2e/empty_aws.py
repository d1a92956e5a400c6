"""An account in which nothing is yet: the emulator, with the simulated model and VNPAY."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox import emulator, merchant
from sandbox.places import Places
from sandbox.ports import HOST, free_ports
from sandbox.processes import Child, stop

WORKERS = 28
MODEL_LATENCY_SECONDS = 1.0
MODEL_RATE = 2.0


@dataclass(frozen=True, slots=True)
class EmptyAws:
    """Where it is, and what VNPAY's merchant there is called."""

    endpoint: str
    simulator_url: str
    gateway_url: str
    tmn_code: str
    hash_secret: str


@contextmanager
def empty_aws(folder: Path) -> Iterator[EmptyAws]:
    """Started for this one test, and stopped after it."""
    places, env, port = Places(folder), os.environ, free_ports()
    simulator_url, secret = f"http://{HOST}:{port + 1}", merchant.new_secret()
    started: list[Child] = []
    try:
        started.append(
            emulator.start_simulator(
                places,
                env,
                port=port + 1,
                latency_seconds=MODEL_LATENCY_SECONDS,
                rate=MODEL_RATE,
                private_access=False,
                any_region=False,
            )
        )
        started.append(
            emulator.start_gateway(
                places, env, port=port + 2, tmn_code=merchant.TMN_CODE, hash_secret=secret
            )
        )
        started.append(
            emulator.start_emulator(
                places, env, port=port, simulator_url=simulator_url, workers=WORKERS
            )
        )
        emulator.wait_ready(*started, port=port)
        yield EmptyAws(
            endpoint=f"http://{HOST}:{port}",
            simulator_url=simulator_url,
            gateway_url=f"http://{HOST}:{port + 2}",
            tmn_code=merchant.TMN_CODE,
            hash_secret=secret,
        )
    finally:
        stop(started)
