"""Push's."""

from __future__ import annotations

from common.settings.feed import FeedSettings


class PushSettings(FeedSettings):
    """What `functions/push` needs."""
