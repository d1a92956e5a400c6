"""`imagify bootstrap`, `diff` and `deploy`: a stage of cdk.json, on its way to AWS."""

# ruff: noqa: PLC0415 - --help is quick: what a command needs is imported when it runs

from __future__ import annotations

from typing import Annotated

from typer import Option

from ops.options import Profile, Stage, Yes

RevertDrift = Annotated[
    bool, Option("--revert-drift", help="Take back what was changed by hand, too.")
]


def bootstrap(*, stage: Stage, profile: Profile = None) -> int:
    """Prepare the stage's account and region for the CDK, once for both.

    Makes a bucket for code and the roles that deploy, as CloudFormation's stack CDKToolkit.
    """
    from ops.deployment.target import open_target

    open_target(stage, profile).bootstrap()
    return 0


def diff(*, stage: Stage, profile: Profile = None) -> int:
    """Say what deploying the stage would change in AWS; changes nothing."""
    from ops.deployment.target import open_target

    target = open_target(stage, profile)
    target.require_bootstrapped()
    target.cdk("diff")
    return 0


def deploy(
    *,
    stage: Stage,
    yes: Yes = False,
    revert_drift: RevertDrift = False,
    profile: Profile = None,
) -> int:
    """Bring a stage to AWS, or bring what is there up to date.

    Asks before it gives anything new permissions. What fails is undone by CloudFormation.
    """
    from ops.deployment.rollout import roll_out
    from ops.deployment.target import open_target

    roll_out(open_target(stage, profile), approved=yes, revert_drift=revert_drift)
    return 0
