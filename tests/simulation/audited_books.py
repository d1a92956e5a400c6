"""The auditor's own account of jobs, ledger entries and balances."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

Violate = Callable[[str, str], None]

MOVES: Mapping[str | None, tuple[str, ...]] = {
    None: ("queued",),
    "queued": ("queued", "generating", "canceled"),
    "generating": ("generating", "queued", "succeeded", "failed", "stalled"),
    "stalled": ("generating", "queued", "failed"),
}
"""Which state may follow which; what is over has no entry, as nothing follows."""
RECALLED: Mapping[str | None, tuple[str, ...]] = {None: ("succeeded",), "queued": ("succeeded",)}
"""What may follow besides for a job that is given an earlier image."""
OPEN = ("queued", "generating", "stalled")
ENTRIES = {
    "queued": ["hold"],
    "generating": ["hold"],
    "stalled": ["hold"],
    "succeeded": ["hold", "settle"],
    "failed": ["hold", "release"],
    "canceled": ["hold", "release"],
}
"""The entries of a job in each state."""
CAUSES = {"hold": "hold", "settle": "resolve", "release": "resolve"}
"""How an entry's id ends, so that no two can be written for the same cause."""
GIVEN_UP = "given_up"
PATIENCE = timedelta(hours=48)
"""How long a stalled job is left to operators."""
FIXED = ("user_id", "fingerprint", "cost", "created_at", "allow_cached")
"""What never changes of a job …"""
CHOSEN_SEED = 7
"""The one seed that people choose here; any other is the job's own."""
ASKED = ("prompt", "negative_prompt", "model", "aspect_ratio")
"""… and of its request. A job that chose no seed has that of the image which it is given."""


class Books:
    """What jobs, ledger and balances must look like, from all that was written so far."""

    def __init__(
        self, violate: Violate, *, now: Callable[[], datetime], images: Mapping[str, bytes]
    ) -> None:
        self._violate = violate
        self._now = now
        self._images = images
        self.jobs: dict[str, Any] = {}
        """Each job as it was written last."""
        self._users: dict[str, Any] = {}
        self._entries: defaultdict[str, list[Any]] = defaultdict(list)
        """Each job's entries."""
        self._sums: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
        self._open: defaultdict[str, int] = defaultdict(int)
        self._touched_jobs: dict[str, None] = {}
        self._touched_users: dict[str, None] = {}

    def job_changed(self, before: Any, after: Any) -> None:
        """One write of a job."""
        if after is None:
            self._violate("job", f"{before.job_id} is gone")
            return
        self._touched_jobs[after.job_id] = None
        self._touched_users[after.user_id] = None
        self.jobs[after.job_id] = after
        was = None if before is None else str(before.status)
        now = str(after.status)
        self._open[after.user_id] += (now in OPEN) - (was in OPEN)
        what = f"{after.job_id[:8]} {was} -> {now}"
        recalled = RECALLED.get(was, ()) if after.cached else ()
        if now not in MOVES.get(was, ()) and now not in recalled:
            self._violate("job", f"{what} is not allowed")
        if after.version != (0 if before is None else before.version) + 1:
            self._violate("job", f"{what}: version {after.version} does not follow")
        if before is not None:
            for name in FIXED:
                if getattr(before, name) != getattr(after, name):
                    self._violate("job", f"{what}: its {name} has changed")
            may_differ = after.cached and before.request.seed != CHOSEN_SEED
            same_seed = before.request.seed == after.request.seed
            if asked(before) != asked(after) or not (same_seed or may_differ):
                self._violate("job", f"{what}: its request has changed")
            self._check_lease(before, after, what)
            self._check_patience(before, after, what)

    def entry_changed(self, before: Any, after: Any) -> None:
        """One write of a ledger entry."""
        if before is not None or after is None:
            self._violate("ledger", f"{(before or after).entry_id} has changed")
            return
        sums = self._sums[after.user_id]
        sums[0] += after.available
        sums[1] += after.held
        sums[2] += after.active_jobs
        self._touched_users[after.user_id] = None
        if after.job_id is not None:
            self._entries[after.job_id].append(after)
            self._touched_jobs[after.job_id] = None

    def user_changed(self, before: Any, after: Any) -> None:
        """One write of a user."""
        if after is None:
            self._violate("balance", f"{before.user_id} is gone")
            return
        self._users[after.user_id] = after
        self._touched_users[after.user_id] = None

    def check(self) -> None:
        """Check whatever was written since the last time: all of it was one write."""
        for job_id in self._touched_jobs:
            self._check_job(job_id)
        for user_id in self._touched_users:
            self._check_user(user_id)
        self._touched_jobs.clear()
        self._touched_users.clear()

    def held_for(self, user_id: str) -> int:
        """What the user's stalled jobs cost."""
        own = [job for job in self.jobs.values() if job.user_id == user_id]
        return sum(job.cost for job in own if str(job.status) == "stalled")

    def balances(self) -> dict[str, Any]:
        """Each user's balance as it was written last."""
        return {user_id: user.balance for user_id, user in self._users.items()}

    def _check_lease(self, before: Any, after: Any, what: str) -> None:
        """Nobody takes a job away from a worker that may still be at work on it."""
        if str(before.status) != "generating" or before.lease_id == after.lease_id:
            return
        if str(after.status) == "generating" and before.lease_expires_at > self._now():
            self._violate("lease", f"{what}: its lease was not over")

    def _check_patience(self, before: Any, after: Any, what: str) -> None:
        """Nobody but an operator gives a stalled job up before its time."""
        given_up = after.error is not None and after.error.code == GIVEN_UP
        if given_up and before.stalled_at + PATIENCE > self._now():
            self._violate("lost", f"{what}: given up too early")

    def _check_job(self, job_id: str) -> None:
        job, entries = self.jobs.get(job_id), self._entries[job_id]
        if job is None:
            self._violate("ledger", f"{job_id} has {len(entries)} entries and does not exist")
            return
        status = str(job.status)
        cached = job.cached
        expected = ["hold", "release"] if cached else ENTRIES[status]
        found = [str(entry.kind) for entry in entries]
        if found != expected:
            self._violate("ledger", f"{job_id[:8]} is {status} and its entries are {found}")
        for entry in entries:
            moved = (entry.available, entry.held, entry.active_jobs)
            if moved != amounts(str(entry.kind), job.cost) or entry.user_id != job.user_id:
                self._violate("ledger", f"{entry.entry_id} moves {moved} for {job.cost}")
            if entry.entry_id != f"job#{job_id}#{CAUSES.get(str(entry.kind))}":
                self._violate("ledger", f"{entry.entry_id} does not name its cause")
        self._check_image(job, status, cached=cached)

    def _check_image(self, job: Any, status: str, *, cached: bool) -> None:
        """What is paid for is there, and what is not paid for is not."""
        own = f"images/{job.user_id}/{job.job_id}.png"
        if status == "succeeded":
            right = self._is_anothers(job) if cached else job.image.key == own
            if not right or job.image.key not in self._images:
                self._violate("image", f"{job.job_id[:8]} has no image at {job.image.key}")
        elif job.image is not None:
            self._violate("image", f"{job.job_id[:8]} is {status} and shows an image")
        if status in ("failed", "canceled") and own in self._images:
            self._violate("image", f"{job.job_id[:8]} is {status} and has an image")

    def _is_anothers(self, job: Any) -> bool:
        """Whether a job's image is an earlier one of the same user and the same request."""
        return job.allow_cached and any(
            other.image is not None
            and other.image.key == job.image.key
            and other.job_id != job.job_id
            and other.user_id == job.user_id
            and asked(other) == asked(job)
            for other in self.jobs.values()
        )

    def _check_user(self, user_id: str) -> None:
        user = self._users.get(user_id)
        if user is None:
            self._violate("ledger", f"{user_id} has entries and does not exist")
            return
        balance, sums = user.balance, self._sums[user_id]
        has = [balance.available, balance.held, balance.active_jobs]
        if min(has) < 0 or has != sums:
            self._violate("balance", f"{user_id} has {has}, the ledger says {sums}")
        if balance.active_jobs != self._open[user_id]:
            self._violate("balance", f"{user_id} has {self._open[user_id]} open jobs, not {has[2]}")


def asked(job: Any) -> tuple[Any, ...]:
    """What a job asks for, but for its seed."""
    return tuple(getattr(job.request, name) for name in ASKED)


def amounts(kind: str, cost: int) -> tuple[int, int, int] | None:
    """What an entry of a job moves: available, held and active jobs."""
    return {
        "hold": (-cost, cost, 1),
        "settle": (0, -cost, -1),
        "release": (cost, -cost, -1),
    }.get(kind)
