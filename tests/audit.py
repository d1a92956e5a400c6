"""What must be true of the books whatever has happened: the promises about money, checked."""

from __future__ import annotations

from common.credits import EntryKind, LedgerEntry
from common.jobs import Job, JobStatus
from common.payments import PaymentStatus
from tests.fakes import MemoryTables

RESOLVED: dict[JobStatus, list[EntryKind]] = {
    JobStatus.QUEUED: [EntryKind.HOLD],
    JobStatus.GENERATING: [EntryKind.HOLD],
    JobStatus.STALLED: [EntryKind.HOLD],
    JobStatus.SUCCEEDED: [EntryKind.HOLD, EntryKind.SETTLE],
    JobStatus.FAILED: [EntryKind.HOLD, EntryKind.RELEASE],
    JobStatus.CANCELED: [EntryKind.HOLD, EntryKind.RELEASE],
}
"""The ledger entries of a job in each state, unless its image is an earlier one."""

CREDITED = (PaymentStatus.PAID, PaymentStatus.REFUNDING, PaymentStatus.REFUNDED)
"""Where a payment has topped up."""


def resolved(job: Job) -> list[EntryKind]:
    """The ledger entries that the job is to have; an earlier image costs nothing."""
    return RESOLVED[JobStatus.FAILED if job.cached else job.status]


def entries_of(tables: MemoryTables, user_id: str) -> list[LedgerEntry]:
    """The user's ledger."""
    return [entry for entry in tables.ledger.values() if entry.user_id == user_id]


def audit(tables: MemoryTables) -> None:
    """Every balance is the sum of its entries, which are what jobs and payments say."""
    for user in tables.users.values():
        entries = entries_of(tables, user.user_id)
        jobs = [job for job in tables.jobs.values() if job.user_id == user.user_id]
        open_jobs = [job for job in jobs if not job.terminal]
        assert user.balance.available == sum(entry.available for entry in entries) >= 0
        assert user.balance.held == sum(entry.held for entry in entries)
        assert user.balance.held == sum(job.cost for job in open_jobs)
        assert user.balance.active_jobs == len(open_jobs)
        for job in jobs:
            found = sorted(entry.kind for entry in entries if entry.job_id == job.job_id)
            assert found == sorted(resolved(job))
    for payment in tables.payments.values():
        own = [each for each in tables.ledger.values() if each.txn_ref == payment.txn_ref]
        assert {each.user_id for each in own} <= {payment.user_id}
        assert [each.kind for each in own].count(EntryKind.TOP_UP) == (payment.status in CREDITED)
        kept = 0 if payment.status not in CREDITED else payment.credits
        if payment.status in (PaymentStatus.REFUNDING, PaymentStatus.REFUNDED):
            assert payment.refund is not None
            kept -= payment.refund.credits
        assert sum(each.available for each in own) == kept
