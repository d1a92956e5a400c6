"""The whole product while everything breaks: `make chaos`.

A local run of its own, the stack that AWS gets with IAM enforced: people order over HTTP and listen
to the feed while processes of the functions are killed, the model fails in every way it can and is
away for a while, and sockets are cut. Then nothing breaks any more, and when every job is at rest
it says whether each promise was kept. Exit code 1: one was not.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from ops.terminal import ERR, OUT
from sandbox import run
from sandbox.errors import CommandError
from sandbox.places import Places
from sandbox.ports import free_ports
from tests.chaos.cast import cast
from tests.chaos.course import Course
from tests.chaos.figures import Figures, sentences
from tests.chaos.plan import Plan, make_plan
from tests.chaos.report import report
from tests.chaos.storm import Patience, Say, Storm

LATENCY_SECONDS = 2.0
PATIENCE = Patience(jobs_seconds=600.0, messages_seconds=60.0)
FIRST_PORT = 15566
"""Where its run is when it can be, so that its stack need not be synthesized each time."""


def chaos(places: Places, plan: Plan, *, patience: Patience, say: Say) -> Figures:
    """Start everything, break it, judge, and stop everything, however this ends."""
    options = run.Options(port=free_ports(FIRST_PORT), model_latency_seconds=LATENCY_SECONDS)
    state = run.start(places, os.environ, options, tell=say, foreground=True)
    course = Course()
    try:
        parts = cast(state, places, plan, course)
        with ExitStack() as stack:
            for customer in parts.customers:
                stack.callback(customer.close)
            lasted = Storm(parts, say=say).run(patience=patience)
            return report(parts, lasted)
    finally:
        course.over.set()
        run.stop_parts(places)
        course.end()


def main(argv: Sequence[str]) -> int:
    """Run, print, and answer 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="tests.chaos", description=__doc__)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=180.0, help="how long things break")
    parser.add_argument("--seed", type=int, help="default: another one each time")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    asked = parser.parse_args(argv)
    seed = secrets.randbelow(10**6) if asked.seed is None else asked.seed
    # Whoever ends this in the midst of things gets the same tidy end as with Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _say(f"Seed {seed}.")
    places = Places(Path(tempfile.mkdtemp(prefix="imagify-chaos-")))
    kept = False
    try:
        plan = make_plan(seed=seed, jobs=asked.jobs, seconds=asked.seconds)
        figures = chaos(places, plan, patience=PATIENCE, say=_say)
        kept = not figures.broken
    except CommandError as error:
        _say(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        _say("Stopped; nothing is left running.")
        kept = True
        return 130
    finally:
        if kept:
            shutil.rmtree(places.home, ignore_errors=True)
        else:
            _say(f"The logs are in {places.home}/logs.")
    if asked.json:
        OUT.out(json.dumps(asdict(figures), indent=2))
    else:
        for sentence in sentences(figures):
            OUT.out(sentence)
    for sentence in figures.broken:
        _say(f"BROKEN  {sentence}")
    _say("Every promise was kept." if kept else f"{len(figures.broken)} broken; seed {seed}.")
    return 0 if kept else 1


def _say(sentence: str) -> None:
    ERR.print(sentence, markup=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
