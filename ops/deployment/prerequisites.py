"""What must be in an account before a deploy, asked alike by `deploy` and by `doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from common.aws.errors import error_code
from common.config import Config

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

BOOTSTRAP_PARAMETER = "/cdk-bootstrap/hnb659fds/version"
"""What `cdk bootstrap` leaves behind, under the qualifier that it takes unless told otherwise."""
BOOTSTRAP_VERSION_MIN = 6
"""What the template's own rule demands, and CloudFormation checks."""


def bootstrap_version(ssm: SSMClient) -> int | None:
    """Of the CDK's own stack; None when there is none. Raises ClientError."""
    try:
        return int(ssm.get_parameter(Name=BOOTSTRAP_PARAMETER)["Parameter"]["Value"])
    except ClientError as error:
        if error_code(error) != "ParameterNotFound":
            raise
        return None


def bootstrap_wrong(version: int | None) -> str | None:
    """What an account's region is, in the words after "is", that cannot be deployed to."""
    if version is None:
        return "not bootstrapped for the CDK"
    if version < BOOTSTRAP_VERSION_MIN:
        return f"bootstrapped by version {version}, needed is {BOOTSTRAP_VERSION_MIN}"
    return None


def missing_image_keys(ssm: SSMClient, config: Config) -> list[int]:
    """The versions of keys whose public part the template reads and is not there.

    Nothing is asked without a domain, which alone takes keys. Raises ClientError.
    """
    if config.domain is None:
        return []
    versions = {config.image_public_key_parameter(each): each for each in config.image_key_versions}
    answer = ssm.get_parameters(Names=list(versions))
    return [versions[name] for name in answer.get("InvalidParameters", ())]
