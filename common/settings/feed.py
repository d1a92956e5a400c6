"""Feed's."""

from __future__ import annotations

from common.settings.base import Text
from common.settings.outlook import OutlookSettings


class FeedSettings(OutlookSettings):
    """What `functions/feed` needs."""

    connections_table: Text
    """The open sockets and the tickets to them."""
    feed_api_id: Text
    feed_stage: Text
    """The WebSocket API and its stage, where sockets are spoken on."""
