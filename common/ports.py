"""What the use cases need from the world, each port as narrow as a role.

Adapters are in `common.aws`, fakes in `tests.fakes`; one contract suite runs over both. These are
types and nothing else: functions import them for the type checker alone, and start sooner.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from common.acts import Act
    from common.credits import LedgerEntry
    from common.feed import Socket, Ticket
    from common.jobs import Image, Job, JobStatus, Waiting
    from common.pages import Page
    from common.payments import Payment
    from common.routes import Route
    from common.users import User
    from common.vnpay import ApiAnswer, Merchant

Clock = Callable[[], datetime]
"""Now, aware and in UTC."""
Sleep = Callable[[float], None]
"""Wait so many seconds."""
NewId = Callable[[], str]
"""A fresh id, never given before."""


class JobReader(Protocol):
    """Reads one job."""

    def get(self, job_id: str) -> Job | None:
        """The job as last written, or None."""


class JobLister(Protocol):
    """Lists a user's jobs."""

    def page(
        self,
        user_id: str,
        *,
        limit: int,
        status: JobStatus | None = None,
        after: tuple[str, str] | None = None,
    ) -> Page[Job]:
        """At most `limit` jobs, newest first, from behind `after`."""


class JobSaver(JobReader, Protocol):
    """Reads a job and writes its next version."""

    def save(self, job: Job, *, entry: LedgerEntry | None = None, act: Act | None = None) -> None:
        """Write `job` over the version before it, with what it moves and who did it, in one write.

        Writing the same again does nothing. Raises StaleWrite when another version is there.
        """


class JobOpener(JobSaver, Protocol):
    """Opens jobs: the job, its hold and its ledger entry in one write."""

    def open(self, job: Job, hold: LedgerEntry, *, active_jobs_max: int) -> Job:
        """Write a new job with its hold; the job already there under the id wins.

        Raises InsufficientCredits or TooManyActiveJobs, and then nothing is written.
        """


class JobWorker(JobSaver, JobLister, Protocol):
    """What a worker does with jobs."""


class JobKeeper(JobSaver, Protocol):
    """Saves jobs, and knows which nobody has looked at for too long."""

    def due(self, status: JobStatus, *, before: datetime, limit: int) -> tuple[str, ...]:
        """Ids of at most `limit` jobs of that status whose `look_at` had come, longest first."""

    def count(self, status: JobStatus) -> int:
        """How many jobs of that status there are, perhaps without the very latest."""


class ActLog(Protocol):
    """What operators have done, kept for ever."""

    def write(self, act: Act) -> None:
        """Write an act down; the same again does nothing."""

    def of(self, subject: str) -> tuple[Act, ...]:
        """What was done with a job or a message, in order."""


class WaitingReader(Protocol):
    """Knows which jobs are queued."""

    def waiting(self, model: str) -> Waiting:
        """The queued jobs of a model, perhaps without the very latest."""


class ActiveLister(Protocol):
    """Lists what a user waits for."""

    def active(self, user_id: str, *, limit: int) -> tuple[Job, ...]:
        """At most `limit` of the user's jobs that are not terminal, newest first."""


class JobStore(JobOpener, JobWorker, JobKeeper, ActiveLister, WaitingReader, Protocol):
    """Everything that can be done with stored jobs."""


class UserReader(Protocol):
    """Reads one person."""

    def get(self, user_id: str) -> User | None:
        """The user, read consistently, or None."""


class UserStore(UserReader, Protocol):
    """People and what they have."""

    def find_by_email(self, email: str) -> str | None:
        """The id of the user with this normalised address, or None."""

    def create(self, user: User, welcome: LedgerEntry | None) -> str:
        """Write the user, whose balance is what `welcome` gives; answer whose address it is.

        If the address is taken, nothing is written and its owner's id is the answer.
        """


class LedgerReader(Protocol):
    """Reads a user's ledger."""

    def page(
        self, user_id: str, *, limit: int, after: tuple[str, str] | None = None
    ) -> Page[LedgerEntry]:
        """At most `limit` entries, newest first, from behind `after`, read consistently."""


class Granter(Protocol):
    """Moves credits that no job or payment moves."""

    def add(self, entry: LedgerEntry) -> None:
        """Write the entry and what it moves; the same again, even later, does nothing.

        Raises NotFound for no such user, StaleWrite for another entry of that id.
        """


class TicketStore(Protocol):
    """Keeps tickets to the feed until they are used."""

    def put(self, ticket: Ticket) -> None:
        """Keep a new ticket."""

    def take(self, digest: str, *, now: datetime) -> str | None:
        """Use a ticket up and answer whose it was; None if it is used, expired or none of ours."""


class SocketStore(Protocol):
    """Knows the open sockets."""

    def add(self, socket: Socket) -> None:
        """Remember an open socket."""

    def get(self, connection_id: str) -> Socket | None:
        """The socket, read consistently, or None."""

    def remove(self, connection_id: str) -> None:
        """Forget a socket, known or not."""

    def of_user(self, user_id: str, *, now: datetime) -> tuple[Socket, ...]:
        """The user's sockets that have not expired, perhaps without the very latest."""


class Wire(Protocol):
    """Speaks on open sockets, without waiting long for any."""

    def send(self, connection_id: str, text: str) -> None:
        """Send a text. Raises SocketGone, or ServiceFailed when it was not taken."""

    def close(self, connection_id: str) -> None:
        """Close a socket, open or not. Raises ServiceFailed."""


class PaymentReader(Protocol):
    """Reads one payment."""

    def get(self, txn_ref: str) -> Payment | None:
        """The payment as last written, or None."""


class PaymentLister(Protocol):
    """Lists a user's payments."""

    def page(
        self, user_id: str, *, limit: int, after: tuple[str, str] | None = None
    ) -> Page[Payment]:
        """At most `limit` payments, newest first, from behind `after`."""


class PaymentOpener(PaymentReader, PaymentLister, Protocol):
    """Begins payments."""

    def open(self, payment: Payment) -> Payment:
        """Write a new payment; the one already there under the reference wins."""


class PaymentSaver(PaymentReader, Protocol):
    """Reads a payment and writes its next version."""

    def save(self, payment: Payment, *, entry: LedgerEntry | None = None) -> None:
        """Write `payment` over the version before it, with what it moves, in one write.

        Writing the same again does nothing. Raises StaleWrite when another version is there, and
        InsufficientCredits when the entry takes more than the user has.
        """


class PaymentKeeper(PaymentSaver, Protocol):
    """Saves payments, and knows which the gateway is to be asked about."""

    def due(self, now: datetime, *, limit: int) -> tuple[str, ...]:
        """References of at most `limit` payments whose `due_at` has come, the longest due first."""


class PaymentStore(PaymentOpener, PaymentKeeper, Protocol):
    """Everything that can be done with stored payments."""


class MerchantReader(Protocol):
    """Knows the merchant's account with VNPAY."""

    def __call__(self) -> Merchant:
        """The account. Raises Conflict (`payments_not_set_up`) while there is none."""


class PaymentGateway(Protocol):
    """VNPAY's merchant API; answers are verified. Raises GatewaySilent for any that is not."""

    def require_account(self) -> None:
        """Raise whatever would keep a question from being asked at all."""

    def query(self, payment: Payment, *, request_id: str, now: datetime) -> ApiAnswer:
        """Ask what has become of a payment."""

    def refund(self, payment: Payment, *, now: datetime) -> ApiAnswer:
        """Ask to pay back what `payment.refund` says."""


class JobQueue(Protocol):
    """Brings job ids to workers, at least once."""

    def send(
        self, job_id: str, user_id: str, *, sending: int | None, delay_seconds: int = 0
    ) -> None:
        """Deliver the job id, not before `delay_seconds` have passed, or 900 if that is less.

        `sending` says which sending of the job it belongs to, as `Job.sendings` counts them; None
        where that is not known.
        """

    def hide(self, receipt_handle: str, *, seconds: int) -> None:
        """Deliver a failed message again after so many seconds instead of its usual time."""


class ImageFinder(Protocol):
    """Knows which images are stored."""

    def find(self, key: str) -> Image | None:
        """The image under the key, or None."""


class ImageStore(ImageFinder, Protocol):
    """Keeps images."""

    def put(self, key: str, content: bytes, *, width: int, height: int) -> Image:
        """Store a PNG; storing it twice is harmless."""


class ImageSigner(Protocol):
    """Hands images out."""

    def url(self, key: str, *, expires_seconds: int) -> str:
        """A URL that shows the image to whoever has it, for a while.

        No call is made for it, but for the first that needs a key of ours: that may raise
        ServiceFailed.
        """


class ModelClient(Protocol):
    """Calls a model, once: no retries of its own."""

    def invoke(
        self, route: Route, body: Mapping[str, Any], *, wait: Callable[[], None]
    ) -> Mapping[str, Any]:
        """Send the request body, give back the response body, both as the model defines them.

        `wait` is called when the request is ready, and it is sent as soon as that returns; what
        `wait` raises is raised. Raises ModelThrottled, ModelFailed, ModelTimedOut, ModelRejected or
        ContentRefused.
        """
