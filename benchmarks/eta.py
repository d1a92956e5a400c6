"""How true the waiting times are that the API tells: `make bench-eta`.

Twelve people submit five jobs each at once to a local run of its own, whose model takes 3 s, give
or take 40%, and allows 2 starts a second. Each answer to a submit, and each look at every job until
its end, says in how many seconds the image is due; how long it took in truth is known afterwards.
The median of the absolute errors, as a share of the true wait, must be at most 15%, at the submit
and over all looks. The backlog is made twice: at the first nobody has seen the model's latency, and
all workers start cold on this machine's cores; the second is judged.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from sandbox import run
from sandbox.people import People, local_people, stranger
from sandbox.places import Places
from sandbox.ports import free_ports
from sandbox.state import State

PEOPLE = 12
JOBS_EACH = 5
LATENCY_SECONDS = 3.0
LATENCY_SPREAD = 0.4
LOOK_SECONDS = 2.0
WAIT_SECONDS_MAX = 240.0
ERROR_MAX = 0.15
UNTOLD_MAX = 0.02
"""How many answers may know nothing, as a share."""


@dataclass(frozen=True, slots=True)
class Told:
    """What was said of a job at a moment."""

    job_id: str
    at: datetime
    eta_seconds: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The median absolute errors, as shares of the true waits."""

    jobs: int
    at_submit: float
    at_looks: float
    looks: int
    untold: int
    """Answers that knew nothing."""
    percent_max: int
    """The highest percentage that was told before an image was there."""

    @property
    def kept(self) -> bool:
        """Whether it is as true as it must be."""
        ended = self.jobs == PEOPLE * JOBS_EACH
        told = self.untold <= UNTOLD_MAX * (self.jobs + self.looks)
        return ended and told and max(self.at_submit, self.at_looks) <= ERROR_MAX


def main(argv: Sequence[str]) -> int:
    """Start a local run, submit, look, print; answer 1 if the warm backlog falls short."""
    parser = argparse.ArgumentParser(prog="benchmarks.eta", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="imagify-eta-") as folder:
        places = Places(Path(folder))
        wanted = run.Options(port=free_ports(), model_latency_seconds=LATENCY_SECONDS)
        state = run.start(places, os.environ, wanted, tell=lambda _step: None, foreground=True)
        try:
            cold, warm = (backlog(state) for _ in "12")
        finally:
            run.stop_parts(places)
    if options.json:
        print(json.dumps({"cold": asdict(cold), "warm": asdict(warm)}))
    else:
        print("cold", _sentence(cold))
        print("warm", _sentence(warm))
    return 0 if warm.kept else 1


def backlog(state: State) -> Figures:
    """Make a backlog and watch it melt."""
    assert state.outputs is not None
    httpx.post(
        f"{state.simulator_url}/_control/settings", json={"latency_spread": LATENCY_SPREAD}
    ).raise_for_status()
    people = local_people(state.emulator_url, state.outputs)
    with ExitStack() as stack:
        clients = [stack.enter_context(_client(state, people)) for _ in range(PEOPLE)]
        pool = stack.enter_context(ThreadPoolExecutor(PEOPLE))
        submits = [told for theirs in pool.map(_submit, clients) for told in theirs]
        looks: list[Told] = []
        percents = [0]
        ends: dict[str, datetime] = {}
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while len(ends) < len(submits) and time.monotonic() < deadline:
            for at, jobs in pool.map(_look, clients):
                for job in jobs:
                    if job["terminal"]:
                        ends[job["job_id"]] = datetime.fromisoformat(job["finished_at"])
                    elif job["status"] in ("queued", "generating"):
                        looks.append(_told(job, at))
                        percents.append((job["progress"] or {}).get("percent", 0))
            time.sleep(LOOK_SECONDS)
    return Figures(
        jobs=len(ends),
        at_submit=_error(submits, ends),
        at_looks=_error(looks, ends),
        looks=len(looks),
        untold=sum(told.eta_seconds is None for told in submits + looks),
        percent_max=max(percents),
    )


def _client(state: State, people: People) -> httpx.Client:
    person = stranger()
    people.create(person)
    token = people.sign_in(person)
    return httpx.Client(
        base_url=state.api_url or "", headers={"Authorization": token}, timeout=90, trust_env=False
    )


def _submit(client: httpx.Client) -> list[Told]:
    told = []
    for number in range(JOBS_EACH):
        answer = client.post("/jobs", json={"prompt": f"a wave, and another, and {number} more"})
        answer.raise_for_status()
        told.append(_told(answer.json(), datetime.now(UTC)))
    return told


def _look(client: httpx.Client) -> tuple[datetime, list[dict[str, Any]]]:
    answer = client.get("/jobs", params={"limit": 50})
    answer.raise_for_status()
    return datetime.now(UTC), answer.json()["jobs"]


def _told(job: dict[str, Any], at: datetime) -> Told:
    waits = job["queue"] or job["progress"]
    return Told(job["job_id"], at, waits and waits["eta_seconds"])


def _error(told: Sequence[Told], ends: dict[str, datetime]) -> float:
    """The median of |told - true| / true over what was told of jobs that have ended."""
    errors = []
    for one in told:
        if one.eta_seconds is not None and one.job_id in ends:
            true = (ends[one.job_id] - one.at).total_seconds()
            if true > 0:
                errors.append(abs(one.eta_seconds - true) / true)
    return round(median(errors), 3) if errors else float("inf")


def _sentence(figures: Figures) -> str:
    return (
        f"{'ok  ' if figures.kept else 'FAIL'} {figures.jobs} jobs: median error "
        f"{figures.at_submit:.1%} of the true wait at the submit, {figures.at_looks:.1%} over "
        f"{figures.looks} looks; {figures.untold} answers knew nothing; "
        f"at most {figures.percent_max}% before the image was there"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
