"""How well the pace keeps the quota and uses it: `make bench-pacing`.

Worker processes share a fixed number of jobs, all there from the beginning, and call the simulated
model through boto3. Ours take every start from one line in the emulated DynamoDB, with the very
Pacer, DynamoLines and BedrockModels that run in production; three rivals do the same jobs without
it (see `benchmarks.contestants`). Processes and clients are made beforehand; from the start signal
on everything is counted, by the simulator, where the calls arrive:

- starts/s: the most calls in any rolling second, whether let in or turned away;
- violations: calls over the quota, all of them turned away; throttles: answers that say so;
- seconds: from the first start that was let in to the last one; a throttled job starts later, so
  repeating it makes this longer;
- utilisation: (jobs - 1) / rate, over those seconds. The quota lets a whole second's starts in at
  once, so one who bursts and never waits could show a little more than 1.

Ours must keep the quota without a violation, and use it; the rivals are only shown. One that has
not done every job in four times the ideal is stopped, and its figures are of those that it did.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.contestants import CONTESTANTS, OURS, Load
from benchmarks.race import Judged, course, run

LOADS = (
    Load(rate=2, jobs=60, latency_seconds=3, latency_spread=0.25, workers=12, utilisation_min=0.99),
    Load(
        rate=20,
        jobs=200,
        latency_seconds=0.5,
        latency_spread=0.25,
        workers=24,
        utilisation_min=0.95,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one contestant showed on one load."""

    contestant: str
    rate: float
    processes: int
    jobs: int
    succeeded: int
    starts_in_second_max: int
    violations: int
    throttles: int
    utilisation: float
    seconds: float
    kept: bool
    """Whether that is what ours must show."""


def main(argv: Sequence[str]) -> int:
    """Measure, print, and answer 1 if one of our figures falls short."""
    parser = argparse.ArgumentParser(prog="benchmarks.pacing", description="Measure the pace.")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--ours", action="store_true", help="without the rivals")
    options = parser.parse_args(argv)
    names = [OURS] if options.ours else list(CONTESTANTS)
    kept = True
    for load in LOADS:
        if not options.json:
            print(_heading(load), flush=True)
        with (
            tempfile.TemporaryDirectory(prefix="imagify-pacing-") as folder,
            course(load, Path(folder)) as servers,
        ):
            for name in names:
                figures = _figures(load, name, run(servers, name))
                kept = kept and (figures.kept or name != OURS)
                print(json.dumps(asdict(figures)) if options.json else _row(figures), flush=True)
    return 0 if kept else 1


def _figures(load: Load, name: str, judged: Judged) -> Figures:
    (counted,) = judged.routes.values()
    starts = [arrival.at_seconds for arrival in judged.arrivals if not arrival.violation]
    seconds = starts[-1] - starts[0]
    utilisation = (len(starts) - 1) / load.rate / seconds
    return Figures(
        contestant=name,
        rate=load.rate,
        processes=CONTESTANTS[name].processes(load),
        jobs=load.jobs,
        succeeded=counted.successes,
        starts_in_second_max=counted.starts_in_window_max,
        violations=counted.violations,
        throttles=counted.throttles,
        utilisation=round(utilisation, 4),
        seconds=round(seconds, 2),
        kept=(
            counted.successes == load.jobs
            and counted.violations == counted.throttles == 0
            and utilisation >= load.utilisation_min
        ),
    )


def _heading(load: Load) -> str:
    least, most = (load.latency_seconds * (1 + load.latency_spread * way) for way in (-1, 1))
    columns = _columns(
        "",
        "processes",
        "jobs done",
        "starts/s",
        "violations",
        "throttles",
        "utilisation",
        "seconds",
    )
    return (
        f"\n{load.rate:g} starts a second: {load.jobs} jobs of {least:g} to {most:g} s, "
        f"ideally in {load.ideal_seconds:.2f} s\n{columns}"
    )


def _row(figures: Figures) -> str:
    row = _columns(
        CONTESTANTS[figures.contestant].title,
        str(figures.processes),
        f"{figures.succeeded} of {figures.jobs}",
        str(figures.starts_in_second_max),
        str(figures.violations),
        str(figures.throttles),
        f"{figures.utilisation:.4f}",
        f"{figures.seconds:.2f}",
    )
    if figures.contestant != OURS:
        return row
    return f"{row}  {'ok' if figures.kept else 'FALLS SHORT'}"


def _columns(title: str, *values: str) -> str:
    return f"{title:<38}" + "".join(f"{value:>12}" for value in values)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)  # as a shell says it; everything has been stopped on the way here
