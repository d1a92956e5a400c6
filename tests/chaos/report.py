"""The verdict and the figures of a run in which nothing moves any more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tests.chaos import verdict
from tests.chaos.cast import Cast
from tests.chaos.counts import BUG, Counts, deliveries
from tests.chaos.customers import Unexpected
from tests.chaos.figures import Figures
from tests.chaos.storm import Lasted
from tests.chaos.weather import condition


def report(cast: Cast, lasted: Lasted) -> Figures:
    """Look at everything, from outside."""
    for follower in cast.followers:
        follower.learn_the_rest()
    people, broken = _seen(cast)
    tally = cast.weather.tally()
    counts = Counts(cast.state)
    read, wrong = verdict.audited(cast.places)
    broken += [
        *wrong,
        *verdict.broken_quota(tally),
        *_broken_in_all(cast, lasted),
        *(f"A function met a bug: {bug}" for bug in counts.bugs),
        *(f"This program itself failed: {failure}" for failure in cast.course.failures),
    ]
    if counts.metrics[BUG] and not counts.bugs:
        broken.append(f"Functions have counted {counts.metrics[BUG]} {BUG}.")
    jobs = [job for person in people for job in person.jobs]
    facts = {
        **_of_people(cast, jobs),
        **_of_breaking(cast),
        **_of_model(tally),
        **_of_listening(cast),
        **deliveries(cast.places.log("emulator").read_text(errors="replace")),
    }
    return Figures(
        seed=cast.plan.seed,
        **facts,
        metrics=dict(sorted(counts.metrics.items())),
        dead_letters=condition(cast.places).get("dead_letters", 0),
        audit=read,
        weather_seconds=round(lasted.weather_seconds, 1),
        settled_after_seconds=lasted.settled_after_seconds,
        seconds=round(cast.course.seconds, 1),
        broken=broken,
    )


def _seen(cast: Cast) -> tuple[list[verdict.Person], list[str]]:
    """What everybody sees, and the promises that were broken to them."""
    people, broken = [], []
    for customer in cast.customers:
        try:
            person = verdict.see(customer)
        except Unexpected as error:
            broken += [*customer.broken, str(error)]
            continue
        people.append(person)
        broken += verdict.broken_for(person)
        for follower in cast.followers:
            if follower.customer is customer:
                broken += verdict.broken_for_listener(follower, person.jobs)
    return people, broken


def _broken_in_all(cast: Cast, lasted: Lasted) -> Iterator[str]:
    if lasted.settled_after_seconds is None:
        yield "Not every job came to rest in time."
    if cast.weather.circuit_opened_after is None:
        yield "The model was away, and imagify status never showed its route out of order."


def _of_people(cast: Cast, jobs: Sequence[verdict.Job]) -> dict[str, Any]:
    return {
        "jobs": cast.taken,
        "people": len(cast.customers),
        "jobs_by_state": dict(Counter(job["status"] for job in jobs)),
        "jobs_cached": sum(job["cached"] for job in jobs),
        "submits_repeated": sum(customer.repeated for customer in cast.customers),
        "cancels_taken": sum(customer.canceled for customer in cast.customers),
        "requests_sent_again": _sum(customer.unanswered for customer in cast.customers),
    }


def _of_breaking(cast: Cast) -> dict[str, Any]:
    return {
        "killed_at_work": _sum(killer.at_work for killer in cast.killers),
        "killed_idle": _sum(killer.idle for killer in cast.killers),
        "faults_begun": dict(cast.weather.told),
        "circuit_opened_after_seconds": cast.weather.circuit_opened_after,
    }


def _of_model(tally: dict[str, Any]) -> dict[str, Any]:
    early = [route["early_seconds_max"] for route in tally["routes"].values()]
    return {
        "model_calls": tally["calls"],
        "model_failures": tally["failures"],
        "model_throttles": tally["throttles"],
        "violations": tally["violations"],
        "early_seconds_max": max(early, default=0.0),
    }


def _of_listening(cast: Cast) -> dict[str, Any]:
    return {
        "sockets": sum(follower.sockets for follower in cast.followers),
        "sockets_cut": sum(follower.cuts for follower in cast.followers),
        "sockets_refused": sum(follower.refused for follower in cast.followers),
        "ends_learnt": _sum(follower.learnt for follower in cast.followers),
    }


def _sum(counters: Iterable[Counter[str]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for counter in counters:
        total.update(counter)
    return dict(total.most_common())
