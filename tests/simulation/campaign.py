"""Many runs, one a seed, until one of them fails."""

from __future__ import annotations

import json as json_format
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from rich.console import Console
from rich.progress import Progress

from tests.simulation.auditor import Violation
from tests.simulation.run import Outcome, simulate
from tests.simulation.shorten import shorten
from tests.simulation.tape import Tape

TRACE_SHOWN = 60
"""Lines of the trace of a failure that are shown; the last ones tell most."""


@dataclass(frozen=True)
class Ran:
    """What is kept of one seed's run."""

    seed: int
    violation: Violation | None
    steps: int
    jobs: int
    happened: Counter[str]
    seconds: float


@dataclass
class Sum:
    """What is kept of all runs."""

    runs: list[Ran] = field(default_factory=list)
    failed: Ran | None = None

    def add(self, ran: Ran) -> None:
        """One more run."""
        self.runs.append(ran)
        if ran.violation is not None and self.failed is None:
            self.failed = ran

    def figures(self) -> dict[str, Any]:
        """The figures of all runs."""
        happened: Counter[str] = Counter()
        for ran in self.runs:
            happened.update(ran.happened)
        return {
            "seeds": len(self.runs),
            "steps": sum(ran.steps for ran in self.runs),
            "jobs": sum(ran.jobs for ran in self.runs),
            "faults": dict(sorted(happened.items())),
            "seconds_per_seed": round(median(ran.seconds for ran in self.runs), 4),
        }


def run_seed(seed: int) -> Ran:
    """One run."""
    began = time.perf_counter()
    outcome = simulate(Tape.of_seed(seed))
    return Ran(
        seed=seed,
        violation=outcome.violation,
        steps=outcome.steps,
        jobs=outcome.jobs,
        happened=outcome.happened,
        seconds=time.perf_counter() - began,
    )


def run_seeds(seeds: Sequence[int], *, processes: int) -> Iterator[Ran]:
    """The runs of all seeds, in order."""
    if processes == 1:
        yield from map(run_seed, seeds)
        return
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        yield from pool.imap(run_seed, seeds, chunksize=20)


def run(*, first: int, seeds: int, processes: int, mutant: str | None, json: bool) -> int:
    """Run so many seeds, stop at the first that fails, and show what was seen."""
    found = Sum()
    with Progress(console=Console(stderr=True), disable=json, transient=True) as progress:
        bar = progress.add_task("seeds", total=seeds)
        for ran in run_seeds(range(first, first + seeds), processes=processes):
            found.add(ran)
            progress.advance(bar)
            if found.failed is not None:
                break
    figures = found.figures()
    failed = found.failed
    if json:
        figures["violation"] = _told(failed)
        sys.stdout.write(json_format.dumps(figures) + "\n")
        return 1 if failed else 0
    _write(_told_figures(figures))
    if failed is None:
        sys.stdout.write("No promise was broken.\n")
        return 0
    assert failed.violation is not None
    sys.stdout.write(f"\nseed {failed.seed}: {failed.violation.kind}: {failed.violation.text}\n")
    sys.stdout.flush()
    _show(failed.seed, shortened(failed.seed), mutant)
    return 1


def shortened(seed: int) -> Outcome:
    """The failing run of a seed, as short as can be, with its trace."""
    whole = simulate(Tape.of_seed(seed))
    assert whole.violation is not None
    kind = whole.violation.kind

    def fails(tape: Sequence[int]) -> bool:
        violation = simulate(Tape(tape)).violation
        return violation is not None and violation.kind == kind

    return simulate(Tape(shorten(whole.tape, fails)), trace=True)


def replay(seed: int, *, trace: bool, json: bool) -> int:
    """Run one seed again."""
    outcome = simulate(Tape.of_seed(seed), trace=trace)
    violation = outcome.violation
    if json:
        told = {
            "seed": seed,
            "steps": outcome.steps,
            "jobs": outcome.jobs,
            "violation": violation and {"kind": violation.kind, "text": violation.text},
            "trace": outcome.trace,
        }
        sys.stdout.write(json_format.dumps(told) + "\n")
    else:
        _write(outcome.trace)
        said = violation or "no promise was broken"
        sys.stdout.write(f"{outcome.steps} steps, {outcome.jobs} jobs: {said}\n")
    return 1 if violation else 0


def _told_figures(figures: dict[str, Any]) -> Iterator[str]:
    """The figures for people, a fault a line."""
    for name, value in figures.items():
        if isinstance(value, dict):
            yield name
            yield from (f"  {kind:20} {number:>10,}" for kind, number in value.items())
        else:
            yield f"{name:22} {value:>10,}"


def _told(failed: Ran | None) -> dict[str, Any] | None:
    if failed is None or failed.violation is None:
        return None
    return {
        "seed": failed.seed,
        "kind": failed.violation.kind,
        "text": failed.violation.text,
    }


def _show(seed: int, short: Outcome, mutant: str | None) -> None:
    """A short way to a failure, and how to see it again."""
    sys.stdout.write(f"\nthe same, shortened to {len(short.tape)} decisions:\n")
    _write(short.trace[-TRACE_SHOWN:])
    sys.stdout.write(f"{short.violation}\n")
    put_in = f" --mutant {mutant}" if mutant else ""
    sys.stdout.write(
        f"\nto see it again: python -m tests.simulation{put_in} --seed {seed} --trace\n"
    )


def _write(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
