"""The books of a stack, and what does not add up in them.

Nothing here reads or writes anything: `ops.money.read_books` brings the books.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from common.credits import EntryKind, LedgerEntry
from common.jobs import Job, JobStatus, image_key
from common.payments import Payment, PaymentStatus
from common.users import User

CREDITED = frozenset({PaymentStatus.PAID, PaymentStatus.REFUNDING, PaymentStatus.REFUNDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Everything that says who has, owes or was given what."""

    users: Mapping[str, User]
    entries: Sequence[LedgerEntry]
    jobs: Mapping[str, Job]
    payments: Mapping[str, Payment]
    images: frozenset[str]
    """The keys of all stored images."""


@dataclass(frozen=True, slots=True, order=True)
class Discrepancy:
    """One thing that does not add up."""

    kind: str
    """balance, ledger, job, image or payment."""
    subject: str
    user_id: str
    """Whose it is; empty for a thing of nobody."""
    message: str


def audit(books: Books) -> list[Discrepancy]:
    """Every discrepancy; none means that no credit was lost or made.

    Balances are held against the ledger and the open jobs, each job against its entries and its
    image, each payment against its entries.
    """
    return sorted({*_balances(books), *_jobs(books), *_images(books), *_payments(books)})


def _balances(books: Books) -> Iterator[Discrepancy]:
    entries: defaultdict[str, list[LedgerEntry]] = defaultdict(list)
    for entry in books.entries:
        entries[entry.user_id].append(entry)
    open_jobs: defaultdict[str, list[Job]] = defaultdict(list)
    for job in books.jobs.values():
        if not job.terminal:
            open_jobs[job.user_id].append(job)
    for user_id in entries.keys() - books.users.keys():
        yield Discrepancy("ledger", user_id, user_id, "There is a ledger, and no such user.")
    for user_id, user in books.users.items():
        has = user.balance
        told = (
            sum(entry.available for entry in entries[user_id]),
            sum(entry.held for entry in entries[user_id]),
            sum(entry.active_jobs for entry in entries[user_id]),
        )
        for name, stored, summed in zip(
            ("available", "held", "active_jobs"),
            (has.available, has.held, has.active_jobs),
            told,
            strict=True,
        ):
            if stored != summed:
                said = f"{name} is {stored}, and the ledger adds up to {summed}."
                yield Discrepancy("balance", user_id, user_id, said)
            if stored < 0:
                yield Discrepancy("balance", user_id, user_id, f"{name} is {stored}.")
        owed = sum(job.cost for job in open_jobs[user_id])
        if has.held != owed or has.active_jobs != len(open_jobs[user_id]):
            said = (
                f"{has.held} credits are held for {has.active_jobs} jobs, and the open jobs are "
                f"{len(open_jobs[user_id])} of {owed}."
            )
            yield Discrepancy("balance", user_id, user_id, said)


def _jobs(books: Books) -> Iterator[Discrepancy]:
    found: defaultdict[str, list[LedgerEntry]] = defaultdict(list)
    for entry in books.entries:
        if entry.job_id is not None:
            found[entry.job_id].append(entry)
    for job_id in found.keys() - books.jobs.keys():
        user_id = found[job_id][0].user_id
        yield Discrepancy("job", job_id, user_id, "Credits moved for it, and there is no such job.")
    for job in books.jobs.values():
        moved = sorted(map(_move, found[job.job_id]))
        expected = sorted(_expected_of_job(job))
        if moved != expected:
            said = f"It is {job.status}, costs {job.cost}, and its ledger says {_shown(moved)}."
            yield Discrepancy("job", job.job_id, job.user_id, said)


def _images(books: Books) -> Iterator[Discrepancy]:
    keys = {image_key(job): job for job in books.jobs.values()}
    for key, job in keys.items():
        shown = job.image.key if job.image else key
        if job.status is JobStatus.SUCCEEDED and shown not in books.images:
            said = f"{job.cost} credits are settled, and the image is not there."
            if job.cached:
                said = "It shows an earlier image, which is not there."
            yield Discrepancy("image", job.job_id, job.user_id, said)
        if job.terminal and not _settled(job) and key in books.images:
            said = f"Its image is there, and it is {'cached' if job.cached else job.status}."
            yield Discrepancy("image", job.job_id, job.user_id, said)
    for key in books.images - keys.keys():
        owner = key.split("/")[1] if key.count("/") > 1 else ""
        yield Discrepancy("image", key, owner, "It is no job's image.")


def _payments(books: Books) -> Iterator[Discrepancy]:
    found: defaultdict[str, list[LedgerEntry]] = defaultdict(list)
    for entry in books.entries:
        if entry.txn_ref is not None:
            found[entry.txn_ref].append(entry)
    for txn_ref in found.keys() - books.payments.keys():
        user_id = found[txn_ref][0].user_id
        said = "Credits moved for it, and there is no such payment."
        yield Discrepancy("payment", txn_ref, user_id, said)
    for payment in books.payments.values():
        entries = found[payment.txn_ref]
        kinds = [entry.kind for entry in entries]
        credited = payment.status in CREDITED
        kept = sum(entry.available for entry in entries)
        expected = payment.credits if credited else 0
        if payment.status in (PaymentStatus.REFUNDING, PaymentStatus.REFUNDED):
            expected -= payment.refund.credits if payment.refund else 0
        others = {entry.user_id for entry in entries} - {payment.user_id}
        if kinds.count(EntryKind.TOP_UP) != int(credited) or kept != expected or others:
            said = (
                f"It is {payment.status} for {payment.credits} credits, and its ledger says "
                f"{_shown(sorted(map(_move, entries)))}{_of(others)}."
            )
            yield Discrepancy("payment", payment.txn_ref, payment.user_id, said)


def _expected_of_job(job: Job) -> Iterator[tuple[str, int, int, int]]:
    yield (EntryKind.HOLD, -job.cost, job.cost, 1)
    if _settled(job):
        yield (EntryKind.SETTLE, 0, -job.cost, -1)
    elif job.terminal:
        yield (EntryKind.RELEASE, job.cost, -job.cost, -1)


def _settled(job: Job) -> bool:
    """Whether its own image was made, and paid for."""
    return job.status is JobStatus.SUCCEEDED and not job.cached


def _move(entry: LedgerEntry) -> tuple[str, int, int, int]:
    return (entry.kind, entry.available, entry.held, entry.active_jobs)


def _shown(moves: Iterable[tuple[str, int, int, int]]) -> str:
    words = [f"{kind} {available:+d}/{held:+d}" for kind, available, held, _jobs in moves]
    return ", ".join(words) or "nothing"


def _of(others: set[str]) -> str:
    return f", of {', '.join(sorted(others))}" if others else ""
