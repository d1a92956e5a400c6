"""`imagify grant`: credits from the house."""

# ruff: noqa: PLC0415 - --help is quick: what a command needs is imported when it runs

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

from ops.options import DryRun, Json, Profile, Reason, StageOnAws

CREDITS_MAX = 100_000
"""More than anybody means to give at once."""


def grant(
    email: Annotated[str, Argument(metavar="EMAIL", help="Whom to give them.")],
    number: Annotated[int, Argument(metavar="N", min=1, max=CREDITS_MAX, help="How many credits.")],
    *,
    reason: Reason,
    key: Annotated[
        str | None,
        Option(metavar="K", help=r"The same key grants once.  \[default: a new one]"),
    ] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    stage: StageOnAws = None,
    profile: Profile = None,
) -> int:
    """Give a person credits; the ledger says who gave them and why."""
    import json
    import uuid

    from common.wall_clock import utc_now
    from ops.money.acts import find_user, give
    from ops.stack import Stack
    from ops.terminal import ERR, OUT

    stack = Stack(stage, profile)
    user = find_user(email, stack.users)
    chosen = uuid.uuid4().hex if key is None else key
    if not dry_run:
        # Said before it is used: were the answer lost, nobody could repeat it otherwise.
        ERR.print(f"Key {chosen}: the same again changes nothing.")
        give(
            user,
            number,
            key=chosen,
            by=stack.operator,
            reason=reason,
            ledger=stack.ledger,
            now=utc_now(),
        )
        user = find_user(email, stack.users)
    available = user.balance.available
    if as_json:
        facts = {"email": user.email, "user_id": user.user_id, "granted": number, "key": chosen}
        OUT.out(json.dumps({**facts, "dry_run": dry_run, "available": available}, indent=2))
    elif dry_run:
        OUT.print(f"{user.email} has {available} credits and would be given {number}.")
    else:
        OUT.print(f"{user.email} has {available} credits now.")
    return 0
