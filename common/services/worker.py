"""What `functions/worker` works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from common.pacing import Pacer
    from common.ports import Clock, ImageStore, JobQueue, JobWorker, ModelClient, NewId, Sleep
    from common.settings.worker import WorkerSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerServices:
    """What `functions/worker` works with."""

    settings: WorkerSettings
    jobs: JobWorker
    queue: JobQueue
    images: ImageStore
    models: ModelClient
    pacer: Pacer
    now: Clock
    new_id: NewId
    sleep: Sleep
