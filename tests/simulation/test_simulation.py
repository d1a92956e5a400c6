"""Some seeds of the simulation, and that it is what it is taken for: exact, short and strict."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import cache

import pytest

from tests.simulation.campaign import run_seed
from tests.simulation.hunt import Hunted, hunt_all, hunt_one
from tests.simulation.mutate import mutants
from tests.simulation.run import simulate
from tests.simulation.shorten import shorten
from tests.simulation.tape import Tape

SEEDS = 150
RANDOM_SEEDS = 50
PROCESSES = 2
MUTANT_SEEDS = 400


def failures(seeds: range) -> list[str]:
    runs = map(run_seed, seeds)
    return [
        f"{run.violation}: python -m tests.simulation --seed {run.seed} --trace"
        for run in runs
        if run.violation
    ]


def test_no_promise_is_broken() -> None:
    assert failures(range(SEEDS)) == []


def test_no_promise_is_broken_by_other_seeds_each_time() -> None:
    first = secrets.randbelow(1_000_000_000)
    assert failures(range(first, first + RANDOM_SEEDS)) == []


def test_the_same_seed_is_the_same_run() -> None:
    steps = 0
    for seed in range(5):
        one, other = (simulate(Tape.of_seed(seed), trace=True) for _run in range(2))
        assert (one.tape, one.trace, one.happened) == (other.tape, other.trace, other.happened)
        steps += one.steps
    assert steps > 500


def test_a_recorded_tape_is_the_same_run() -> None:
    seeded = simulate(Tape.of_seed(11), trace=True)
    assert simulate(Tape(seeded.tape), trace=True).trace == seeded.trace


def test_without_a_tape_all_is_calm() -> None:
    outcome = simulate(Tape(), trace=True)
    assert outcome.violation is None
    assert not outcome.happened
    assert outcome.counted["JobsSucceeded"] == outcome.jobs > 0


def test_a_tape_is_shortened_to_what_matters() -> None:
    tape = [number % 7 for number in range(1000)]
    runs = []

    def fails(tried: Sequence[int]) -> bool:
        runs.append(tried)
        return len(tried) > 417 and tried[123] == 4 and tried[417] == 4

    short = shorten(tape, fails, runs_max=400)
    assert len(short) == 418
    assert sum(value != 0 for value in short) == 2
    assert len(runs) <= 400


def test_a_tape_that_cannot_be_shortened_in_time_still_fails() -> None:
    def fails(tried: Sequence[int]) -> bool:
        return list(tried) == [1, 2, 3]

    assert shorten([1, 2, 3], fails, runs_max=1) == [1, 2, 3]


@cache
def hunted() -> dict[str, Hunted]:
    """Each mutant in the run that is known to find it, or in one of the next.

    Whatever changes the calls of a run changes what its seed leads to; `--mutants --write` notes
    the seeds anew.
    """
    found = hunt_all(
        lambda mutant: hunt_one(mutant, first=mutant.caught_by, seeds=MUTANT_SEEDS),
        processes=PROCESSES,
    )
    return {each.mutant.name: each for each in found}


@pytest.mark.parametrize("name", mutants())
def test_a_mutant_is_found(name: str) -> None:
    assert hunted()[name].violation is not None
