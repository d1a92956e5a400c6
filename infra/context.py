"""What the CDK's context says: which stage is meant, how it is configured, whether it is local.

`imagify` has the settings (see `common.config`), `stage` names one of its stages, `imagify-force`
lets models pass that are retired, and `sandbox` is the local run's bucket for assets (see
`infra.stack` for what that changes).
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

from aws_cdk import App

from common.config import (
    CONFIG_KEY,
    FORCE_KEY,
    USUAL_STAGE,
    Config,
    ConfigError,
    check_routes,
    parse,
)

STAGE_KEY = "stage"
SANDBOX_KEY = "sandbox"


def load(app: App, *, today: date | None = None) -> Config:
    """The stage's configuration, checked; raises ConfigError."""
    raw = app.node.try_get_context(CONFIG_KEY)
    stage = app.node.try_get_context(STAGE_KEY)
    config = parse({} if raw is None else raw, USUAL_STAGE if stage is None else stage)
    check_routes(
        config.routes,
        today=today or datetime.now(UTC).date(),
        forced=config.force_retired_models or app.node.try_get_context(FORCE_KEY) == "true",
    )
    return config


def sandbox_assets(app: App) -> str | None:
    """The local run's bucket for assets, or None on AWS; raises ConfigError."""
    bucket = app.node.try_get_context(SANDBOX_KEY)
    if bucket is None:
        return None
    if not isinstance(bucket, str) or not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", bucket):
        raise ConfigError(f"The context value {SANDBOX_KEY!r} names a bucket, not {bucket!r}.")
    return bucket
