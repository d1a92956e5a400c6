"""Many clients of the feed in bad weather: `make bench-feed`.

Fifteen people have twenty clients each (`web/imagify.js` in one Node process), all with a socket to
a local run and all of which follow the person's two jobs. The sockets go through a proxy that, from
the first submit on, cuts one in ten every second and stops reading from one for good. What it must
show: every client learns the end of every job. Printed with it: the median time from a job's end,
as the API tells it, to a push of it on a socket. The clients, the emulator and its functions share
this machine's cores, which nobody's do on AWS.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import httpx
from pydantic import BaseModel

from sandbox import run
from sandbox.people import local_people, stranger
from sandbox.places import REPOSITORY, Places
from sandbox.ports import free_ports
from sandbox.state import State

PEOPLE = 15
SOCKETS_EACH = 20
JOBS_EACH = 2
LATENCY_SECONDS = 5.0
WAIT_SECONDS_MAX = 480
NODE = Path(sys.executable).with_name("node")
STORM = REPOSITORY / "benchmarks" / "feed_storm.mjs"


class Figures(BaseModel):
    """What became of the clients."""

    clients: int
    sockets_at_once_max: int
    sockets_opened: int
    sockets_cut: int
    followed: int
    """Jobs, each by each client that follows it."""
    ended: int
    """Of those, the ends that the client has learnt."""
    pushes: int
    push_ms_median: float | None


def main(argv: Sequence[str]) -> int:
    """Start a local run, make weather, print; answer 1 if a client has missed an end."""
    parser = argparse.ArgumentParser(prog="benchmarks.feed", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--sockets", type=int, default=SOCKETS_EACH, help="of each person")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="imagify-feed-") as folder:
        places = Places(Path(folder))
        wanted = run.Options(port=free_ports(), model_latency_seconds=LATENCY_SECONDS)
        state = run.start(places, os.environ, wanted, tell=lambda _step: None, foreground=True)
        try:
            figures = storm(state, people=PEOPLE, sockets=options.sockets, jobs=JOBS_EACH)
        finally:
            run.stop_parts(places)
    print(figures.model_dump_json() if options.json else _sentence(figures))
    return 0 if figures.ended == figures.followed else 1


def storm(state: State, *, people: int, sockets: int, jobs: int) -> Figures:
    """Let so many people with so many sockets each follow so many jobs each."""
    assert state.outputs is not None
    config = httpx.get(f"{state.page_url}config.json", trust_env=False).raise_for_status().json()
    pool = local_people(state.emulator_url, state.outputs)
    crowd = [stranger() for _ in range(people)]
    for person in crowd:
        pool.create(person)
    orders = {
        "config": {**config, "api": state.api_url},
        "people": [{"email": person.email, "password": person.password} for person in crowd],
        "sockets": sockets,
        "jobs": jobs,
    }
    ran = subprocess.run(  # noqa: S603 - our own program
        [NODE, STORM],
        input=json.dumps(orders),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=WAIT_SECONDS_MAX,
    )
    return Figures.model_validate_json(ran.stdout)


def _sentence(figures: Figures) -> str:
    verdict = "ok  " if figures.ended == figures.followed else "FAIL"
    return (
        f"{verdict} {figures.clients} clients learnt {figures.ended} of {figures.followed} ends; "
        f"at most {figures.sockets_at_once_max} sockets at once, {figures.sockets_opened} opened, "
        f"{figures.sockets_cut} cut; {figures.pushes} pushes of an end, the median one "
        f"{figures.push_ms_median} ms after it"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
