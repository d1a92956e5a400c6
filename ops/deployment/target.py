"""A stage of cdk.json, and the AWS account that it is deployed to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from boto3.session import Session
from botocore.exceptions import ClientError

from common.config import Config
from ops.caller import known_caller
from ops.deployment.cdk import run_cdk
from ops.deployment.prerequisites import bootstrap_version, bootstrap_wrong, missing_image_keys
from ops.stack_state import find_stack
from ops.stages import configured
from sandbox.errors import CommandError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackTypeDef


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
        return (self.config.stack_name, self.config.web_stack_name)

    def stacks(self) -> list[StackTypeDef]:
        """Those of the stage's stacks that are there. Raises CommandError."""
        return [found for name in self.stack_names if (found := self._stack(name))]

    def require_bootstrapped(self) -> None:
        """Raise CommandError, with what to do, where the CDK has nothing to deploy with."""
        wrong = bootstrap_wrong(bootstrap_version(self.session.client("ssm")))
        if wrong:
            profile = f" PROFILE={self.profile}" if self.profile else ""
            raise CommandError(
                f"{self.environment} is {wrong}. Do it once:"
                f" make bootstrap STAGE={self.config.stage}{profile}"
            )

    def require_image_keys(self) -> None:
        """Raise CommandError, with what to do, where a key that the template reads is not there."""
        profile = f" --profile {self.profile}" if self.profile else ""
        commands = [
            f"bin/imagify image-key new --stage {self.config.stage} --version {version}{profile}"
            for version in missing_image_keys(self.session.client("ssm"), self.config)
        ]
        if commands:
            raise CommandError(f"A key that signs images' links is missing: {'; '.join(commands)}")

    def cdk(self, command: str, *options: str) -> None:
        """Run the CDK on all of the stage's stacks. Raises CommandError when it fails."""
        self._run_cdk(command, "--all", "--context", f"stage={self.config.stage}", *options)

    def bootstrap(self) -> None:
        """Give the account's region what the CDK deploys with. Raises CommandError."""
        self._run_cdk("bootstrap", self.environment)

    def _run_cdk(self, *arguments: str) -> None:
        profile = ("--profile", self.profile) if self.profile else ()
        run_cdk([*arguments, *profile])

    def _stack(self, name: str) -> StackTypeDef | None:
        try:
            return find_stack(self.session.client("cloudformation"), name)
        except ClientError as error:
            raise CommandError(f"The stack {name} cannot be looked at: {error}") from error


def open_target(stage: str, profile: str | None, *, forced: bool = False) -> Target:
    """The stage, `forced` with retired models too, and the account of whoever asks.

    Raises CommandError.
    """
    config = configured(stage, forced=forced)
    caller = known_caller(profile, config.home_region)
    return Target(
        config=config,
        session=caller.session,
        account=caller.account,
        operator=caller.arn,
        profile=profile,
    )
