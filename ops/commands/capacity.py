"""`imagify capacity`: how many images a stage can make."""

# ruff: noqa: PLC0415 - --help is quick: what a command needs is imported when it runs

from __future__ import annotations

from typing import Annotated

from typer import Option

from ops.options import Json, Markdown, StageIfAny


def capacity(
    *,
    stage: StageIfAny = None,
    account_concurrency: Annotated[
        int,
        Option(
            metavar="N",
            min=1,
            help="How many functions the account may run at once; new accounts may have 10.",
        ),
    ] = 1000,
    as_json: Json = False,
    as_markdown: Markdown = False,
) -> int:
    """How many images a stage can make, what keeps it from more, and what each change would buy.

    Nothing is asked of AWS: the limits are those of cdk.json and of AWS's documentation.
    Without a stage they are dev's.
    """
    import json

    from ops.costs.capacity_tables import facts, tables
    from ops.costs.usage import read_usage
    from ops.stages import configured
    from ops.terminal import OUT

    config, usage = configured(stage), read_usage()
    if as_json:
        OUT.out(json.dumps(facts(config, usage, account_concurrency), indent=2))
        return 0
    found = tables(config, usage, account_concurrency)
    OUT.out("\n\n".join(each.markdown() if as_markdown else each.text() for each in found))
    return 0
