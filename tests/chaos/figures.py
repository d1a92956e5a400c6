"""What became of a run, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The figures of one run."""

    seed: int
    jobs: int
    """Taken with a 202."""
    people: int
    jobs_by_state: Mapping[str, int]
    jobs_cached: int
    submits_repeated: int
    """Sent once more though taken."""
    cancels_taken: int
    requests_sent_again: Mapping[str, int]
    """By what there was instead of an answer."""
    killed_at_work: Mapping[str, int]
    """Processes, by function."""
    killed_idle: Mapping[str, int]
    faults_begun: Mapping[str, int]
    """Gusts, by kind; each meets some of the calls for some seconds."""
    circuit_opened_after_seconds: float | None
    model_calls: int
    model_failures: int
    model_throttles: int
    violations: int
    early_seconds_max: float
    """How much too early the worst start was."""
    deliveries_died: int
    """Deliveries to a worker whose process died: the emulator's log says so of each."""
    deliveries_handed_back: int
    """Deliveries that a worker asked to have again after an attempt that failed."""
    metrics: Mapping[str, int]
    """The functions' own, from CloudWatch Logs; what a killed process had not written, is not."""
    dead_letters: int
    sockets: int
    sockets_cut: int
    sockets_refused: int
    ends_learnt: Mapping[str, int]
    """By listeners: from a push, the answer to a refresh, a look."""
    audit: Mapping[str, int]
    """What `imagify audit` has read."""
    weather_seconds: float
    settled_after_seconds: float | None
    """How long after the weather the last job came to rest; None: not all did."""
    seconds: float
    broken: Sequence[str]
    """Promises that were broken, a sentence each."""


def sentences(figures: Figures) -> Iterator[str]:
    """The figures for people."""
    f = figures
    redelivered = {
        name: f.metrics.get(name, 0) for name in ("JobsDelayed", "JobsSentAgain", "LeasesLapsed")
    }
    yield f"{f.jobs} jobs of {f.people} people: {_list(f.jobs_by_state)}; {f.jobs_cached} cached"
    yield (
        f"{f.submits_repeated} submits repeated, {f.cancels_taken} cancels taken; "
        f"requests sent again after: {_list(f.requests_sent_again)}"
    )
    yield f"killed at work: {_list(f.killed_at_work)}; idle: {_list(f.killed_idle)}"
    opened = f.circuit_opened_after_seconds
    yield (
        f"faults begun: {_list(f.faults_begun)}; the circuit "
        f"{'never opened' if opened is None else f'was open {opened} s into the outage'}"
    )
    yield (
        f"{f.model_calls} calls of the model, {f.model_failures} failures, "
        f"{f.model_throttles} throttles, {f.violations} violations "
        f"(the worst {f.early_seconds_max:.3f} s too early)"
    )
    yield (
        f"messages again: {f.deliveries_died} whose worker died, "
        f"{f.deliveries_handed_back} handed back, {_list(redelivered)}; "
        f"{f.dead_letters} dead letters"
    )
    yield (
        f"{f.sockets} sockets, {f.sockets_cut} cut, {f.sockets_refused} refused or lost; "
        f"ends learnt by {_list(f.ends_learnt)}"
    )
    settled = f.settled_after_seconds
    yield (
        f"audited {_list(f.audit)}; {f.weather_seconds:.0f} s of weather, "
        f"{'not all at rest' if settled is None else f'all at rest {settled:.0f} s after it'}, "
        f"{f.seconds:.0f} s in all"
    )


def _list(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in numbers.items()) or "none"
