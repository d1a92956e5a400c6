"""Whether the sweep runs each minute: it is what finds lost jobs and payments without news."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ops.checkup.deployment import SchedulerClient
from ops.checkup.finding import REVERT, Finding, fail, ok
from ops.checkup.permissions import Function

SWEEP = "sweep"


def look_at_sweep(
    scheduler: SchedulerClient, names: Sequence[str], sweep: Function
) -> Iterator[Finding]:
    """Ask for the stack's schedules."""
    yield schedule([scheduler.get_schedule(Name=name) for name in names], sweep)


def schedule(found: Sequence[Mapping[str, Any]], sweep: Function) -> Finding:
    """One that is on runs the sweep."""
    ours = [each for each in found if each["Target"]["Arn"] == sweep.arn]
    if not ours:
        return fail(SWEEP, "No schedule runs it.", REVERT)
    (only, *_) = ours
    if only["State"] != "ENABLED":
        return fail(
            SWEEP,
            f"Its schedule {only['Name']} is {only['State']}.",
            REVERT,
        )
    return ok(SWEEP, f"Runs by {only['ScheduleExpression']}.")
