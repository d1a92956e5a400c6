"""What `functions/sweep` works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from common.lines import LineReader
    from common.ports import (
        Clock,
        ImageFinder,
        JobKeeper,
        JobQueue,
        NewId,
        PaymentGateway,
        PaymentKeeper,
    )
    from common.settings.sweep import SweepSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepServices:
    """What `functions/sweep` works with."""

    settings: SweepSettings
    jobs: JobKeeper
    queue: JobQueue
    images: ImageFinder
    lines: LineReader
    payments: PaymentKeeper
    gateway: PaymentGateway
    now: Clock
    new_id: NewId
