"""One contestant's run in `benchmarks.pacing`: servers, worker processes, the start, the judge."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event, Semaphore
from pathlib import Path

import boto3
import httpx
from pydantic import BaseModel

from benchmarks.contestants import CONTESTANTS, ROUTES_TABLE, Load
from common.errors import ImagifyError
from sandbox.environment import HOME_REGION, clean, for_aws
from sandbox.places import REPOSITORY
from sandbox.ports import HOST, free_ports
from sandbox.processes import Child, start, stop, wait_healthy

START_SECONDS = 60.0
GIVE_UP_FACTOR = 4
"""A contestant may take so many times as long as would be ideal."""
ARRIVALS_MAX = 20_000


class Arrival(BaseModel):
    """A call, as the simulator judged it."""

    at_seconds: float
    violation: bool
    """Over the quota, and turned away for it."""


class Counts(BaseModel):
    """A route's calls, as the simulator counted them."""

    violations: int
    throttles: int
    successes: int
    starts_in_window_max: int


class Judged(BaseModel):
    """What the simulator saw of one run."""

    routes: dict[str, Counts]
    arrivals: list[Arrival]


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The servers of one load."""

    load: Load
    simulator: str
    """Its URL."""
    environment: Mapping[str, str]
    """With which boto3 finds both."""


@contextmanager
def course(load: Load, folder: Path) -> Iterator[Course]:
    """The emulator with an empty Routes table, and the simulator with the load's quota."""
    port = free_ports()
    aws, simulator = f"http://{HOST}:{port}", f"http://{HOST}:{port + 1}"
    children: list[Child] = []
    try:
        _start_servers(children, folder, port, load)
        environment = for_aws(os.environ, endpoint=aws) | {
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": simulator
        }
        _live_in(environment)
        boto3.client("dynamodb", region_name=HOME_REGION).create_table(
            TableName=ROUTES_TABLE,
            KeySchema=[{"AttributeName": "route", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "route", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield Course(load=load, simulator=simulator, environment=environment)
    finally:
        stop(children)


def run(course: Course, name: str) -> Judged:
    """Let one contestant do all jobs, or as many as it can before it has to give up.

    Processes and clients are made before the start, and the calls are counted from there. Raises
    RuntimeError when a process fails.
    """
    load = course.load
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload([__name__])
    begin, ready = forking.Event(), forking.Semaphore(0)
    left = forking.Value("i", load.jobs)
    processes: list[BaseProcess] = [
        forking.Process(
            target=_work,
            args=(course, name, number),
            kwargs={"left": left, "begin": begin, "ready": ready},
            daemon=True,
        )
        for number in range(CONTESTANTS[name].processes(load))
    ]
    try:
        for process in processes:
            process.start()
        for _process in processes:
            if not ready.acquire(timeout=START_SECONDS):
                raise RuntimeError(f"a process of {name} was not ready")
        httpx.post(f"{course.simulator}/_control/reset").raise_for_status()
        begin.set()
        _wait_for(processes, seconds=GIVE_UP_FACTOR * load.ideal_seconds + load.latency_seconds)
        return _judged(course)
    finally:
        for process in processes:
            if process.is_alive():
                process.terminate()
            process.join()


def _start_servers(children: list[Child], folder: Path, port: int, load: Load) -> None:
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
    children.append(emulator)
    simulator = start(
        "The model simulator",
        [
            *(sys.executable, "-m", "sandbox.bedrock", "--port", str(port + 1)),
            *("--rate", str(load.rate), "--latency", str(load.latency_seconds)),
            *("--spread", str(load.latency_spread), "--picture", "plain"),
        ],
        env=env,
        cwd=REPOSITORY,
        log=folder / "simulator.log",
    )
    children.append(simulator)
    wait_healthy(emulator, f"http://{HOST}:{port}/_ministack/health", seconds=START_SECONDS)
    wait_healthy(simulator, f"http://{HOST}:{port + 1}/_control/health", seconds=START_SECONDS)


def _live_in(environment: Mapping[str, str]) -> None:
    """Take this environment and nothing of the person's own: a profile, say, or an endpoint."""
    os.environ.clear()
    os.environ.update(environment)


def _work(
    course: Course,
    name: str,
    number: int,
    *,
    left: Synchronized[int],
    begin: Event,
    ready: Semaphore,
) -> None:
    """One process: a job after the other, until none is left."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # on Ctrl-C the benchmark itself ends its workers
    # The server that forks the processes has the environment of the first course.
    _live_in(course.environment)
    do = CONTESTANTS[name].prepare(course.load, number)
    ready.release()
    begin.wait()
    while (job := _next_job(left)) is not None:
        try:
            do(job)
        except ImagifyError as error:
            raise SystemExit(f"a call failed: {error.message}") from error


def _next_job(left: Synchronized[int]) -> int | None:
    """The number of a job that nobody has taken, from the last to 1."""
    with left.get_lock():
        if left.value == 0:
            return None
        left.value -= 1
        return left.value + 1


def _wait_for(processes: list[BaseProcess], *, seconds: float) -> None:
    """Return when all have ended or the time is up; raises RuntimeError when one has failed."""
    deadline = time.monotonic() + seconds
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))
        if process.exitcode not in (0, None):
            raise RuntimeError(f"a process ended with {process.exitcode}")


def _judged(course: Course) -> Judged:
    answer = httpx.get(f"{course.simulator}/_control/state", params={"arrivals": ARRIVALS_MAX})
    return Judged.model_validate(answer.raise_for_status().json())
