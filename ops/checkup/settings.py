"""Whether the configuration makes sense, is what was deployed, and can be deployed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from common.aws.errors import error_code
from common.config import Config, ConfigError, check_routes
from common.routes import ROUTES
from ops.checkup.deployment import Stack
from ops.checkup.finding import DEPLOY_AGAIN, Finding, fail, ok, warn

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

CONFIGURATION, PAGE, STACK, BOOTSTRAP = "configuration", "page", "stack", "bootstrap"
BOOTSTRAP_PARAMETER = "/cdk-bootstrap/hnb659fds/version"
BOOTSTRAP_VERSION_MIN = 6
"""What the template's own rule demands, and CloudFormation checks."""


def configuration(config: Config, *, today: date) -> Finding:
    """Routes that Bedrock would refuse; all else was checked when it was read."""
    try:
        check_routes(config.routes, today=today, forced=config.force_retired_models)
    except ConfigError as error:
        return fail(CONFIGURATION, str(error), "change it in cdk.json")
    routes = ", ".join(route.name for route in config.routes)
    return ok(CONFIGURATION, f"{config.stack_name} at {config.home_region}; models {routes}.")


def page(config: Config, *, local: bool) -> Finding:
    """The page that people come back to may call the API, and is not open to eavesdroppers."""
    url = urlsplit(config.page_url)
    origin = f"{url.scheme}://{url.netloc}"
    if not config.page_url:
        return ok(PAGE, "No page_url: after paying people see a plain page of ours.")
    if "*" not in config.allowed_origins and origin not in config.allowed_origins:
        allowed = ", ".join(config.allowed_origins)
        return fail(
            PAGE,
            f"{config.page_url} may not call the API: allowed_origins has {allowed}.",
            f'"{origin}" in allowed_origins of cdk.json, then make deploy',
        )
    if url.scheme != "https" and not local:
        mend = "an address with https in page_url of cdk.json"
        return warn(PAGE, f"{config.page_url} is not encrypted.", mend)
    return ok(PAGE, f"{config.page_url} may call the API.")


def stack_status(stack: Stack, name: str) -> Finding:
    """What CloudFormation says of the last deployment."""
    if stack.status.endswith("_IN_PROGRESS"):
        return warn(STACK, f"{name} is {stack.status}; ask again when that is over.")
    if stack.status == "UPDATE_ROLLBACK_COMPLETE":
        mend = f"aws cloudformation describe-stack-events --stack-name {name}"
        return warn(STACK, f"The last deployment of {name} was taken back.", mend)
    if stack.status.endswith("FAILED") or "ROLLBACK" in stack.status:
        mend = f"aws cloudformation describe-stack-events --stack-name {name}"
        return fail(STACK, f"{name} is {stack.status}.", mend)
    return ok(STACK, f"{name} is {stack.status}, {len(stack.resources)} resources.")


def drift(config: Config, stack: Stack) -> Finding:
    """The routes that were deployed are those that are configured."""
    deployed = ROUTES.validate_json(stack.outputs.Routes)
    if deployed != config.routes:
        names = ", ".join(f"{each.name} {each.rate_per_second:g}/s" for each in deployed)
        return warn("routes", f"Deployed are {names}; cdk.json has others.", DEPLOY_AGAIN)
    return ok("routes", "Those of cdk.json are deployed.")


def look_at_bootstrap(ssm: SSMClient, config: Config) -> Iterator[Finding]:
    """Ask for the version of the CDK's own stack, without which nothing is deployed."""
    mend = "make bootstrap"
    try:
        version = int(ssm.get_parameter(Name=BOOTSTRAP_PARAMETER)["Parameter"]["Value"])
    except ClientError as error:
        if error_code(error) != "ParameterNotFound":
            raise
        yield fail(BOOTSTRAP, f"{config.home_region} is not bootstrapped for the CDK.", mend)
        return
    if version < BOOTSTRAP_VERSION_MIN:
        older = f"Version {version}, needed is {BOOTSTRAP_VERSION_MIN}."
        yield fail(BOOTSTRAP, older, mend)
    else:
        yield ok(BOOTSTRAP, f"Version {version}, needed is {BOOTSTRAP_VERSION_MIN}.")
