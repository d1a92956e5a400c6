"""The streams of the Jobs and the Users table: whatever was written, whoever wrote it."""

from __future__ import annotations

from typing import Any

from common import wiring
from common.observability import observed
from functions.push.push_changes import push_changes

services = wiring.push_services


@observed
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Lambda's entry point."""
    given = services()
    push_changes(given.read(event), given)
    return {}
