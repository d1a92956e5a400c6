"""Where fresh ids come from."""

from __future__ import annotations

import uuid


def new_id() -> str:
    """32 hex digits, random; the operating system's, which no two restored snapshots share."""
    return uuid.uuid4().hex
