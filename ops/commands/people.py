"""`imagify people`: who may sign in."""

# ruff: noqa: PLC0415 - --help is quick: what a command needs is imported when it runs

from __future__ import annotations

import json
from typing import Annotated

from typer import Argument, Option, Typer

from ops.options import Json, Profile, StageOnAws

PEOPLE = Typer(
    name="people",
    help="Make somebody who can sign in, or look somebody up.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Email = Annotated[str, Argument(metavar="EMAIL", help="Whom.")]


@PEOPLE.command("add")
def add_person(
    email: Email,
    *,
    generate_password: Annotated[
        bool, Option("--generate-password", help="Make a password up, and print it this once.")
    ] = False,
    as_json: Json = False,
    stage: StageOnAws = None,
    profile: Profile = None,
) -> int:
    """Make somebody whose address counts as verified; nothing is mailed.

    The password is asked for, or is in IMAGIFY_PASSWORD. The first sign-in gives the welcome
    credits.
    """
    from common.email_address import normalised
    from ops.customer.passwords import chosen_password
    from ops.stack import Stack
    from ops.terminal import ERR, OUT
    from sandbox.people import Person, new_password

    stack = Stack(stage, profile)
    address = normalised(email)
    password = new_password() if generate_password else chosen_password(address)
    stack.people.create(Person(address, password))
    shown = password if generate_password else None
    if as_json:
        facts = {"email": address, "sub": stack.people.sub(address), "password": shown}
        OUT.out(json.dumps(facts, indent=2))
        return 0
    ERR.print(f"{address} can sign in to {stack.name}.")
    if shown:
        OUT.out(shown)
    return 0


@PEOPLE.command("show")
def show_person(
    email: Email,
    *,
    as_json: Json = False,
    stage: StageOnAws = None,
    profile: Profile = None,
) -> int:
    """Say how the user pool and how we know somebody, and what credits there are."""
    from common.email_address import normalised
    from ops.stack import Stack
    from ops.terminal import OUT

    stack = Stack(stage, profile)
    address = normalised(email)
    sub = stack.people.sub(address)
    user_id = stack.users.find_by_email(address)
    user = stack.users.get(user_id) if user_id else None
    if as_json:
        balance = user and {"available": user.balance.available, "held": user.balance.held}
        facts = {"email": address, "sub": sub, "user_id": user_id, "balance": balance}
        OUT.out(json.dumps(facts, indent=2))
        return 0
    credits_said = (
        f"{user.balance.available} available, {user.balance.held} held"
        if user
        else "none yet: the first sign-in gives them"
    )
    said = {"email": address, "sub": sub, "user_id": user_id or "none yet", "credits": credits_said}
    for name, value in said.items():
        OUT.print(f"  [bold]{name:<10}[/]{value}")
    return 0
