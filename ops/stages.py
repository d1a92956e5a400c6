"""How a stage is configured, for commands that are told its name."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from common.config import (
    CDK_JSON,
    USUAL_STAGE,
    Config,
    ConfigError,
    check_routes,
    parse,
    read_settings,
)
from sandbox.errors import CommandError


def configured(stage: str | None, *, path: Path = CDK_JSON, forced: bool = False) -> Config:
    """The configuration of the stage, or of the usual one, checked.

    `forced` lets retired models pass. Raises CommandError with what to change.
    """
    try:
        config = parse(read_settings(path), USUAL_STAGE if stage is None else stage)
        check_routes(
            config.routes,
            today=datetime.now(UTC).date(),
            forced=forced or config.force_retired_models,
        )
    except ConfigError as error:
        raise CommandError(f"{path.name}: {error}") from error
    return config
