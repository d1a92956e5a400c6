"""Bringing a stage to AWS: what is said before and after the CDK does it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from pydantic import ValidationError

from ops.deployment.target import Target
from ops.stack import reachable_api_url
from ops.terminal import ERR, OUT
from sandbox.errors import CommandError
from sandbox.state import Outputs

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackTypeDef
    from mypy_boto3_ssm.type_defs import ParameterStringFilterTypeDef

BUSY = "_IN_PROGRESS"
"""How CloudFormation's names for a stack that is being changed end."""


def roll_out(target: Target, *, approved: bool, revert_drift: bool = False) -> None:
    """Deploy the stage's stacks, and say where everything is. Raises CommandError.

    With `revert_drift` CloudFormation compares the template with what is there, and not only with
    the template before: what was changed by hand is taken back.
    """
    if not approved and not sys.stdin.isatty():
        raise CommandError("There is nobody to approve new permissions: say --yes.")
    target.require_bootstrapped()
    target.require_image_keys()
    found = target.stacks()
    if revert_drift:
        _require_all(target, found)
    ERR.print(_intent(target, found), markup=False)
    approval = "never" if approved else "broadening"
    drift = ("--revert-drift",) if revert_drift else ()
    target.cdk("deploy", "--require-approval", approval, *drift)
    outputs = outputs_of(target)
    _show(places(outputs), next_steps(target, outputs))


def outputs_of(target: Target) -> dict[str, str]:
    """What the stage's stacks say of themselves, by name."""
    return {
        output["OutputKey"]: output["OutputValue"]
        for stack in target.stacks()
        for output in stack.get("Outputs", [])
    }


def places(outputs: Mapping[str, str]) -> dict[str, str]:
    """Where everything is. Raises CommandError for a stack that does not say it."""
    try:
        known = Outputs.model_validate(outputs)
    except ValidationError as error:
        raise CommandError("The deployed stack does not say where its parts are.") from error
    api_url = reachable_api_url(known, os.environ.get("AWS_ENDPOINT_URL"))
    page = {"Page": outputs["PageUrl"]} if "PageUrl" in outputs else {}
    return {**page, "API": api_url, "API docs": f"{api_url}/docs"}


def next_steps(target: Target, outputs: Mapping[str, str]) -> dict[str, str]:
    """What is left for a person to do, and what can be tried."""
    config = target.config
    where = f"--stage {config.stage}"
    where += f" --profile {target.profile}" if target.profile else ""
    steps = {}
    if not _account_there(target, outputs["VnpayParameter"]):
        steps["Sell"] = f"nothing can be bought yet: bin/imagify merchant set {where}"
    if config.alarm_email is None:
        steps["Alarms"] = "nobody is told: set alarm_email in cdk.json, and deploy again"
    else:
        steps["Alarms"] = f"{config.alarm_email} is told, once the link in AWS's mail is followed"
    steps["Check"] = f"bin/imagify doctor {where}"
    steps["People"] = f"bin/imagify people add EMAIL {where}"
    steps["Try"] = f'bin/imagify generate "a fox in the snow" --as EMAIL {where}'
    return steps


def _require_all(target: Target, found: Sequence[StackTypeDef]) -> None:
    """Raise CommandError where a stack is not there, as nobody can have changed it by hand."""
    there = {stack["StackName"] for stack in found}
    missing = [name for name in target.stack_names if name not in there]
    if missing:
        raise CommandError(
            f"Not deployed yet: {', '.join(missing)}. Deploy first without --revert-drift."
        )


def _intent(target: Target, found: Sequence[StackTypeDef]) -> str:
    """What is about to be done. Raises CommandError while somebody else changes a stack."""
    for stack in found:
        if stack["StackStatus"].endswith(BUSY):
            raise CommandError(
                f"{stack['StackName']} is being changed right now ({stack['StackStatus']}); wait."
            )
    verb = "Updating" if found else "Making"
    return (
        f"{verb} {target.config.stack_name} in {target.config.home_region},"
        f" account {target.account}, as {target.operator}"
    )


def _account_there(target: Target, parameter: str) -> bool:
    """Whether there is a merchant's account, or one who may not look cannot tell."""
    pages = target.session.client("ssm").get_paginator("describe_parameters")
    named: ParameterStringFilterTypeDef = {"Key": "Name", "Option": "Equals", "Values": [parameter]}
    try:
        return any(page["Parameters"] for page in pages.paginate(ParameterFilters=[named]))
    except ClientError:
        return True


def _show(found: Mapping[str, str], steps: Mapping[str, str]) -> None:
    OUT.print()
    for name, value in {**found, **steps}.items():
        OUT.print(f"  [bold]{name:<10}[/]", end="")
        OUT.print(value, markup=False)
