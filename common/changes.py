"""What has changed, as whoever is told of it learns it."""

from __future__ import annotations

from dataclasses import dataclass

from common.credits import Balance
from common.jobs import Job


@dataclass(frozen=True, slots=True)
class JobChanged:
    """A job was written."""

    job: Job

    @property
    def user_id(self) -> str:
        """Whose it is."""
        return self.job.user_id

    @property
    def subject(self) -> str:
        """What a later change of the same supersedes."""
        return self.job.job_id


@dataclass(frozen=True, slots=True)
class BalanceChanged:
    """A user's balance was written."""

    user_id: str
    balance: Balance

    @property
    def subject(self) -> str:
        """What a later change of the same supersedes."""
        return self.user_id


Change = JobChanged | BalanceChanged
