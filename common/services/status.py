"""What `functions/status` works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from common.ports import Clock, JobStore, Sleep
    from common.settings.status import StatusSettings
    from common.snapshots import Snapshots


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusServices:
    """What `functions/status` works with."""

    settings: StatusSettings
    jobs: JobStore
    snapshots: Snapshots
    now: Clock
    sleep: Sleep
