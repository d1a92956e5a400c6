"""Snapshots: a job as its owner sees it now, the same over HTTP and in the feed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from common.api import JobView, job_view
from common.jobs import Job
from common.outlook import Forecaster

if TYPE_CHECKING:
    from common.ports import Clock, ImageSigner


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshots:
    """Makes snapshots, with a signed URL for the image and the outlook while there is none."""

    images: ImageSigner
    forecaster: Forecaster
    image_url_seconds: int
    now: Clock

    def of(self, job: Job) -> JobView:
        """The job as it stands now."""
        return job_view(
            job,
            sign=self.images.url,
            outlook=self.forecaster.outlook(job),
            now=self.now(),
            image_url_seconds=self.image_url_seconds,
        )
