"""Whether each promise was kept, told from outside: over HTTP, and by `imagify audit`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from common.jobs import TERMINAL, JobStatus
from sandbox.places import Places
from tests.chaos.customers import Customer
from tests.chaos.followers import Follower
from tests.chaos.weather import imagify

VIOLATIONS_SHARE, VIOLATIONS_MIN = 0.04, 4
"""How many of the calls may come too early, and how many in any case, where functions that start
anew keep all cores busy: a start that leaves late is followed too soon by the next one."""
PNG = b"\x89PNG\r\n\x1a\n"
IMAGE_SECONDS = 30.0
ENDS = frozenset(map(str, TERMINAL))
AT_REST = ENDS | {str(JobStatus.STALLED)}

Job = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Person:
    """What one person sees when all is over."""

    customer: Customer
    jobs: Sequence[Job]
    balance: dict[str, int]


def see(customer: Customer) -> Person:
    """Look at everything that is the person's. Raises Unexpected."""
    return Person(customer, list(customer.look_at_all()), customer.balance())


def broken_for(person: Person) -> Iterator[str]:
    """Each promise that was broken to a person."""
    yield from person.customer.broken
    there = {job["job_id"] for job in person.jobs}
    told = set(person.customer.accepted.values())
    for job_id in sorted(told - there):
        yield f"{job_id} was taken with a 202 and is not there."
    for job_id in sorted(there - told):
        yield f"{job_id} is there, and no submit was answered with it."
    for job in person.jobs:
        yield from _broken_for_job(job)
    held = sum(job["charge"]["held"] for job in person.jobs)
    settled = sum(job["charge"]["settled"] for job in person.jobs)
    expected = {"available": person.customer.credits_given - held - settled, "held": held}
    if person.balance != expected:
        yield f"{person.customer.name} has {person.balance}, and should have {expected}."


def _broken_for_job(job: Job) -> Iterator[str]:
    name, status, charge = job["job_id"], job["status"], job["charge"]
    if status not in AT_REST:
        yield f"{name} has not come to rest: it is {status}."
        return
    settled = status == JobStatus.SUCCEEDED and not job["cached"]
    place = "held" if status == JobStatus.STALLED else "settled" if settled else "released"
    cost = max(charge.values())
    if cost == 0 or charge != {"held": 0, "settled": 0, "released": 0} | {place: cost}:
        yield f"{name} is {status}, and its credits are {charge}, not {place} once."
    if status == JobStatus.SUCCEEDED:
        yield from _broken_image(name, job["image"])


def _broken_image(name: str, image: dict[str, Any] | None) -> Iterator[str]:
    if image is None:
        yield f"{name} has succeeded, and has no image."
        return
    answer = httpx.get(image["url"], timeout=IMAGE_SECONDS, trust_env=False)
    if answer.status_code != httpx.codes.OK or not answer.content.startswith(PNG):
        yield f"{name} has succeeded, and its image is answered {answer.status_code}."
    elif len(answer.content) != image["bytes"]:
        yield f"{name} says {image['bytes']} bytes, and its image has {len(answer.content)}."


def broken_for_listener(follower: Follower, jobs: Sequence[Job]) -> Iterator[str]:
    """Each end that a listener has not learnt, or has learnt wrongly."""
    for job in jobs:
        told = follower.ends.get(job["job_id"])
        truly = job["status"] if job["status"] in ENDS else None
        if told != truly:
            yield f"A listener to {job['job_id']} was told of {told}, and it is {job['status']}."


def broken_quota(tally: dict[str, Any]) -> Iterator[str]:
    """Whether more calls came too early than late starts can explain."""
    allowed = max(VIOLATIONS_MIN, round(tally["calls"] * VIOLATIONS_SHARE))
    if tally["violations"] > allowed:
        yield (
            f"{tally['violations']} of {tally['calls']} calls broke the quota, and late starts "
            f"explain {allowed}."
        )


def audited(places: Places) -> tuple[dict[str, int], list[str]]:
    """What `imagify audit` has read, and what it says is wrong."""
    told = imagify(places, "audit", "--json")
    try:
        facts = json.loads(told.stdout)
    except ValueError:
        said = (told.stderr.strip().splitlines() or ["nothing"])[-1]
        return {}, [f"imagify audit ended with {told.returncode} and said: {said}"]
    wrong = [
        f"imagify audit: {each['kind']} {each['subject']}: {each['message']}"
        for each in facts.pop("discrepancies")
    ]
    if told.returncode != 0 and not wrong:
        wrong = [f"imagify audit ended with {told.returncode}."]
    return facts, wrong
