"""`imagify logs`: what a function has logged."""

# ruff: noqa: PLC0415 - --help is quick: what a command needs is imported when it runs

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from ops.options import Json, Profile, StageOnAws

if TYPE_CHECKING:
    from ops.watching.log_lines import LogLine

LINES_MAX = 1000
"""More than anybody reads; the latest are shown."""


def logs(
    service: Annotated[
        str, Argument(metavar="SERVICE", help="Such as worker, submit, sweep, payments or push.")
    ],
    *,
    minutes: Annotated[
        int, Option(metavar="N", min=1, max=60 * 24 * 14, help="How far back.")
    ] = 60,
    about: Annotated[
        str | None, Option(metavar="TEXT", help="Only lines with this, such as a job's id.")
    ] = None,
    everything: Annotated[
        bool, Option("--all", help=r"What went well too.  \[default: warnings and errors]")
    ] = False,
    as_json: Json = False,
    stage: StageOnAws = None,
    profile: Profile = None,
) -> int:
    """Show what a function has warned of, the oldest first."""
    import json
    from collections import deque
    from datetime import timedelta

    from common.wall_clock import utc_now
    from ops.stack import Stack
    from ops.terminal import ERR, OUT
    from ops.watching.log_lines import group_of, log_groups, log_lines

    stack = Stack(stage, profile)
    group = group_of(service, log_groups(stack.cloudformation, stack.config.stack_name))
    found = log_lines(
        stack.logs,
        group,
        since=utc_now() - timedelta(minutes=minutes),
        level="INFO" if everything else "WARNING",
        about=about,
    )
    lines = deque(found, maxlen=LINES_MAX)
    if as_json:
        OUT.out(json.dumps([_facts(line) for line in lines], indent=2, default=str))
        return 0
    for line in lines:
        facts = " ".join(f"{name}={value}" for name, value in line.facts.items())
        OUT.print(
            f"{line.at:%Y-%m-%d %H:%M:%S}  {line.level:<8}  {line.message}  {facts}", markup=False
        )
    kind = "lines" if everything else "warnings or errors"
    ERR.print(f"{len(lines) or 'No'} {kind} of {service} in the last {minutes} minutes.")
    if len(lines) == LINES_MAX:
        ERR.print("There may be earlier ones: ask for fewer minutes, or with --about.")
    return 0


def _facts(line: LogLine) -> dict[str, Any]:
    return {
        "at": line.at.isoformat(timespec="milliseconds"),
        "level": line.level,
        "message": line.message,
        "facts": line.facts,
    }
