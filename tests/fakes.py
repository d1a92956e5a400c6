"""The ports in memory: small, honest, and held to the same contract suite as the AWS adapters.

Each fake takes one lock for each call, so it is as atomic as what it stands for. Credits move
through `common.credits.apply` alone.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from threading import Lock

from common.acts import Act
from common.credits import LedgerEntry, apply
from common.errors import NotFound, StaleWrite
from common.jobs import Image, Job, JobStatus, Waiting
from common.lines import Line, Slot, adapted, probed, pushed, taken
from common.pages import Page
from common.payments import Payment
from common.ports import Clock
from common.routes import Route
from common.users import User

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
DELAY_SECONDS_MAX = 900
"""How long SQS keeps a message back at most."""


class ManualClock:
    """A clock that stands still until it is told to move; sleeping on it takes no time."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now
        self._lock = Lock()
        self.slept: list[float] = []

    def __call__(self) -> datetime:
        return self._now

    def now_us(self) -> int:
        return int(self._now.timestamp() * 1_000_000)

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._now += timedelta(seconds=seconds)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)


class CountedIds:
    """Ids in order: `id-1`, `id-2`, …"""

    def __init__(self, prefix: str = "id") -> None:
        self._prefix = prefix
        self._counter = itertools.count(1)

    def __call__(self) -> str:
        return f"{self._prefix}-{next(self._counter)}"


@dataclass(frozen=True)
class MemoryTables:
    """What the stores share, as they do in DynamoDB."""

    jobs: dict[str, Job] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    ledger: dict[tuple[str, str], LedgerEntry] = field(default_factory=dict)
    payments: dict[str, Payment] = field(default_factory=dict)
    acts: dict[tuple[str, str], Act] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def move(self, entry: LedgerEntry, *, active_jobs_max: int | None = None) -> None:
        """Apply an entry and write it down; the caller has the lock. All of it or nothing."""
        if (entry.user_id, entry.entry_id) in self.ledger:
            raise StaleWrite(f"{entry.entry_id} is in the ledger.")
        user = self.users.get(entry.user_id)
        if user is None:
            raise NotFound("There is no such user.", code="unknown_user")
        balance = apply(user.balance, entry, active_jobs_max=active_jobs_max)
        self.users[entry.user_id] = replace(user, balance=balance)
        self.ledger[entry.user_id, entry.entry_id] = entry


class MemoryJobStore:
    """Jobs in a dict."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    def get(self, job_id: str) -> Job | None:
        return self._tables.jobs.get(job_id)

    def page(
        self,
        user_id: str,
        *,
        limit: int,
        status: JobStatus | None = None,
        after: tuple[str, str] | None = None,
    ) -> Page[Job]:
        with self._tables.lock:
            jobs = [job for job in self._tables.jobs.values() if job.user_id == user_id]
        jobs = sorted(jobs, key=_place, reverse=True)
        jobs = [job for job in jobs if after is None or _place(job) < after]
        jobs = [job for job in jobs if status is None or job.status is status]
        more = len(jobs) > limit
        return Page(tuple(jobs[:limit]), _place(jobs[limit - 1]) if more else None)

    def active(self, user_id: str, *, limit: int) -> tuple[Job, ...]:
        everything = self.page(user_id, limit=len(self._tables.jobs) + 1).items
        return tuple(job for job in everything if not job.terminal)[:limit]

    def waiting(self, model: str) -> Waiting:
        with self._tables.lock:
            queued = [job for job in self._tables.jobs.values() if job.status is JobStatus.QUEUED]
        places = ((job.created_at, job.job_id) for job in queued if job.request.model == model)
        return Waiting(tuple(sorted(places)))

    def open(self, job: Job, hold: LedgerEntry, *, active_jobs_max: int) -> Job:
        with self._tables.lock:
            if there := self._tables.jobs.get(job.job_id):
                return there
            self._tables.move(hold, active_jobs_max=active_jobs_max)
            self._tables.jobs[job.job_id] = job
            return job

    def save(self, job: Job, *, entry: LedgerEntry | None = None, act: Act | None = None) -> None:
        with self._tables.lock:
            there = self._tables.jobs.get(job.job_id)
            if there == job:
                return
            if there is None or there.version != job.version - 1:
                raise StaleWrite(f"{job.job_id} has changed.")
            if entry is not None:
                self._tables.move(entry)
            if act is not None:
                self._tables.acts[act.subject, act.act_id] = act
            self._tables.jobs[job.job_id] = job

    def due(self, status: JobStatus, *, before: datetime, limit: int) -> tuple[str, ...]:
        with self._tables.lock:
            found = [
                (job.look_at, job.job_id)
                for job in self._tables.jobs.values()
                if job.status is status and job.look_at is not None and job.look_at <= before
            ]
        return tuple(job_id for _look_at, job_id in sorted(found)[:limit])

    def count(self, status: JobStatus) -> int:
        with self._tables.lock:
            return sum(job.status is status for job in self._tables.jobs.values())


def _place(job: Job) -> tuple[str, str]:
    return job.created_at.astimezone(UTC).isoformat(timespec="microseconds"), job.job_id


class MemoryActs:
    """Acts in a dict."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    def write(self, act: Act) -> None:
        with self._tables.lock:
            self._tables.acts[act.subject, act.act_id] = act

    def of(self, subject: str) -> tuple[Act, ...]:
        with self._tables.lock:
            found = sorted(key for key in self._tables.acts if key[0] == subject)
            return tuple(self._tables.acts[key] for key in found)


class MemoryUserStore:
    """People in a dict."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    def get(self, user_id: str) -> User | None:
        return self._tables.users.get(user_id)

    def find_by_email(self, email: str) -> str | None:
        with self._tables.lock:
            return self._find(email)

    def create(self, user: User, welcome: LedgerEntry | None) -> str:
        with self._tables.lock:
            if owner := self._find(user.email):
                return owner
            if user.user_id in self._tables.users:
                raise StaleWrite(f"{user.user_id} exists with another address.")
            self._tables.users[user.user_id] = user
            if welcome is not None:
                self._tables.ledger[user.user_id, welcome.entry_id] = welcome
            return user.user_id

    def _find(self, email: str) -> str | None:
        owners = (user.user_id for user in self._tables.users.values() if user.email == email)
        return next(owners, None)


@dataclass(frozen=True, kw_only=True)
class Message:
    """One delivery of a job id."""

    message_id: str
    receipt_handle: str
    job_id: str
    user_id: str
    sending: int | None
    sent_at: datetime
    receive_count: int = 0
    visible_at: datetime


class MemoryQueue:
    """A queue that delivers again what nobody has deleted."""

    def __init__(self, clock: Clock, *, visibility_seconds: int = 140) -> None:
        self._clock = clock
        self._visibility = timedelta(seconds=visibility_seconds)
        self._messages: dict[str, Message] = {}
        self._ids = CountedIds("message")
        self._receipts = CountedIds("receipt")
        self._lock = Lock()
        self.sent: list[str] = []
        """Every job id that was ever sent."""

    def send(
        self, job_id: str, user_id: str, *, sending: int | None, delay_seconds: int = 0
    ) -> None:
        with self._lock:
            self.sent.append(job_id)
            message = Message(
                message_id=self._ids(),
                receipt_handle="",
                job_id=job_id,
                user_id=user_id,
                sending=sending,
                sent_at=self._clock(),
                visible_at=self._clock() + timedelta(seconds=min(DELAY_SECONDS_MAX, delay_seconds)),
            )
            self._messages[message.message_id] = message

    def hide(self, receipt_handle: str, *, seconds: int) -> None:
        with self._lock:
            message = self._with(receipt_handle)
            visible_at = self._clock() + timedelta(seconds=seconds)
            self._messages[message.message_id] = replace(message, visible_at=visible_at)

    def receive(self) -> Message | None:
        """The oldest visible message, hidden from now on for the queue's visibility timeout."""
        with self._lock:
            now = self._clock()
            for message in self._messages.values():
                if message.visible_at <= now:
                    delivery = replace(
                        message,
                        receipt_handle=self._receipts(),
                        receive_count=message.receive_count + 1,
                        visible_at=now + self._visibility,
                    )
                    self._messages[message.message_id] = delivery
                    return delivery
            return None

    def delete(self, receipt_handle: str) -> None:
        """Acknowledge a delivery."""
        with self._lock:
            del self._messages[self._with(receipt_handle).message_id]

    def _with(self, receipt_handle: str) -> Message:
        messages = self._messages.values()
        return next(message for message in messages if message.receipt_handle == receipt_handle)


class MemoryImages:
    """Images in a dict, and URLs that lead nowhere."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self._images: dict[str, Image] = {}

    def put(self, key: str, content: bytes, *, width: int, height: int) -> Image:
        image = Image(
            key=key,
            width=width,
            height=height,
            content_type="image/png",
            size_bytes=len(content),
        )
        self.contents[key] = content
        self._images[key] = image
        return image

    def find(self, key: str) -> Image | None:
        return self._images.get(key)

    def url(self, key: str, *, expires_seconds: int) -> str:
        return f"https://images.test/{key}?expires={expires_seconds}"


class MemoryLines:
    """Pacing lines in a dict."""

    def __init__(self) -> None:
        self._lines: defaultdict[str, Line] = defaultdict(Line)
        self._latencies: defaultdict[str, dict[int, int]] = defaultdict(dict)
        self._lock = Lock()

    def read(self, routes: Sequence[Route]) -> Mapping[str, Line]:
        with self._lock:
            return {route.name: self._lines[route.name] for route in routes}

    def take(self, route: Route, *, earliest_us: int, latest_us: int) -> Slot | Line:
        with self._lock:
            line = self._lines[route.name]
            if not line.in_order:
                return line
            start_us, after = taken(line, route, earliest_us=earliest_us)
            if start_us > latest_us:
                return replace(line, next_us=start_us)
            self._lines[route.name] = after
            return Slot(
                route=route,
                start_us=start_us,
                push_us=line.push_us,
                slowdown_permille=line.slowdown_permille,
            )

    def probe(self, route: Route, *, seen: Line, earliest_us: int, until_us: int) -> Slot | Line:
        with self._lock:
            line = self._lines[route.name]
            if (line.retry_us, line.next_us) != (seen.retry_us, seen.next_us):
                return line
            start_us, self._lines[route.name] = probed(
                line, route, earliest_us=earliest_us, until_us=until_us
            )
            return Slot(
                route=route,
                start_us=start_us,
                push_us=line.push_us,
                slowdown_permille=line.slowdown_permille,
                probe=True,
            )

    def push(self, route: Route, *, by_us: int) -> None:
        with self._lock:
            self._lines[route.name] = pushed(self._lines[route.name], by_us=by_us)

    def observe(self, route: Route, *, place: int, latency_ms: int) -> None:
        with self._lock:
            line = self._lines[route.name]
            if not line.in_order:
                return
            kept = self._latencies[route.name]
            kept[place] = latency_ms
            self._lines[route.name] = replace(line, latencies_ms=tuple(kept.values()), failures=0)

    def succeed(self) -> None:
        """Somebody's image is made on each route that is in order."""
        with self._lock:
            for name, line in self._lines.items():
                if line.in_order:
                    self._lines[name] = replace(line, failures=0)

    def adapt(self, route: Route, *, seen: Line, wanted: Line) -> bool:
        with self._lock:
            line = adapted(self._lines[route.name], seen=seen, wanted=wanted)
            if line is None:
                return False
            self._lines[route.name] = line
            return True
