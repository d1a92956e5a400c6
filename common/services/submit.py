"""What `functions/submit` works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from common.ports import Clock, JobOpener, JobQueue, NewId, Sleep
    from common.settings.submit import SubmitSettings
    from common.snapshots import Snapshots


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitServices:
    """What `functions/submit` works with."""

    settings: SubmitSettings
    jobs: JobOpener
    queue: JobQueue
    snapshots: Snapshots
    now: Clock
    new_id: NewId
    sleep: Sleep
