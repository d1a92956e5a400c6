"""`imagify audit`: whether every credit adds up."""

# ruff: noqa: PLC0415 - --help is quick: what a command needs is imported when it runs

from __future__ import annotations

from ops.options import Json, Profile, StageOnAws


def audit(
    *,
    as_json: Json = False,
    stage: StageOnAws = None,
    profile: Profile = None,
) -> int:
    """Hold every balance against the ledger, the jobs, the images and the payments.

    Reads everything and changes nothing. Exit code 1: something does not add up.
    """
    import json
    from dataclasses import asdict

    from ops.stack import Stack
    from ops.terminal import OUT, Steps

    stack = Stack(stage, profile)
    with Steps() as steps:
        books, found = stack.books.discrepancies(steps)
    counts = {
        "users": len(books.users),
        "entries": len(books.entries),
        "jobs": len(books.jobs),
        "images": len(books.images),
        "payments": len(books.payments),
    }
    if as_json:
        facts = {**counts, "discrepancies": [asdict(each) for each in found]}
        OUT.out(json.dumps(facts, indent=2))
        return 1 if found else 0
    for each in found:
        OUT.print(f"{each.kind}  {each.subject}  {each.message}", markup=False)
    read = ", ".join(f"{number} {name}" for name, number in counts.items())
    verdict = f"{len(found)} do not add up" if found else "everything adds up"
    OUT.print(f"{read}: {verdict}.")
    return 1 if found else 0
