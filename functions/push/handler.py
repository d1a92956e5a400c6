"""The streams of the Jobs and the Users table: whatever was written, whoever wrote it."""

from __future__ import annotations

from typing import Any

from common.observability import logger, observed
from common.wiring.push import services
from functions.push.push_changes import push_changes


@observed
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Lambda's entry point."""
    given = services()
    try:
        push_changes(given.read(event), given)
    except Exception:
        logger.exception("not pushed")
        raise
    return {}
