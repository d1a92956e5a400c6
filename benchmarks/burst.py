"""Forty jobs at once, through the whole product: `make bench-burst`.

Eight people submit five jobs each over HTTP at the same moment to a local run of its own; the model
allows 2 starts a second. What it must show: all succeed, the model throttles none, nothing is in
the dead-letter queue, every credit is where it belongs, and the last is done within
1.05 × (40 / rate + the model's latency), counted from the first request. The burst is made twice:
28 workers that all start cold share this machine's cores, which AWS's do not; the second is judged.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import boto3
import httpx

from ops.customer.client import Client, Job
from sandbox import run
from sandbox.clients import client_settings
from sandbox.people import People, local_people, stranger
from sandbox.places import Places
from sandbox.ports import free_ports
from sandbox.state import State

PEOPLE = 8
JOBS_EACH = 5
JOBS = PEOPLE * JOBS_EACH
LATENCY_SECONDS = 3.0
WAIT_SECONDS_MAX = 180.0
LOOK_SECONDS = 2.0
MARGIN = 1.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What became of the jobs."""

    jobs: int
    succeeded: int
    throttled: int
    violations: int
    dead_letters: int
    credits_held: int
    credits_settled: int
    model_calls: int
    seconds: float
    """From the first request to the last job's end."""
    seconds_max: float

    @property
    def kept(self) -> bool:
        """Whether nothing but the time may fall short."""
        return (
            self.succeeded == self.jobs == self.model_calls
            and self.throttled == self.violations == self.dead_letters == self.credits_held == 0
        )


def main(argv: Sequence[str]) -> int:
    """Start a local run, submit, print, and answer 1 if a figure falls short."""
    parser = argparse.ArgumentParser(prog="benchmarks.burst", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--latency", type=float, default=LATENCY_SECONDS, metavar="SECONDS")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="imagify-burst-") as folder:
        places = Places(Path(folder))
        wanted = run.Options(port=free_ports(), model_latency_seconds=options.latency)
        state = run.start(places, os.environ, wanted, tell=lambda _step: None, foreground=True)
        try:
            cold, warm = (
                burst(
                    state,
                    rate=sum(route.rate_per_second for route in state.routes),
                    latency_seconds=options.latency,
                )
                for _ in "12"
            )
        finally:
            run.stop_parts(places)
    if options.json:
        print(json.dumps({"cold": asdict(cold), "warm": asdict(warm)}))
    else:
        print("cold", _sentence(cold))
        print("warm", _sentence(warm))
    return 0 if cold.kept and warm.kept and warm.seconds <= warm.seconds_max else 1


def burst(state: State, *, rate: float, latency_seconds: float) -> Figures:
    """Submit the jobs at once and follow them to their ends."""
    assert state.outputs is not None
    control = f"{state.simulator_url}/_control"
    httpx.post(f"{control}/reset").raise_for_status()
    httpx.post(f"{control}/settings", json={"latency_seconds": latency_seconds}).raise_for_status()
    people = local_people(state.emulator_url, state.outputs)
    tokens = [_token(people) for _ in range(PEOPLE)]
    began = datetime.now(UTC)
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(state.api_url or "", token)) for token in tokens]
        pool = stack.enter_context(ThreadPoolExecutor(JOBS))
        list(pool.map(_submit, clients * JOBS_EACH))
        jobs = [job for theirs in pool.map(_follow, clients) for job in theirs]
        balances = [client.me().balance for client in clients]
    told = httpx.get(f"{control}/state").json()
    sqs = boto3.client("sqs", **client_settings(state.emulator_url))
    letters = sqs.get_queue_attributes(
        QueueUrl=state.outputs.DeadLetterQueueUrl, AttributeNames=["ApproximateNumberOfMessages"]
    )["Attributes"]["ApproximateNumberOfMessages"]
    ends = [job.finished_at for job in jobs if job.finished_at is not None]
    return Figures(
        jobs=JOBS,
        succeeded=sum(job.status == "succeeded" for job in jobs),
        throttled=told["throttles"],
        violations=told["violations"],
        dead_letters=int(letters),
        credits_held=sum(balance.held for balance in balances),
        credits_settled=sum(job.charge.settled for job in jobs),
        model_calls=told["calls"],
        seconds=round((max(ends) - began).total_seconds(), 2) if ends else float("inf"),
        seconds_max=round(MARGIN * (JOBS / rate + latency_seconds), 2),
    )


def _token(people: People) -> str:
    person = stranger()
    people.create(person)
    return people.sign_in(person)


def _submit(client: Client) -> None:
    client.submit({"prompt": "a wave, and another"}, idempotency_key=uuid.uuid4().hex)


def _follow(client: Client) -> Sequence[Job]:
    """The person's jobs when none of them will change any more, or time is up."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while True:
        jobs = client.jobs()
        if all(job.settled_down for job in jobs) or time.monotonic() > deadline:
            return jobs
        time.sleep(LOOK_SECONDS)


def _sentence(figures: Figures) -> str:
    late = figures.seconds > figures.seconds_max
    verdict = "FAIL" if not figures.kept else "late" if late else "ok  "
    return (
        f"{verdict} {figures.succeeded} of {figures.jobs} succeeded in {figures.seconds} s "
        f"(at most {figures.seconds_max}); {figures.model_calls} model calls, "
        f"{figures.throttled} throttled, {figures.violations} violations, "
        f"{figures.dead_letters} dead letters, {figures.credits_held} credits still held"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
