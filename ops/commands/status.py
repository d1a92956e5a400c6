"""`imagify status`: is it up, where, and how it is doing."""

# ruff: noqa: PLC0415 - --help is quick: what a command needs is imported when it runs

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ops.options import Json, Profile, StageOnAws

if TYPE_CHECKING:
    from ops.watching.condition import Condition
    from ops.watching.recent import Recent
    from sandbox.state import State


def status(
    *,
    as_json: Json = False,
    stage: StageOnAws = None,
    profile: Profile = None,
) -> int:
    """Say where everything is, and how routes, queues and jobs are doing.

    Exit code 3: the local run is not up.
    """
    from common.wall_clock import utc_now
    from ops.stack import Stack
    from ops.terminal import OUT
    from ops.watching.condition import condition
    from ops.watching.log_lines import group_of, log_groups
    from ops.watching.recent import recent
    from sandbox.errors import NotRunning

    try:
        stack = Stack(stage, profile)
    except NotRunning as error:
        if not as_json:
            raise
        OUT.out(json.dumps({"up": False, "message": str(error)}))
        return error.exit_code
    places = _places(stack.local, stack.outputs.model_dump())
    now = utc_now()
    found = condition(
        stack.routes,
        lines=stack.lines,
        jobs=stack.jobs,
        sqs=stack.sqs,
        queue_url=stack.outputs.JobsQueueUrl,
        dead_letter_queue_url=stack.outputs.DeadLetterQueueUrl,
        now=now,
    )
    worker = group_of("worker", log_groups(stack.cloudformation, stack.config.stack_name))
    lately = recent(stack.logs, worker, routes=stack.routes, now=now)
    if as_json:
        facts = {"up": True, **places, **asdict(found), "recent": asdict(lately)}
        OUT.out(json.dumps(facts, indent=2))
        return 0
    OUT.print(f"{stack.name[0].upper()}{stack.name[1:]} is up.")
    for name, value in {**_sentences(found), **recent_sentences(lately), **places}.items():
        OUT.print(f"  [bold]{name:<22}[/]{value}")
    return 0


def _places(local: State | None, outputs: dict[str, str]) -> dict[str, Any]:
    """Where everything is; a name that AWS gives leads nowhere on a local run."""
    named = {name: value for name, value in outputs.items() if name != "Routes"}
    if local is None:
        return named
    return {
        "page_url": local.page_url,
        "api_url": local.api_url or "",
        "docs_url": f"{local.api_url}/docs",
        "emulator_url": local.emulator_url,
        "simulator_url": local.simulator_url,
        "gateway_url": local.gateway_url,
        **{name: value for name, value in named.items() if name not in ("ApiUrl", "FeedUrl")},
    }


def _sentences(found: Condition) -> dict[str, str]:
    queue = found.queue
    said = {
        "jobs": ", ".join(f"{number} {name}" for name, number in found.jobs.items()),
        "queue": f"{queue.waiting} waiting, {queue.delayed} delayed, {queue.in_work} in work",
        "dead letters": str(found.dead_letters),
    }
    for number, each in enumerate(found.routes, start=1):
        pace = f"{each.pace_per_second:g} of {each.rate_per_second:g} starts a second"
        failures = f", {each.failures} failures in a row" if each.failures else ""
        then = "given up at" if each.state == "trying" else "tried again at"
        retry = f", {then} {each.retry_at}" if each.retry_at else ""
        said[f"route {number}"] = f"{each.route}: {each.state}, {pace}{failures}{retry}"
    return said


def recent_sentences(found: Recent) -> dict[str, str]:
    """What has happened of late, for people."""
    from ops.watching.recent import FAILURES_MINUTES, STARTS_MINUTES

    said = {
        f"used {number}": f"{each.percent}% of the quota: {each.starts} of {each.starts_max} starts"
        f" in {STARTS_MINUTES} minutes"
        for number, each in enumerate(found.use, start=1)
    }
    for number, each in enumerate(found.failures, start=1):
        ago = f"{each.age_seconds // 60} min {each.age_seconds % 60} s ago"
        said[f"failure {number}"] = f"{each.job_id}: {each.status}, {each.code}, {ago}"
    if not found.failures:
        said["failures"] = f"none in {FAILURES_MINUTES} minutes"
    return said
