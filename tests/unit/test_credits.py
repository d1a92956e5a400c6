from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
)

from common import credits as ledger
from common import jobs as lifecycle
from common.credits import Balance, EntryKind, LedgerEntry
from common.errors import ImagifyError, InsufficientCredits, StaleWrite, TooManyActiveJobs
from common.jobs import Image, ImageRequest, Job, JobError
from common.users import User
from tests.fakes import MemoryJobStore, MemoryTables, MemoryUserStore

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
IMAGE = Image(key="k", width=1, height=1, content_type="image/png", size_bytes=1)
ERROR = JobError(code="content_refused", message="No.")
ACTIVE_JOBS_MAX = 3


def a_job(job_id: str = "job_1", *, cost: int = 2) -> Job:
    return Job(
        job_id=job_id,
        user_id="usr_ann",
        request=ImageRequest(prompt="a cat", model="core", aspect_ratio="1:1"),
        fingerprint="f",
        cost=cost,
        created_at=NOW,
    )


def moved(entry: LedgerEntry) -> tuple[int, int, int]:
    return entry.available, entry.held, entry.active_jobs


def test_a_hold_sets_aside_what_a_settle_spends_and_a_release_gives_back() -> None:
    job = a_job(cost=7)
    assert moved(ledger.hold(job)) == (-7, 7, 1)
    assert moved(ledger.settle(job, now=NOW)) == (0, -7, -1)
    assert moved(ledger.release(job, now=NOW)) == (7, -7, -1)


def test_an_entry_is_named_by_its_cause() -> None:
    job = a_job()
    assert ledger.hold(job).entry_id == "job#job_1#hold"
    settle, release = ledger.settle(job, now=NOW), ledger.release(job, now=NOW)
    assert settle.entry_id == release.entry_id == "job#job_1#resolve", "only one can be written"
    assert (settle.kind, release.kind) == (EntryKind.SETTLE, EntryKind.RELEASE)
    welcome = ledger.grant("usr_ann", amount=10, cause="welcome", reason="welcome", now=NOW)
    assert (welcome.entry_id, moved(welcome)) == ("grant#welcome", (10, 0, 0))


def test_a_hold_needs_the_credits() -> None:
    balance = Balance(available=1, held=5, active_jobs=1)
    with pytest.raises(InsufficientCredits, match="costs 2 credits and you have 1"):
        ledger.apply(balance, ledger.hold(a_job()), active_jobs_max=10)
    exact = replace(balance, available=2)
    after = ledger.apply(exact, ledger.hold(a_job()), active_jobs_max=10)
    assert after == Balance(available=0, held=7, active_jobs=2)


def test_a_hold_needs_room_among_the_users_jobs() -> None:
    full = Balance(available=50, held=6, active_jobs=3)
    with pytest.raises(TooManyActiveJobs) as refused:
        ledger.apply(full, ledger.hold(a_job()), active_jobs_max=3)
    assert refused.value.retry_after_seconds == ledger.BUSY_RETRY_AFTER_SECONDS
    assert ledger.apply(full, ledger.hold(a_job()), active_jobs_max=4).active_jobs == 4
    assert ledger.apply(full, ledger.hold(a_job()), active_jobs_max=None).active_jobs == 4


def test_a_user_over_the_limit_can_still_finish_jobs() -> None:
    over = Balance(available=0, held=10, active_jobs=5)
    after = ledger.apply(over, ledger.settle(a_job(), now=NOW), active_jobs_max=3)
    assert after == Balance(available=0, held=8, active_jobs=4)


@pytest.mark.parametrize("balance", [Balance(held=1, active_jobs=1), Balance(held=2)])
def test_more_than_is_held_cannot_be_taken(balance: Balance) -> None:
    with pytest.raises(ValueError, match="more than is held"):
        ledger.apply(balance, ledger.settle(a_job(), now=NOW), active_jobs_max=None)


entries = st.builds(
    LedgerEntry,
    user_id=st.just("usr_ann"),
    entry_id=st.just("entry"),
    kind=st.sampled_from(EntryKind),
    created_at=st.just(NOW),
    available=st.integers(-9, 9),
    held=st.integers(-9, 9),
    active_jobs=st.integers(-1, 1),
)


@given(st.lists(entries, max_size=40))
def test_a_balance_is_the_sum_of_its_entries_and_never_negative(moves: list[LedgerEntry]) -> None:
    balance, written = Balance(), []
    for entry in moves:
        try:
            after = ledger.apply(balance, entry, active_jobs_max=ACTIVE_JOBS_MAX)
        except (ImagifyError, ValueError):
            continue
        written.append(entry)
        balance = after
        assert min(balance.available, balance.held, balance.active_jobs) >= 0
        assert balance.active_jobs <= ACTIVE_JOBS_MAX
    assert balance.available == sum(entry.available for entry in written)
    assert balance.held == sum(entry.held for entry in written)
    assert balance.active_jobs == sum(entry.active_jobs for entry in written)


class Ledger(RuleBasedStateMachine):
    """Jobs that are opened and resolved in every order, twice and out of turn."""

    versions = Bundle("versions")

    @initialize(available=st.integers(0, 12))
    def _person(self, available: int) -> None:
        self.tables = MemoryTables()
        self.jobs = MemoryJobStore(self.tables)
        welcome = ledger.grant("usr_ann", amount=available, cause="w", reason="w", now=NOW)
        balance = Balance(available=available)
        user = User(user_id="usr_ann", email="a@example.com", created_at=NOW, balance=balance)
        MemoryUserStore(self.tables).create(user, welcome)

    @rule(target=versions, number=st.integers(1, 6), cost=st.integers(1, 4))
    def _open(self, number: int, cost: int) -> object:
        job = a_job(f"job_{number}", cost=cost)
        try:
            return self.jobs.open(job, ledger.hold(job), active_jobs_max=ACTIVE_JOBS_MAX)
        except (InsufficientCredits, TooManyActiveJobs):
            return multiple()

    @rule(target=versions, job=versions)
    def _claim(self, job: Job) -> object:
        try:
            claimed = lifecycle.claim(job, lease_id="l", sent_at=NOW, now=NOW, lease_seconds=130)
            self.jobs.save(claimed)
        except (StaleWrite, lifecycle.LeaseHeld, lifecycle.NotClaimable):
            return multiple()
        return claimed

    @rule(target=versions, job=versions, end=st.sampled_from(["succeed", "fail", "cancel"]))
    def _resolve(self, job: Job, end: str) -> object:
        try:
            if end == "succeed":
                over = lifecycle.succeed(job, image=IMAGE, now=NOW)
                self.jobs.save(over, entry=ledger.settle(over, now=NOW))
            elif end == "fail":
                over = lifecycle.fail(job, error=ERROR, now=NOW)
                self.jobs.save(over, entry=ledger.release(over, now=NOW))
            else:
                over = lifecycle.cancel(job, now=NOW)
                self.jobs.save(over, entry=ledger.release(over, now=NOW))
        except (StaleWrite, ValueError, ImagifyError):
            return multiple()
        return over

    @invariant()
    def _books_agree(self) -> None:
        written = list(self.tables.ledger.values())
        balance = self.tables.users["usr_ann"].balance
        open_jobs = [job for job in self.tables.jobs.values() if not job.terminal]
        assert balance.available == sum(entry.available for entry in written) >= 0
        assert balance.held == sum(entry.held for entry in written)
        assert balance.held == sum(job.cost for job in open_jobs)
        assert balance.active_jobs == len(open_jobs) <= ACTIVE_JOBS_MAX
        for job in self.tables.jobs.values():
            resolutions = [
                entry for entry in written if entry.job_id == job.job_id and entry.held < 0
            ]
            assert len(resolutions) == (1 if job.terminal else 0)


test_holds_are_resolved_once_in_whatever_order = Ledger.TestCase
