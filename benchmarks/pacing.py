"""How well the pace keeps the quota and uses it: `make bench-pacing`.

Worker processes with an endless backlog take slots from one line in the emulated DynamoDB and call
the simulated model through boto3, with the very Pacer, DynamoLines and BedrockModels that run in
production. The simulator judges: at most `rate` starts in any rolling second, counted where the
calls arrive. Utilisation is the starts between the first and the last, over what the rate allows
in that time.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import boto3
import httpx

from common.aws import clients
from common.aws.bedrock import BedrockModels
from common.aws.dynamo_lines import DynamoLines
from common.errors import ImagifyError, ModelThrottled
from common.jobs import ImageRequest
from common.models.catalogue import DEFAULT_MODEL, find
from common.pacing import Pacer
from common.routes import Route
from common.wiring import aside, now_us
from sandbox.environment import HOME_REGION, clean, for_aws
from sandbox.places import REPOSITORY
from sandbox.ports import HOST, free_pair
from sandbox.processes import Child, start, stop, wait_healthy

MODEL_REGION = "us-west-2"
ROUTES_TABLE = "Routes"
START_SECONDS = 60.0
WARM_UP_SECONDS = 5.0
READ_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One measurement, and what it must show."""

    rate: float
    latency_seconds: float
    workers: int
    seconds: float
    utilisation_min: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one measurement showed."""

    rate: float
    workers: int
    starts: int
    seconds: float
    violations: int
    utilisation: float
    starts_in_second_max: int
    gap_min_ms: float
    gap_median_ms: float
    gap_max_ms: float
    kept: bool


LOADS = (
    Load(rate=2, latency_seconds=3, workers=12, seconds=60, utilisation_min=0.99),
    Load(rate=20, latency_seconds=0.5, workers=24, seconds=30, utilisation_min=0.95),
)


def main(argv: Sequence[str]) -> int:
    """Measure, print, and answer 1 if a figure falls short."""
    parser = argparse.ArgumentParser(prog="benchmarks.pacing", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(argv)
    measured = [measure(load) for load in LOADS]
    for figures in measured:
        print(json.dumps(asdict(figures)) if options.json else _sentence(figures))
    return 0 if all(figures.kept for figures in measured) else 1


def measure(load: Load) -> Figures:
    """Run one load on servers of its own."""
    with tempfile.TemporaryDirectory(prefix="imagify-pacing-") as folder:
        port = free_pair()
        children = _servers(Path(folder), port, load)
        try:
            _run(load, port)
            state = httpx.get(
                f"http://{HOST}:{port + 1}/_control/state", params={"arrivals": 100_000}
            ).json()
        finally:
            stop(children)
    return _figures(load, state)


def _servers(folder: Path, port: int, load: Load) -> list[Child]:
    env = clean(os.environ)
    emulator = start(
        "The AWS emulator",
        [sys.executable, "-m", "ministack"],
        env=env
        | {
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(port),
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
        },
        cwd=folder,
        log=folder / "emulator.log",
    )
    simulator = start(
        "The model simulator",
        [
            *(sys.executable, "-m", "sandbox.bedrock", "--port", str(port + 1)),
            *("--latency", str(load.latency_seconds), "--rate", str(load.rate)),
            *("--picture", "plain"),
        ],
        env=env,
        cwd=REPOSITORY,
        log=folder / "simulator.log",
    )
    children = [emulator, simulator]
    try:
        wait_healthy(emulator, f"http://{HOST}:{port}/_ministack/health", seconds=START_SECONDS)
        wait_healthy(simulator, f"http://{HOST}:{port + 1}/_control/health", seconds=START_SECONDS)
    except BaseException:
        stop(children)
        raise
    return children


def _run(load: Load, port: int) -> None:
    """Work in as many processes for as long as the load says, after a warm-up."""
    os.environ |= for_aws(os.environ, endpoint=f"http://{HOST}:{port}") | {
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": f"http://{HOST}:{port + 1}"
    }
    boto3.client("dynamodb", region_name=HOME_REGION).create_table(
        TableName=ROUTES_TABLE,
        KeySchema=[{"AttributeName": "route", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "route", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    spawning = multiprocessing.get_context("spawn")
    begin = spawning.Event()
    ready = spawning.Semaphore(0)
    processes = [
        spawning.Process(target=_work, args=(load, begin, ready), daemon=True)
        for _ in range(load.workers)
    ]
    for process in processes:
        process.start()
    for _process in processes:
        ready.acquire()
    begin.set()
    time.sleep(WARM_UP_SECONDS)
    httpx.post(f"http://{HOST}:{port + 1}/_control/reset")
    for process in processes:
        process.join()
        if process.exitcode != 0:
            raise RuntimeError(f"a worker ended with {process.exitcode}")


def _work(load: Load, begin: object, ready: object) -> None:
    """One worker: take a slot, call the model, again."""
    route = Route(
        model=DEFAULT_MODEL, region=MODEL_REGION, rate_per_second=load.rate, p95_seconds=14
    )
    spec = find(DEFAULT_MODEL)
    assert spec is not None
    lines = DynamoLines(clients.dynamodb(HOME_REGION), routes_table=ROUTES_TABLE)
    models = BedrockModels({MODEL_REGION: clients.bedrock_runtime(MODEL_REGION, READ_SECONDS)})
    pacer = Pacer(lines, now_us=now_us, sleep=time.sleep, aside=aside, wait_seconds_max=60)
    request = ImageRequest(prompt="a metronome", model=DEFAULT_MODEL, aspect_ratio="1:1", seed=1)
    body = spec.wire.body(request, spec.sizes["1:1"])
    lines.read([route])
    ready.release()  # type: ignore[attr-defined]  # multiprocessing's own types are functions
    begin.wait()  # type: ignore[attr-defined]
    deadline = time.monotonic() + WARM_UP_SECONDS + load.seconds
    while time.monotonic() < deadline:
        slot = pacer.take([route])
        try:
            models.invoke(route, body, wait=partial(pacer.wait, slot))
        except ModelThrottled:
            pacer.throttled(slot)
        except ImagifyError as error:
            raise SystemExit(f"a call failed: {error.message}") from error
        else:
            pacer.succeeded(slot)


def _figures(load: Load, state: dict[str, object]) -> Figures:
    arrivals = state["arrivals"]
    routes = state["routes"]
    assert isinstance(arrivals, list)
    assert isinstance(routes, dict)
    (counted,) = routes.values()
    times = [arrival["at_seconds"] for arrival in arrivals]
    # The last ones come as the workers stop one by one; the backlog ends before them.
    times = [at for at in times if at <= times[0] + load.seconds - load.latency_seconds]
    seconds = times[-1] - times[0]
    utilisation = (len(times) - 1) / (seconds * load.rate)
    gaps = counted["gap_seconds"]
    return Figures(
        rate=load.rate,
        workers=load.workers,
        starts=len(times),
        seconds=round(seconds, 2),
        violations=counted["violations"],
        utilisation=round(utilisation, 4),
        starts_in_second_max=counted["starts_in_window_max"],
        gap_min_ms=round(gaps["min"] * 1000, 1),
        gap_median_ms=round(gaps["median"] * 1000, 1),
        gap_max_ms=round(gaps["max"] * 1000, 1),
        kept=counted["violations"] == 0 and utilisation >= load.utilisation_min,
    )


def _sentence(figures: Figures) -> str:
    verdict = "ok  " if figures.kept else "FAIL"
    return (
        f"{verdict} {figures.rate:g}/s, {figures.workers} processes: {figures.violations} "
        f"violations in {figures.starts} starts over {figures.seconds} s, utilisation "
        f"{figures.utilisation:.4f}, at most {figures.starts_in_second_max} in any second, "
        f"gaps {figures.gap_min_ms}–{figures.gap_max_ms} ms (median {figures.gap_median_ms})"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
