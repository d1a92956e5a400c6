"""`python -m tests.simulation`: run seeds, replay one, or see which mutants are found."""

from __future__ import annotations

import argparse
import os
import sys

from tests.simulation.mutate import mutants, put_in


def main() -> int:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many runs")
    parser.add_argument("--first", type=int, default=0, help="the first run's seed")
    parser.add_argument("--seed", type=int, help="one run alone")
    parser.add_argument("--trace", action="store_true", help="with --seed: what happened in it")
    parser.add_argument("--processes", type=int, default=1, help="how many at a time")
    parser.add_argument("--json", action="store_true", help="print for programs")
    parser.add_argument("--mutant", choices=sorted(mutants()), help="with this change put in")
    parser.add_argument("--mutants", action="store_true", help="every mutant, each on its own")
    parser.add_argument("--write", action="store_true", help="with --mutants: note their seeds")
    asked = parser.parse_args()
    if min(asked.seeds, asked.processes) < 1:
        parser.error("--seeds and --processes are 1 or more")
    if asked.mutant is not None:
        put_in(mutants()[asked.mutant])
    # As in Lambda; it is read when the product is imported.
    os.environ.setdefault("POWERTOOLS_METRICS_NAMESPACE", "Imagify")
    os.environ.setdefault("POWERTOOLS_SERVICE_NAME", "simulation")
    # Imported now: a mutant must be in place before its module is.
    from tests.simulation import campaign, hunt  # noqa: PLC0415

    if asked.mutants:
        return hunt.hunt(seeds=asked.seeds, processes=asked.processes, write=asked.write)
    if asked.seed is not None:
        return campaign.replay(asked.seed, trace=asked.trace, json=asked.json)
    return campaign.run(
        first=asked.first,
        seeds=asked.seeds,
        processes=asked.processes,
        mutant=asked.mutant,
        json=asked.json,
    )


if __name__ == "__main__":
    sys.exit(main())
