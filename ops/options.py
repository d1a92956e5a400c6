"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

from typer import BadParameter, Option


def said(reason: str | None) -> str | None:
    """A reason that says something, or none; raises BadParameter."""
    if reason is not None and not reason.strip():
        raise BadParameter("say why")
    return reason


Json = Annotated[bool, Option("--json", help="Print the result for programs.")]
Markdown = Annotated[bool, Option("--markdown", help="Print the result as Markdown.")]
DryRun = Annotated[bool, Option("--dry-run", help="Say what would be done, and do nothing.")]
Reason = Annotated[
    str,
    Option(
        metavar="WHY",
        callback=said,
        help="Why; kept, and shown to the customer.",
    ),
]
Profile = Annotated[
    str | None, Option(metavar="P", help="Credentials by their name in your AWS configuration.")
]
Stage = Annotated[
    str, Option(metavar="S", help="A stage of cdk.json, such as dev; it becomes Imagify-S.")
]
StageIfAny = Annotated[str | None, Option("--stage", metavar="S", help="A stage of cdk.json.")]
StageOnAws = Annotated[
    str | None,
    Option(
        "--stage",
        metavar="S",
        help=r"A stage of cdk.json, which is on AWS.  \[default: the local run]",
    ),
]
Yes = Annotated[
    bool, Option("--yes", envvar="IMAGIFY_YES", help="Approve what would be asked otherwise.")
]
