"""Sweep's."""

from __future__ import annotations

from common.settings.base import Count, RoutedSettings, Text
from common.settings.money import MoneySettings


class SweepSettings(MoneySettings, RoutedSettings):
    """What `functions/sweep` needs."""

    routes_table: Text
    """The pacing lines, an item a route."""

    acts_table: Text
    """Who has decided what about stalled jobs."""
    queue_url: Text
    stalled_hold_hours: Count = 48
    """How long a stalled job waits for an operator."""
