"""Whether the configuration makes sense, is what was deployed, and can be deployed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from common.config import Config, ConfigError, check_routes
from common.routes import ROUTES
from ops.checkup.finding import DEPLOY, Finding, fail, ok, skip, warn
from ops.deployment.prerequisites import (
    BOOTSTRAP_VERSION_MIN,
    bootstrap_version,
    bootstrap_wrong,
    missing_image_keys,
)
from ops.stack_state import find_stack
from sandbox.state import Outputs

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_ssm import SSMClient

CONFIGURATION, PAGE, STACK, BOOTSTRAP = "configuration", "page", "stack", "bootstrap"
WEB_STACK, IMAGE_KEYS = "stack of the page", "image keys"


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


def stack_status(check: str, name: str, status: str) -> Finding:
    """What CloudFormation says of a stack's last deployment."""
    mend = f"aws cloudformation describe-stack-events --stack-name {name}"
    if status.endswith("_IN_PROGRESS"):
        return warn(check, f"{name} is {status}; ask again when that is over.")
    if status == "UPDATE_ROLLBACK_COMPLETE":
        return warn(check, f"The last deployment of {name} was taken back.", mend)
    if status.endswith("FAILED") or "ROLLBACK" in status:
        return fail(check, f"{name} is {status}.", mend)
    return ok(check, f"{name} is {status}.")


def look_at_web_stack(
    cloudformation: CloudFormationClient, config: Config, *, emulated: bool
) -> Iterator[Finding]:
    """Ask for the page's stack, which an emulator need not have."""
    name = config.web_stack_name
    found = find_stack(cloudformation, name)
    if found is not None:
        yield stack_status(WEB_STACK, name, found["StackStatus"])
    elif emulated:
        yield skip(WEB_STACK, "The emulator has no CloudFront.")
    else:
        yield warn(WEB_STACK, f"{name} is not deployed: there is no page.", DEPLOY)


def drift(config: Config, outputs: Outputs) -> Finding:
    """The routes that were deployed are those that are configured."""
    deployed = ROUTES.validate_json(outputs.Routes)
    if deployed != config.routes:
        names = ", ".join(f"{each.name} {each.rate_per_second:g}/s" for each in deployed)
        return warn("routes", f"Deployed are {names}; cdk.json has others.", DEPLOY)
    return ok("routes", "Those of cdk.json are deployed.")


def look_at_bootstrap(ssm: SSMClient, config: Config) -> Iterator[Finding]:
    """Ask for the version of the CDK's own stack, without which nothing is deployed."""
    version = bootstrap_version(ssm)
    if wrong := bootstrap_wrong(version):
        yield fail(BOOTSTRAP, f"{config.home_region} is {wrong}.", "make bootstrap")
    else:
        yield ok(BOOTSTRAP, f"Version {version}, needed is {BOOTSTRAP_VERSION_MIN}.")


def look_at_image_keys(ssm: SSMClient, config: Config) -> Iterator[Finding]:
    """Ask for the public keys that the template reads where there is a domain."""
    if config.domain is None:
        yield ok(IMAGE_KEYS, "No domain: S3 signs the links of images.")
        return
    missing = missing_image_keys(ssm, config)
    if missing:
        names = ", ".join(config.image_public_key_parameter(each) for each in missing)
        mend = "; ".join(f"bin/imagify image-key new --version {each}" for each in missing)
        yield fail(IMAGE_KEYS, f"There is no {names}: a deployment is refused.", mend)
    else:
        yield ok(IMAGE_KEYS, "Each public key that the template reads is there.")
