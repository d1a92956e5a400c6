"""`imagify destroy`: a stage, with all that is in it."""

# ruff: noqa: PLC0415 - --help is quick: what a command needs is imported when it runs

from __future__ import annotations

from typing import Annotated

from typer import Option

from ops.options import DryRun, Profile, Stage


def destroy(
    *,
    stage: Stage,
    yes: Annotated[
        str | None,
        Option("--yes", metavar="NAME", help="The stack's name, which is asked for otherwise."),
    ] = None,
    dry_run: DryRun = False,
    profile: Profile = None,
) -> int:
    """Delete a stage from AWS: people, credits, jobs, images, all of it.

    Says first what there is, and asks for the stack's name. Refuses a stage that keeps its data.
    """
    from ops.deployment.demolition import Demolition
    from ops.deployment.target import open_target
    from ops.terminal import ERR

    demolition = Demolition(open_target(stage, profile, forced=True))
    demolition.require_allowed()
    ERR.print(demolition.losses())
    if dry_run:
        ERR.print("Nothing was deleted.")
        return 0
    demolition.require_confirmed(yes)
    demolition.destroy()
    return 0
