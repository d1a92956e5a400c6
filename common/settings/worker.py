"""Worker's."""

from __future__ import annotations

from common.settings.base import Count, RoutedSettings, Text


class WorkerSettings(RoutedSettings):
    """What `functions/worker` needs."""

    queue_url: Text
    routes_table: Text
    """The pacing lines, an item a route."""
    attempts_max: Count = 3
    """Attempts before a job stalls."""
    slot_wait_seconds_max: Count
    model_read_seconds: Count
    lease_seconds: Count
