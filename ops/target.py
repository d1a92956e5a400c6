"""A stage of cdk.json, and the AWS account that it is deployed to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from boto3.session import Session
from botocore.exceptions import BotoCoreError, ClientError

from common.aws.errors import error_code
from common.config import Config
from ops.cdk import run_cdk
from ops.stages import configured
from sandbox.errors import SandboxError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

BOOTSTRAP_PARAMETER = "/cdk-bootstrap/hnb659fds/version"
"""What `cdk bootstrap` leaves behind, under the qualifier that it takes unless told otherwise."""
PROPOSED = "REVIEW_IN_PROGRESS"
"""A stack of which nothing is but a proposal, such as a first deploy that nobody approved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a stage goes, and who brings it there."""

    config: Config
    session: Session
    account: str
    operator: str
    profile: str | None = None

    @property
    def environment(self) -> str:
        """What the CDK calls an account's region."""
        return f"aws://{self.account}/{self.config.home_region}"

    @property
    def stack_names(self) -> tuple[str, ...]:
        """What CloudFormation calls the stage: the service, and the page, which may be missing."""
        return (self.config.stack_name, f"{self.config.stack_name}-web")

    def stacks(self) -> list[StackTypeDef]:
        """Those of the stage's stacks that are there. Raises SandboxError."""
        return [found for name in self.stack_names if (found := self._stack(name))]

    def require_bootstrapped(self) -> None:
        """Raise SandboxError, with what to do, where the CDK has nothing to deploy with."""
        try:
            self.session.client("ssm").get_parameter(Name=BOOTSTRAP_PARAMETER)
        except ClientError as error:
            if error_code(error) != "ParameterNotFound":
                raise
            raise SandboxError(
                f"{self.environment} is not bootstrapped for the CDK. Do it once:"
                f" make bootstrap STAGE={self.config.stage}"
            ) from None

    def require_image_keys(self) -> None:
        """Raise SandboxError, with what to do, where a key that the template reads is not there."""
        config = self.config
        if config.domain is None:
            return
        versions = {
            config.image_public_key_parameter(each): each for each in config.image_key_versions
        }
        missing = self.session.client("ssm").get_parameters(Names=list(versions))[
            "InvalidParameters"
        ]
        if missing:
            commands = [
                f"bin/imagify image-key new --stage {config.stage} --version {versions[name]}"
                for name in missing
            ]
            raise SandboxError(f"A key that signs images' links is missing: {'; '.join(commands)}")

    def cdk(self, command: str, *options: str) -> None:
        """Run the CDK on all of the stage's stacks. Raises SandboxError when it fails."""
        self._run_cdk(command, "--all", "--context", f"stage={self.config.stage}", *options)

    def bootstrap(self) -> None:
        """Give the account's region what the CDK deploys with. Raises SandboxError."""
        self._run_cdk("bootstrap", self.environment)

    def _run_cdk(self, *arguments: str) -> None:
        profile = ("--profile", self.profile) if self.profile else ()
        run_cdk([*arguments, *profile])

    def _stack(self, name: str) -> StackTypeDef | None:
        cloudformation = self.session.client("cloudformation")
        try:
            found = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            # CloudFormation has no error of its own for a stack that is not there.
            if error_code(error) == "ValidationError" and "does not exist" in str(error):
                return None
            raise SandboxError(f"The stack {name} cannot be looked at: {error}") from error
        return None if found["StackStatus"] == PROPOSED else found


def open_target(stage: str, profile: str | None, *, forced: bool = False) -> Target:
    """The stage, `forced` with retired models too, and the account of whoever asks.

    Raises SandboxError.
    """
    config = configured(stage, forced=forced)
    try:
        session = Session(profile_name=profile, region_name=config.home_region)
        caller = session.client("sts").get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise SandboxError(
            f"AWS does not know who you are ({error}). Name credentials with --profile or"
            " AWS_PROFILE; an SSO session that has ended is begun anew with: aws sso login"
        ) from error
    return Target(
        config=config,
        session=session,
        account=caller["Account"],
        operator=caller["Arn"],
        profile=profile,
    )
