"""`imagify token`: somebody's ID token, for programs that speak to the API."""

# ruff: noqa: PLC0415 - --help is quick: what a command needs is imported when it runs

from __future__ import annotations

from typing import Annotated

from typer import Argument

from ops.options import Profile, StageOnAws


def token(
    email: Annotated[str, Argument(metavar="EMAIL", help="Who signs in.")],
    *,
    stage: StageOnAws = None,
    profile: Profile = None,
) -> int:
    """Sign a person in and print the ID token, which is good for an hour.

    The password is asked for, or is in IMAGIFY_PASSWORD.
    """
    from ops.customer.sign_in import token_of
    from ops.stack import Stack
    from ops.terminal import OUT

    stack = Stack(stage, profile)
    OUT.out(token_of(stack, email))
    return 0
