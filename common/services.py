"""What each function works with: its settings and its ports, made by `wiring` or by a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from common.changes import Change
    from common.lines import LineReader
    from common.pacing import Pacer
    from common.ports import (
        ActiveLister,
        Clock,
        ImageFinder,
        ImageStore,
        JobKeeper,
        JobOpener,
        JobQueue,
        JobStore,
        JobWorker,
        LedgerReader,
        MerchantReader,
        ModelClient,
        NewId,
        PaymentGateway,
        PaymentKeeper,
        PaymentStore,
        Sleep,
        SocketStore,
        TicketStore,
        UserReader,
        UserStore,
        Wire,
    )
    from common.push import Pushed
    from common.settings import (
        AccountsSettings,
        PaymentsSettings,
        StatusSettings,
        SubmitSettings,
        SweepSettings,
        WorkerSettings,
    )
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


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusServices:
    """What `functions/status` works with."""

    settings: StatusSettings
    jobs: JobStore
    snapshots: Snapshots
    now: Clock
    sleep: Sleep


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedServices:
    """What `functions/feed` works with."""

    tickets: TicketStore
    sockets: SocketStore
    wire: Wire
    jobs: ActiveLister
    users: UserReader
    snapshots: Snapshots
    now: Clock
    new_secret: NewId


@dataclass(frozen=True, slots=True, kw_only=True)
class PushServices:
    """What `functions/push` works with."""

    read: Callable[[Mapping[str, Any]], Sequence[Change]]
    """What a stream's event says has changed."""
    sockets: SocketStore
    wire: Wire
    snapshots: Snapshots
    together: Callable[[Sequence[Callable[[], Pushed]]], list[Pushed]]
    """Does all of it, none waiting for another."""
    now: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountsServices:
    """What `functions/accounts` works with."""

    settings: AccountsSettings
    users: UserStore
    ledger: LedgerReader
    now: Clock
    new_id: NewId


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentsServices:
    """What `functions/payments` works with."""

    settings: PaymentsSettings
    payments: PaymentStore
    merchant: MerchantReader
    now: Clock
    new_id: NewId


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepServices:
    """What `functions/sweep` works with."""

    settings: SweepSettings
    jobs: JobKeeper
    queue: JobQueue
    images: ImageFinder
    lines: LineReader
    payments: PaymentKeeper
    gateway: PaymentGateway
    now: Clock
    new_id: NewId
