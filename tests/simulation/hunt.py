"""Sees whether every mutant is found, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.simulation.mutate import ROOT, Mutant, mutants, write_caught_by

HUNT_SECONDS_MAX = 900


@dataclass(frozen=True)
class Hunted:
    """What became of one mutant."""

    mutant: Mutant
    seeds: int
    """How many runs it took, or were made in vain."""
    violation: dict[str, Any] | None


def hunt_one(mutant: Mutant, *, first: int, seeds: int) -> Hunted:
    """Run seeds with the mutant put in until one fails."""
    command = (
        *(sys.executable, "-m", "tests.simulation", "--json", "--mutant", mutant.name),
        *("--first", str(first), "--seeds", str(seeds)),
    )
    ended = subprocess.run(
        command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=HUNT_SECONDS_MAX
    )
    if ended.returncode not in (0, 1) or not ended.stdout:
        raise RuntimeError(f"{mutant.name} could not be run: {ended.stderr}")
    told: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return Hunted(mutant, told["seeds"], told["violation"])


def hunt_all(hunt: Callable[[Mutant], Hunted], *, processes: int) -> list[Hunted]:
    """What became of each mutant."""
    with ThreadPoolExecutor(processes) as threads:
        return list(threads.map(hunt, mutants().values()))


def hunt(*, seeds: int, processes: int, write: bool) -> int:
    """Hunt every mutant and show what was found; 1 if one of them lives."""
    found = hunt_all(partial(hunt_one, first=0, seeds=seeds), processes=processes)
    table = Table("mutant", "breaks", "found as", "seeds")
    for each in found:
        violation = each.violation
        said = f"{violation['kind']}: {violation['text']}" if violation else "not found"
        table.add_row(each.mutant.name, each.mutant.why, said, str(each.seeds))
        if write and violation:
            write_caught_by(each.mutant, violation["seed"])
    Console().print(table)
    return 0 if all(each.violation for each in found) else 1
