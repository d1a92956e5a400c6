"""Who is asking: somebody's credentials, which AWS knows."""

from __future__ import annotations

from dataclasses import dataclass

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from sandbox.errors import CommandError


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Somebody whom AWS knows, and a session as them."""

    session: boto3.session.Session
    account: str
    arn: str


def known_caller(profile: str | None, region: str) -> Caller:
    """Whoever has these credentials, or those that AWS's programs find. Raises CommandError."""
    try:
        session = boto3.session.Session(profile_name=profile, region_name=region)
        told = session.client("sts").get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise CommandError(
            f"AWS does not know who you are ({error}). Name credentials with --profile or"
            " AWS_PROFILE; an SSO session that has ended is begun anew with: aws sso login"
        ) from error
    return Caller(session=session, account=told["Account"], arn=told["Arn"])
