"""The whole service on fakes, one region of it, standing still until told to move."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from common import credits as ledger
from common.api import SubmitRequest
from common.api_money import PaymentRequest
from common.aws.streams import changes
from common.credits import EntryKind, LedgerEntry
from common.jobs import Job
from common.outlook import Forecaster
from common.pacing import Pacer
from common.packages import Package
from common.payments import Payment
from common.routes import Route
from common.services.accounts import AccountsServices
from common.services.feed import FeedServices
from common.services.payments import PaymentsServices
from common.services.push import PushServices
from common.services.status import StatusServices
from common.services.submit import SubmitServices
from common.services.sweep import SweepServices
from common.services.worker import WorkerServices
from common.settings.accounts import AccountsSettings
from common.settings.payments import PaymentsSettings
from common.settings.status import StatusSettings
from common.settings.submit import SubmitSettings
from common.settings.sweep import SweepSettings
from common.settings.worker import WorkerSettings
from common.sizing import SPARE_DELIVERIES, TIMEOUTS, worker_concurrency
from common.snapshots import Snapshots
from common.users import User
from functions.payments.start_payment import start_payment
from functions.submit.submit_job import submit_job
from functions.sweep.heal_payments import heal_payments
from functions.sweep.mend_jobs import Mended, mend_jobs
from functions.worker.generate_image import Again, Delivery, Outcome, generate_image
from tests.audit import audit, entries_of
from tests.fakes import (
    CountedIds,
    ManualClock,
    MemoryImages,
    MemoryJobStore,
    MemoryLines,
    MemoryQueue,
    MemoryTables,
    MemoryUserStore,
    Message,
)
from tests.fakes_feed import MemoryConnections, MemoryWire, one_by_one
from tests.fakes_model import FakeModel
from tests.fakes_money import MERCHANT, FakeGateway, MemoryLedger, MemoryPaymentStore
from tests.fate import Fate, ProcessDied, mortal

CORE = Route(model="stability.stable-image-core-v1:1", region="us-west-2")
ULTRA = Route(model="stability.stable-image-ultra-v1:1", region="us-west-2")
TITAN = Route(model="amazon.titan-image-generator-v2:0", region="us-east-1")
PROMPT = "a lighthouse at dawn"
CORE_COST = 2
CREDITS = 50
SMALL = Package(package="small", credits=20, price_vnd=26_000)
LARGE = Package(package="large", credits=400, price_vnd=520_000)


class World:
    """One region of the service, standing still until told to move."""

    def __init__(
        self,
        *,
        model: FakeModel | None = None,
        routes: Sequence[Route] = (CORE,),
        attempts_max: int = 3,
        active_jobs_max: int = 10,
        welcome_credits: int = CREDITS,
        alone: bool = False,
    ) -> None:
        """Unless it is `alone`, others' images are made between its deliveries."""
        self._alone = alone
        # tenacity draws its jitter from here, and each world is to go the same way each time.
        random.seed(0)
        self.clock = ManualClock()
        self.tables = MemoryTables()
        self.jobs = MemoryJobStore(self.tables)
        self.users = MemoryUserStore(self.tables)
        self.payments = MemoryPaymentStore(self.tables)
        self.ledger = MemoryLedger(self.tables)
        self.gateway = FakeGateway()
        self.merchant = MERCHANT
        self.queue = MemoryQueue(self.clock, visibility_seconds=TIMEOUTS.visibility_seconds)
        self.images = MemoryImages()
        self.lines = MemoryLines()
        self.connections = MemoryConnections()
        self.wire = MemoryWire()
        self.model = model or FakeModel()
        self.fate = Fate()
        self.ids = CountedIds()
        self.secrets = CountedIds("secret")
        self.dead_letters: list[Message] = []
        self._write_settings(routes, attempts_max, active_jobs_max, welcome_credits)

    def _write_settings(
        self,
        routes: Sequence[Route],
        attempts_max: int,
        active_jobs_max: int,
        welcome_credits: int,
    ) -> None:
        self._jobs_values = {
            "home_region": "ap-southeast-1",
            "jobs_table": "Jobs",
            "users_table": "Users",
            "ledger_table": "Ledger",
            "images_bucket": "images",
            "routes_table": "Routes",
            "routes": tuple(routes),
        }
        self._shown_values = {**self._jobs_values, "workers": worker_concurrency(routes)}
        self.submit_settings = SubmitSettings.model_validate(
            {
                **self._shown_values,
                "queue_url": "queue",
                "active_jobs_max": active_jobs_max,
            }
        )
        self.worker_settings = WorkerSettings.model_validate(
            {
                **self._jobs_values,
                "queue_url": "queue",
                "attempts_max": attempts_max,
                "slot_wait_seconds_max": TIMEOUTS.slot_wait_seconds_max,
                "model_read_seconds": TIMEOUTS.model_read_seconds,
                "lease_seconds": TIMEOUTS.lease_seconds,
            }
        )
        self.accounts_settings = AccountsSettings(
            home_region="ap-southeast-1",
            users_table="Users",
            ledger_table="Ledger",
            welcome_credits=welcome_credits,
        )
        money = {
            "home_region": "ap-southeast-1",
            "payments_table": "Payments",
            "users_table": "Users",
            "ledger_table": "Ledger",
            "vnpay_parameter": "/imagify/vnpay",
        }
        self.payments_settings = PaymentsSettings.model_validate(
            {**money, "packages": (SMALL, LARGE), "page_url": ""}
        )
        self.sweep_settings = SweepSettings.model_validate(
            {**money, **self._jobs_values, "acts_table": "Acts", "queue_url": "queue"}
        )

    def submit_services(self) -> SubmitServices:
        return SubmitServices(
            settings=self.submit_settings,
            jobs=mortal("jobs", self.jobs, self.fate),
            queue=mortal("queue", self.queue, self.fate),
            snapshots=self.snapshots(),
            now=self.clock,
            new_id=self.ids,
            sleep=self.clock.sleep,
        )

    def snapshots(self) -> Snapshots:
        """What shows jobs, reading past all faults."""
        return Snapshots(
            images=self.images,
            forecaster=Forecaster(
                self.lines,
                self.jobs,
                routes=self.worker_settings.routes,
                workers=self.submit_settings.workers,
                now=self.clock,
            ),
            image_url_seconds=self.submit_settings.image_url_seconds,
            now=self.clock,
        )

    def worker_services(self) -> WorkerServices:
        return WorkerServices(
            settings=self.worker_settings,
            jobs=mortal("jobs", self.jobs, self.fate),
            queue=mortal("queue", self.queue, self.fate),
            images=mortal("images", self.images, self.fate),
            models=mortal("models", self.model, self.fate),
            pacer=Pacer(
                mortal("lines", self.lines, self.fate),
                aside=lambda do: do(),
                now_us=self.clock.now_us,
                sleep=self.clock.sleep,
                wait_seconds_max=self.worker_settings.slot_wait_seconds_max,
            ),
            now=self.clock,
            new_id=self.ids,
            sleep=self.clock.sleep,
        )

    def status_services(self) -> StatusServices:
        return StatusServices(
            settings=StatusSettings.model_validate(self._shown_values),
            jobs=mortal("jobs", self.jobs, self.fate),
            snapshots=self.snapshots(),
            now=self.clock,
            sleep=self.clock.sleep,
        )

    def feed_services(self) -> FeedServices:
        return FeedServices(
            tickets=mortal("tickets", self.connections, self.fate),
            sockets=mortal("sockets", self.connections, self.fate),
            wire=mortal("wire", self.wire, self.fate),
            jobs=mortal("jobs", self.jobs, self.fate),
            users=mortal("users", self.users, self.fate),
            snapshots=self.snapshots(),
            now=self.clock,
            new_secret=self.secrets,
        )

    def push_services(self) -> PushServices:
        return PushServices(
            read=changes,
            sockets=mortal("sockets", self.connections, self.fate),
            wire=mortal("wire", self.wire, self.fate),
            snapshots=self.snapshots(),
            together=one_by_one,
            now=self.clock,
        )

    def accounts_services(self) -> AccountsServices:
        return AccountsServices(
            settings=self.accounts_settings,
            users=mortal("users", self.users, self.fate),
            ledger=mortal("ledger", self.ledger, self.fate),
            now=self.clock,
            new_id=self.ids,
        )

    def payments_services(self) -> PaymentsServices:
        return PaymentsServices(
            settings=self.payments_settings,
            payments=mortal("payments", self.payments, self.fate),
            merchant=lambda: self.merchant,
            now=self.clock,
            new_id=self.ids,
        )

    def sweep_services(self) -> SweepServices:
        return SweepServices(
            settings=self.sweep_settings,
            jobs=mortal("jobs", self.jobs, self.fate),
            queue=mortal("queue", self.queue, self.fate),
            images=mortal("images", self.images, self.fate),
            lines=mortal("lines", self.lines, self.fate),
            payments=mortal("payments", self.payments, self.fate),
            gateway=mortal("gateway", self.gateway, self.fate),
            now=self.clock,
            new_id=self.ids,
        )

    def sweep(self) -> int:
        """Heal payments as the handler does, with time enough."""
        return heal_payments(self.sweep_services(), seconds_left=lambda: 55)

    def mend(self) -> Mended:
        """Mend jobs as the handler does, with time enough."""
        return mend_jobs(self.sweep_services(), seconds_left=lambda: 55)

    def buy(
        self, user_id: str = "usr_ann", *, key: str = "buy-1", package: str = "small", **asked: Any
    ) -> Payment:
        """Begin a payment as the handler does."""
        given = self.payments_services()
        return start_payment(
            PaymentRequest(package=package, **asked),
            user_id=user_id,
            key=key,
            ip_address="203.0.113.7",
            packages=given.settings.packages,
            payments=given.payments,
            merchant=given.merchant,
            now=given.now(),
        )

    def payment(self, txn_ref: str) -> Payment:
        """The payment as it is stored."""
        payment = self.payments.get(txn_ref)
        assert payment is not None
        return payment

    def person(self, user_id: str = "usr_ann", *, available: int = CREDITS) -> str:
        """A user with credits that the ledger explains."""
        now = self.clock()
        entry = ledger.grant(user_id, amount=available, cause="welcome", reason="", now=now)
        balance = ledger.apply(ledger.Balance(), entry, active_jobs_max=None)
        user = User(
            user_id=user_id, email=f"{user_id}@example.com", created_at=now, balance=balance
        )
        return self.users.create(user, entry)

    def submit(
        self, user_id: str = "usr_ann", *, key: str = "key-1", prompt: str = PROMPT, **asked: Any
    ) -> Job:
        """Submit as the handler does."""
        given = self.submit_services()
        return submit_job(
            SubmitRequest(prompt=prompt, **asked),
            user_id=user_id,
            key=key,
            jobs=given.jobs,
            queue=given.queue,
            routes=given.settings.routes,
            active_jobs_max=given.settings.active_jobs_max,
            now=given.now(),
        )

    def submitted(self, **asked: Any) -> Job:
        """A person's first job."""
        self.person()
        return self.submit(**asked)

    def job(self, job_id: str) -> Job:
        """The job as it is stored."""
        job = self.jobs.get(job_id)
        assert job is not None
        return job

    def work(self, message: Message) -> Outcome:
        """Work on a delivery as the handler and SQS do."""
        if not self._alone:
            self.lines.succeed()
        delivery = Delivery(
            job_id=message.job_id,
            user_id=message.user_id,
            message_id=message.message_id,
            sent_at=message.sent_at,
            sending=message.sending,
        )
        outcome = generate_image(delivery, self.worker_services())
        if isinstance(outcome, Again):
            self.queue.hide(message.receipt_handle, seconds=outcome.seconds)
        else:
            self.queue.delete(message.receipt_handle)
        return outcome

    def work_once(self) -> Outcome:
        """Wait for the next message, and work on it."""
        return self.work(self.next_message())

    def next_message(self, *, patience: timedelta = timedelta(minutes=16)) -> Message:
        """The next delivery, whenever it comes; what came too often is a dead letter instead."""
        deadline = self.clock() + patience
        while True:
            message = self.queue.receive()
            if message is None:
                assert self.clock() < deadline, "no message is left"
                self.clock.advance(1)
            elif message.receive_count > self.worker_settings.attempts_max + SPARE_DELIVERIES:
                self.queue.delete(message.receipt_handle)
                self.dead_letters.append(message)
            else:
                return message

    def work_until_terminal(self, job_id: str, *, deliveries_max: int = 20) -> Job:
        """Deliver, again and again, until the job is over; a death is a delivery too."""
        for _delivery in range(deliveries_max):
            if self.job(job_id).terminal:
                return self.job(job_id)
            try:
                self.work_once()
            except ProcessDied:
                continue
        raise AssertionError(f"{job_id} is {self.job(job_id).status} for ever")

    def entries(self, user_id: str = "usr_ann") -> list[LedgerEntry]:
        """The user's ledger."""
        return entries_of(self.tables, user_id)

    def kinds(self, user_id: str = "usr_ann") -> list[EntryKind]:
        """Why the user's credits moved, the welcome left out."""
        kinds = [entry.kind for entry in self.entries(user_id)]
        return [kind for kind in kinds if kind is not EntryKind.GRANT]

    def audit(self) -> None:
        """Every balance is the sum of its entries, which are what jobs and payments say."""
        audit(self.tables)
