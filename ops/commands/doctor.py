"""`imagify doctor`: what would fail, before a deployment and after it."""

# ruff: noqa: PLC0415 - --help is quick: what a command needs is imported when it runs

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

from typer import BadParameter, Option

from ops.options import Json, Profile, StageOnAws, Yes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ops.checkup.deployment import Deployment
    from ops.checkup.everything import Canary
    from ops.checkup.finding import Finding

WithCanary = Annotated[
    bool, Option("--canary", help="Have each route's model make an image, which costs something.")
]


def doctor(
    *,
    stage: StageOnAws = None,
    canary: WithCanary = False,
    yes: Yes = False,
    as_json: Json = False,
    profile: Profile = None,
) -> int:
    """Check everything that a deployment rests on, and change nothing.

    With a stage, that one on AWS, deployed or not; without, the local run.

    Exit code 1: something fails. Warnings, and what could not be looked at, do not count.
    """
    from common.config import ConfigError
    from ops.checkup.everything import all_checks
    from ops.checkup.finding import fail
    from ops.checkup.settings import CONFIGURATION

    try:
        here = _find(stage, profile)
    except ConfigError as error:
        return _report([fail(CONFIGURATION, str(error), "change it in cdk.json")], as_json=as_json)
    from common.wall_clock import utc_now

    with_canary = _canary(here, yes=yes) if canary else None
    return _report(all_checks(here, now=utc_now, with_canary=with_canary), as_json=as_json)


def _find(stage: str | None, profile: str | None) -> Deployment:
    """What is meant; raises ConfigError, CommandError."""
    import os

    from ops.checkup import find

    if stage is not None:
        return find.on_aws(stage, profile=profile)
    if profile is not None:
        raise BadParameter("--profile goes with --stage; the local run needs no credentials")
    return find.local_run(os.environ)


def _canary(here: Deployment, *, yes: bool) -> Canary:
    """Agree to what it costs; raises Abort, or BadParameter where nobody can be asked."""
    import time

    from typer import confirm

    from ops.checkup.canary import cost_usd
    from ops.checkup.everything import Canary

    routes = here.config.routes
    price = f"{len(routes)} image(s), about {cost_usd(routes):.2f} USD"
    if not yes and not here.local:
        if not sys.stdin.isatty():
            raise BadParameter(f"--canary has {price} made: say --yes")
        confirm(f"--canary has {price} made. Go on?", abort=True, err=True)
    return Canary(seconds=time.monotonic)


def _report(findings: Iterable[Finding], *, as_json: bool) -> int:
    """Say each finding as it is made; answer the exit code."""
    import json
    from collections import Counter
    from dataclasses import asdict

    from ops.checkup.finding import Verdict
    from ops.terminal import ERR, OUT

    colours = {"ok": "green", "warn": "yellow", "fail": "red", "unknown": "yellow", "skip": "dim"}
    made = []
    for each in findings:
        made.append(each)
        if as_json:
            continue
        OUT.print(f"{each.verdict:<8}", style=colours[each.verdict], end="")
        OUT.print(f"{each.check}: {each.reason}", markup=False)
        if each.mend:
            OUT.print(f"        → {each.mend}", markup=False)
    counts = Counter(each.verdict for each in made)
    if as_json:
        facts = {
            "counts": {str(verdict): counts[verdict] for verdict in Verdict},
            "findings": [asdict(each) for each in made],
        }
        OUT.out(json.dumps(facts, indent=2))
    else:
        ERR.print(", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict) + ".")
    return 1 if counts[Verdict.FAIL] else 0
