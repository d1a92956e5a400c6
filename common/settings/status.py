"""Status's."""

from __future__ import annotations

from common.settings.outlook import OutlookSettings


class StatusSettings(OutlookSettings):
    """What `functions/status` needs."""
