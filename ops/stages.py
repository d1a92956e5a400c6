"""How a stage is configured, for commands that are told its name."""

# ruff: noqa: PLC0415 - --help is quick: what a command needs is imported when it runs

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from typer import BadParameter, Option

if TYPE_CHECKING:
    from common.config import Config

StageName = Annotated[
    str | None, Option("--stage", metavar="S", help=r"A stage of cdk.json.  \[default: dev]")
]


def configured(stage: str | None) -> Config:
    """What cdk.json says of the stage, or of the usual one. Raises BadParameter."""
    from common.config import USUAL_STAGE, ConfigError, parse, read_settings

    try:
        return parse(read_settings(), USUAL_STAGE if stage is None else stage)
    except ConfigError as error:
        raise BadParameter(str(error)) from error
