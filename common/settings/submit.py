"""Submit's."""

from __future__ import annotations

from common.settings.base import Count, Text
from common.settings.outlook import OutlookSettings


class SubmitSettings(OutlookSettings):
    """What `functions/submit` needs."""

    queue_url: Text
    active_jobs_max: Count = 10
    """Jobs one user may have in flight."""
