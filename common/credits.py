"""Credits: whole numbers that move once, each move written down with its cause.

A balance is the sum of its ledger entries. An entry's id names its cause, so the same cause cannot
be written twice: a job is held once and resolved once, settled or released.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from common.errors import InsufficientCredits, TooManyActiveJobs
from common.jobs import Job

BUSY_RETRY_AFTER_SECONDS = 15
"""When a user with too many jobs may look again: about one image's time."""


class EntryKind(StrEnum):
    """Why credits moved."""

    GRANT = "grant"
    """Given by us: a welcome, a goodwill."""
    TOP_UP = "top_up"
    """Bought: the payment is there."""
    REFUND = "refund"
    """Taken back, before the payment is paid back."""
    REFUND_UNDONE = "refund_undone"
    """Given again, as the gateway would not pay back."""
    HOLD = "hold"
    """Set aside for a job when it was submitted."""
    SETTLE = "settle"
    """Spent: the job's image is stored."""
    RELEASE = "release"
    """Given back: the job will have no image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One move of one user's credits, never changed once written."""

    user_id: str
    entry_id: str
    kind: EntryKind
    created_at: datetime
    available: int = 0
    """Credits added to what the user can spend; negative when taken."""
    held: int = 0
    """Credits added to what is set aside for jobs; negative when taken."""
    active_jobs: int = 0
    """Jobs added to those in flight."""
    job_id: str | None = None
    txn_ref: str | None = None
    """The payment that it is about."""
    reason: str | None = None
    """Why, in the words of whoever gave or took."""
    by: str | None = None
    """The operator who did it; None: the service itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What a user has; never below zero."""

    available: int = 0
    held: int = 0
    active_jobs: int = 0


def grant(
    user_id: str, *, amount: int, cause: str, reason: str, now: datetime, by: str | None = None
) -> LedgerEntry:
    """Credits from us; `cause` makes it unique for the user, such as `welcome`."""
    return LedgerEntry(
        user_id=user_id,
        entry_id=f"grant#{cause}",
        kind=EntryKind.GRANT,
        created_at=now,
        available=amount,
        reason=reason,
        by=by,
    )


def hold(job: Job) -> LedgerEntry:
    """Set the job's cost aside."""
    return LedgerEntry(
        user_id=job.user_id,
        entry_id=f"job#{job.job_id}#hold",
        kind=EntryKind.HOLD,
        created_at=job.created_at,
        available=-job.cost,
        held=job.cost,
        active_jobs=1,
        job_id=job.job_id,
    )


def settle(job: Job, *, now: datetime) -> LedgerEntry:
    """Spend the job's hold."""
    return _resolve(job, EntryKind.SETTLE, now=now, available=0)


def release(job: Job, *, now: datetime) -> LedgerEntry:
    """Give the job's hold back."""
    return _resolve(job, EntryKind.RELEASE, now=now, available=job.cost)


def apply(balance: Balance, entry: LedgerEntry, *, active_jobs_max: int | None) -> Balance:
    """The balance after the entry.

    `active_jobs_max` bounds a hold (None: unbounded). Raises InsufficientCredits or
    TooManyActiveJobs, and then nothing has moved.
    """
    after = replace(
        balance,
        available=balance.available + entry.available,
        held=balance.held + entry.held,
        active_jobs=balance.active_jobs + entry.active_jobs,
    )
    crowded = active_jobs_max is not None and after.active_jobs > active_jobs_max
    if crowded and entry.active_jobs > 0:
        raise TooManyActiveJobs(
            f"You have {balance.active_jobs} jobs in progress, as many as one user may have.",
            retry_after_seconds=BUSY_RETRY_AFTER_SECONDS,
        )
    if after.available < 0:
        raise InsufficientCredits(
            f"This costs {-entry.available} credits and you have {balance.available}."
        )
    if after.held < 0 or after.active_jobs < 0:
        raise ValueError(f"{entry.entry_id} takes more than is held")
    return after


def same_move(one: LedgerEntry, other: LedgerEntry) -> bool:
    """Whether two entries say the same, whenever each was written."""
    return replace(one, created_at=other.created_at) == other


def _resolve(job: Job, kind: EntryKind, *, now: datetime, available: int) -> LedgerEntry:
    """Settle and release share one id, so whichever is written first is the only one."""
    return LedgerEntry(
        user_id=job.user_id,
        entry_id=f"job#{job.job_id}#resolve",
        kind=kind,
        created_at=now,
        available=available,
        held=-job.cost,
        active_jobs=-1,
        job_id=job.job_id,
    )
