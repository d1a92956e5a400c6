"""Finding what is to be looked at: the local run, a stage of cdk.json, the stack that it has."""

from __future__ import annotations

import os
from collections.abc import Mapping

import boto3
from botocore.exceptions import BotoCoreError
from pydantic import ValidationError

from common.config import USUAL_STAGE, parse, read_settings, settings_of
from common.routes import ROUTES
from ops.checkup.deployment import Clients, Deployment, Resource, Stack
from ops.stack import StackError
from ops.stack_state import find_stack
from sandbox.environment import HOME_REGION
from sandbox.places import Places
from sandbox.run import find
from sandbox.state import Outputs


def local_run(env: Mapping[str, str]) -> Deployment:
    """The run that is up. Raises NotRunning, ConfigError."""
    state = find(Places.from_env(env))
    here = {
        "home_region": HOME_REGION,
        "page_url": state.page_url,
        "routes": ROUTES.dump_python(state.routes, mode="json"),
    }
    settings = settings_of(read_settings(), USUAL_STAGE)
    return Deployment(
        config=parse({**settings, **here}),
        clients=Clients(boto3.session.Session(), local=state),
        local=True,
        emulated=True,
    )


def on_aws(stage: str, *, profile: str | None) -> Deployment:
    """A stage, deployed or not. Raises ConfigError, StackError for a profile that is not there."""
    config = parse(read_settings(), stage)
    try:
        session = boto3.session.Session(profile_name=profile, region_name=config.home_region)
    except BotoCoreError as error:
        raise StackError(str(error)) from error
    return Deployment(
        config=config,
        clients=Clients(session),
        profile=profile,
        emulated="AWS_ENDPOINT_URL" in os.environ,
    )


def read_stack(deployment: Deployment) -> Stack | None:
    """The stack with its resources; None before it is deployed.

    Raises ClientError and BotoCoreError.
    """
    cloudformation, name = deployment.clients.cloudformation, deployment.stack_name
    found = find_stack(cloudformation, name)
    if found is None:
        return None
    outputs = {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])}
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
    return Stack(
        status=found["StackStatus"],
        outputs=_ours(outputs),
        resources=tuple(
            Resource(
                logical_id=each["LogicalResourceId"],
                kind=each["ResourceType"],
                physical_id=each["PhysicalResourceId"],
            )
            for page in pages
            for each in page["StackResourceSummaries"]
            # Listed too: what is not made yet, and what was deleted with a failed deployment.
            if "PhysicalResourceId" in each and each["ResourceStatus"] != "DELETE_COMPLETE"
        ),
    )


def _ours(outputs: Mapping[str, str]) -> Outputs | None:
    try:
        return Outputs.model_validate(outputs)
    except ValidationError:
        return None
