"""What each function works with: its settings and its ports, made by `wiring` or by a test."""

from __future__ import annotations

from dataclasses import dataclass

from common.pacing import Pacer
from common.ports import (
    Clock,
    ImageSigner,
    ImageStore,
    JobOpener,
    JobQueue,
    JobSaver,
    JobStore,
    LedgerReader,
    MerchantReader,
    ModelClient,
    NewId,
    PaymentGateway,
    PaymentKeeper,
    PaymentStore,
    Sleep,
    UserStore,
)
from common.settings import (
    AccountsSettings,
    PaymentsSettings,
    StatusSettings,
    SubmitSettings,
    SweepSettings,
    WorkerSettings,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitServices:
    """What `functions/submit` works with."""

    settings: SubmitSettings
    jobs: JobOpener
    queue: JobQueue
    images: ImageSigner
    now: Clock
    new_id: NewId


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerServices:
    """What `functions/worker` works with."""

    settings: WorkerSettings
    jobs: JobSaver
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
    images: ImageSigner
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
    payments: PaymentKeeper
    gateway: PaymentGateway
    now: Clock
    new_id: NewId
