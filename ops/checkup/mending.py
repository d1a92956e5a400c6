"""Commands that mend something, made to be typed as they stand: for this stage, region, profile."""

from __future__ import annotations

import re
from dataclasses import replace

from ops.checkup.deployment import Deployment
from ops.checkup.finding import Finding

LOCAL_DEPLOY = "bin/imagify down; bin/imagify up --detach"
_REVERT = "bin/imagify deploy --revert-drift"
_MAKE = re.compile(r"\bmake (deploy|bootstrap)")
_AWS = re.compile(r"\baws ([a-z0-9-]+ [a-z-]+)")
_STAGED = re.compile(rf"{_REVERT}|\bbin/imagify (?:dlq list|image-key new|merchant set)")


def for_here(here: Deployment, found: Finding) -> Finding:
    """The finding, whose commands say which stage and profile are meant."""
    return found if found.mend is None else replace(found, mend=_command(here, found.mend))


def _command(here: Deployment, mend: str) -> str:
    if here.local:
        return _MAKE.sub(LOCAL_DEPLOY, mend.replace(_REVERT, LOCAL_DEPLOY))
    profile = f" --profile {here.profile}" if here.profile else ""
    region = "" if "--region" in mend else f" --region {here.config.home_region}"
    mend = _AWS.sub(rf"aws \1{region}{profile}", mend)
    mend = _STAGED.sub(rf"\g<0> --stage {here.config.stage}{profile}", mend)
    make_profile = f" PROFILE={here.profile}" if here.profile else ""
    return _MAKE.sub(rf"make \1 STAGE={here.config.stage}{make_profile}", mend)
