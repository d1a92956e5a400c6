"""Work on one delivery of one job: take a slot, claim, generate in it, store, settle.

A crash between any two steps leaves a state that the same message finishes: a claim lapses with its
lease, a stored image is found instead of being paid for again, and a job is resolved once, since
the write that resolves it holds only over the version that this worker claimed. The slot is taken
before the claim is written, so that the job's owner can be told when the model starts; should
another worker turn out to have the job, a start of the quota is lost, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from common import credits as ledger
from common import jobs as lifecycle
from common import metrics
from common.errors import (
    ContentRefused,
    ImagifyError,
    ModelFailed,
    ModelThrottled,
    ModelTimedOut,
    NoFreeSlot,
    NoRouteInOrder,
    Permanent,
    ServiceFailed,
    StaleWrite,
    Unavailable,
)
from common.jobs import Image, Job, JobError, JobStatus, LeaseHeld, NotClaimable, image_key
from common.lines import US, Slot
from common.models.answers import png_size
from common.models.catalogue import find
from common.models.spec import ModelSpec, Size
from common.observability import count, count_start, logger, seconds
from common.retries import model_retrying, redelivery_seconds
from common.routes import Route, serving
from common.services.worker import WorkerServices
from functions.worker.recall_image import recall_image

PUT_OFF_SECONDS = 10
"""When to look again at a job that AWS or its model did not let this worker finish."""
STALE_SECONDS = 1
"""When to look again at a job that somebody else has changed meanwhile."""
OUTAGE_SECONDS_MAX = 24 * 3600
"""How long a job waits out an outage of its model. Then failures count as its own, as a job that
breaks the model and is alone with it cannot be told from an outage."""
NEVER_TAKEN = frozenset({"model_rejected", "model_not_served"})
"""Failures that no prompt is to blame for, most likely: access, end of life, the configuration."""
RETRY_SECONDS_MAX = 15.0
"""When in a delivery the last start of a model may begin: its wait and its call still fit."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as it came this time."""

    job_id: str
    user_id: str
    message_id: str
    """The same for each redelivery of a message, another one for a redrive."""
    sent_at: datetime
    sending: int | None = None
    """Which sending of the job it belongs to; None: it does not say, as one sent by hand."""


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing is left to do for this message: acknowledge it."""


@dataclass(frozen=True, slots=True)
class Again:
    """The delivery failed: bring the message again after so many seconds, or to the DLQ."""

    seconds: int


Outcome = Done | Again


@dataclass(slots=True)
class _Plan:
    """Which model is called, on which routes, and the slot for it."""

    spec: ModelSpec
    routes: tuple[Route, ...]
    slot: Slot
    began: datetime | None = None
    """When the start in that slot was; None while it is to come."""
    failed_starts: int = 0
    """Calls of this delivery that failed."""
    row: int = 0
    """Failures in a row on the route of the last of them, whoever's they were."""
    out_of_order: bool = False
    """Whether the last failure left its route out of order: it says nothing of the job."""

    @property
    def starts_at(self) -> datetime:
        """When the slot is, unless the line is pushed."""
        return datetime.fromtimestamp(self.slot.start_us / US, UTC)


def generate_image(delivery: Delivery, worker: WorkerServices) -> Outcome:
    """Bring the delivered job as far as it goes now.

    Anything that is raised is a bug: the message comes again and at last reaches the DLQ. An AWS
    service that fails is none: the message is put off, as often as it must be.
    """
    try:
        return _deliver(delivery, worker)
    except (ServiceFailed, StaleWrite) as error:
        logger.warning("put off", job_id=delivery.job_id, code=error.code, reason=error.message)
        stale = isinstance(error, StaleWrite)
        return _later(delivery, STALE_SECONDS if stale else PUT_OFF_SECONDS, worker)


def _deliver(delivery: Delivery, worker: WorkerServices) -> Outcome:
    job = worker.jobs.get(delivery.job_id)
    if job is None:
        raise LookupError(f"there is no job {delivery.job_id}")
    if job.status is JobStatus.STALLED:
        # A redrive in the queue itself: no later sending waits in its place.
        delivery = replace(delivery, sending=job.sendings)
    try:
        claimed = lifecycle.claim(
            job,
            lease_id=worker.new_id(),
            sent_at=delivery.sent_at,
            now=worker.now(),
            lease_seconds=worker.settings.lease_seconds,
        )
    except LeaseHeld as held:
        wait_seconds = (held.expires_at - worker.now()).total_seconds()
        return _later(delivery, wait_seconds, worker, job=job)
    except NotClaimable:
        stalled_it = job.stalled_message_id == delivery.message_id
        return Again(0) if stalled_it else Done()
    return _work(job, claimed, delivery, worker)


def _work(job: Job, claimed: Job, delivery: Delivery, worker: WorkerServices) -> Outcome:
    image = worker.images.find(image_key(job)) if job.started_at else None
    died = job.status is JobStatus.GENERATING
    if image is None and died and claimed.attempts > worker.settings.attempts_max:
        last = job.error or JobError(code="worker_died", message="No worker lived to finish it.")
        return _stall(job, last, delivery, worker)
    try:
        plan = None if image else _plan(job, worker)
    except Unavailable as error:
        return _without_start(job, error, delivery, worker)
    if plan is not None:
        claimed = replace(claimed, starts_at=plan.starts_at)
    try:
        worker.jobs.save(claimed)
    except (StaleWrite, ServiceFailed):
        if plan is not None:
            worker.pacer.give_back(plan.slot)
        raise
    if job.started_at is None:
        seconds(metrics.QUEUE_WAIT, (worker.now() - job.created_at).total_seconds())
    try:
        image = image or _generate(claimed, plan, worker)
    except (Permanent, Unavailable, ModelFailed, ModelTimedOut) as error:
        return _without_image(claimed, plan, error, delivery, worker)
    return _succeed(claimed, image, plan, worker)


def _without_start(
    job: Job, error: Unavailable, delivery: Delivery, worker: WorkerServices
) -> Outcome:
    """There is no slot now: the job stays as it is, or is ended without one."""
    if job.status is JobStatus.GENERATING:
        # Nobody has it any more, and that is what its owner is told.
        return _wait(job, None, delivery, error.retry_after_seconds, worker, attempt_spent=True)
    if isinstance(error, NoRouteInOrder) and recall_image(job, worker):
        return Done()
    return _later(delivery, error.retry_after_seconds, worker, job=job)


def _without_image(
    claimed: Job,
    plan: _Plan | None,
    error: Permanent | Unavailable | ModelFailed | ModelTimedOut,
    delivery: Delivery,
    worker: WorkerServices,
) -> Outcome:
    """The model made no image, and why; where an AWS service failed, there may be one."""
    failure = JobError(code=error.code, message=error.message)
    if isinstance(error, Permanent):
        return _fail(claimed, failure, worker)
    if isinstance(error, Unavailable):
        return _wait(claimed, None, delivery, error.retry_after_seconds, worker)
    assert plan is not None
    claimed = replace(claimed, failed_starts=claimed.failed_starts + plan.failed_starts)
    waited = (worker.now() - claimed.created_at).total_seconds()
    if waited < OUTAGE_SECONDS_MAX and (plan.out_of_order or _all_alike(claimed, plan, worker)):
        # Ever longer, so that one that breaks the model is seldom the next to try it.
        return _wait(claimed, failure, delivery, max(PUT_OFF_SECONDS, waited / 4), worker)
    return _retry(claimed, failure, delivery, worker)


def _all_alike(claimed: Job, plan: _Plan, worker: WorkerServices) -> bool:
    """Whether a job that would stall has seen nothing but failures, as everybody has since.

    A success of anybody's since its first one would have ended the row. A job that is alone with
    its model tells no outage from itself.
    """
    last = claimed.attempts >= worker.settings.attempts_max
    return last and plan.row * len(plan.routes) >= claimed.failed_starts


def _succeed(claimed: Job, image: Image, plan: _Plan | None, worker: WorkerServices) -> Outcome:
    now = worker.now()
    succeeded = lifecycle.succeed(claimed, image=image, now=now)
    worker.jobs.save(succeeded, entry=ledger.settle(succeeded, now=now))
    if plan is not None and plan.began is not None:
        worker.pacer.took(plan.slot, seconds=(now - plan.began).total_seconds())
    logger.info(
        "succeeded", job_id=claimed.job_id, user_id=claimed.user_id, attempts=claimed.attempts
    )
    count(metrics.JOBS_SUCCEEDED)
    return Done()


def _plan(job: Job, worker: WorkerServices) -> _Plan | None:
    """A slot for the job's model, or None where no route serves that any more."""
    spec = find(job.request.model)
    routes = serving(worker.settings.routes, job.request.model)
    if spec is None or not routes:
        return None
    return _Plan(spec, routes, worker.pacer.take(routes))


def _generate(job: Job, plan: _Plan | None, worker: WorkerServices) -> Image:
    """Call the model in a slot of its own, again if that may help, and store the image."""
    if plan is None:
        raise Permanent("No route serves this model any more.", code="model_not_served")
    body = plan.spec.wire.body(job.request, plan.spec.sizes[job.request.aspect_ratio])
    content, size = _call_again(plan, body, worker)
    return worker.images.put(image_key(job), content, width=size.width, height=size.height)


def _call_again(plan: _Plan, body: dict[str, object], worker: WorkerServices) -> tuple[bytes, Size]:
    """Call the model, up to three times.

    A failure before a start that was not to be had is what is raised: the model was reached, so the
    attempt is spent, and a job that breaks the model cannot hide behind a long line for ever.
    """
    failures: list[ModelFailed] = []

    def once() -> tuple[bytes, Size]:
        try:
            return _call(plan, body, worker)
        except ModelFailed as error:
            failures.append(error)
            raise

    try:
        return model_retrying(worker.sleep, seconds_max=RETRY_SECONDS_MAX)(once)
    except Unavailable as error:
        if failures:
            plan.out_of_order = isinstance(error, NoRouteInOrder)
            raise failures[-1] from error
        raise


def _call(plan: _Plan, body: dict[str, object], worker: WorkerServices) -> tuple[bytes, Size]:
    if plan.began is not None:
        plan.slot = worker.pacer.take(plan.routes)
    began = plan.began = worker.now()

    def wait() -> None:
        nonlocal began
        plan.slot = worker.pacer.wait(plan.slot)
        began = plan.began = worker.now()

    try:
        answer = worker.models.invoke(plan.slot.route, body, wait=wait)
        content = plan.spec.wire.image(answer)
        size = png_size(content)
    except (NoFreeSlot, NoRouteInOrder):
        worker.pacer.give_back(plan.slot)
        raise
    except ModelThrottled as error:
        count_start(plan.slot.route, throttled=True)
        _tell("throttled", plan.slot, error)
        worker.pacer.throttled(plan.slot)
        raise
    except (ModelFailed, ModelTimedOut) as error:
        count_start(plan.slot.route, failed=True)
        _tell("model failed", plan.slot, error)
        line = worker.pacer.failed(plan.slot)
        plan.failed_starts += 1
        plan.row, plan.out_of_order = line.failures, not line.in_order
        raise
    except Permanent:
        count_start(plan.slot.route)
        worker.pacer.refused(plan.slot)
        raise
    took_seconds = (worker.now() - began).total_seconds()
    count_start(plan.slot.route, took_seconds=took_seconds, usd=plan.spec.usd_per_image)
    worker.pacer.answered(plan.slot)
    return content, size


def _tell(what: str, slot: Slot, error: ImagifyError) -> None:
    """Log what the model said: nobody else hears of it."""
    logger.warning(
        what, route=slot.route.name, code=error.code, reason=error.message, probe=slot.probe
    )


def _fail(claimed: Job, error: JobError, worker: WorkerServices) -> Outcome:
    now = worker.now()
    failed = lifecycle.fail(claimed, error=error, now=now)
    worker.jobs.save(failed, entry=ledger.release(failed, now=now))
    logger.info("failed", job_id=failed.job_id, user_id=failed.user_id, code=error.code)
    count(metrics.JOBS_REFUSED if error.code == ContentRefused.code else metrics.JOBS_FAILED)
    if error.code in NEVER_TAKEN:
        logger.error("never taken", job_id=failed.job_id, code=error.code, reason=error.message)
        count(metrics.JOBS_NOT_TAKEN)
    return Done()


def _retry(claimed: Job, error: JobError, delivery: Delivery, worker: WorkerServices) -> Outcome:
    if claimed.attempts >= worker.settings.attempts_max:
        return _stall(claimed, error, delivery, worker)
    rest_seconds = redelivery_seconds(claimed.attempts)
    requeued = lifecycle.requeue(
        claimed, attempt_spent=True, now=worker.now(), rest_seconds=rest_seconds, error=error
    )
    worker.jobs.save(requeued)
    logger.warning("attempt failed", job_id=claimed.job_id, code=error.code)
    return Again(rest_seconds)


def _wait(
    job: Job,
    error: JobError | None,
    delivery: Delivery,
    wait_seconds: float,
    worker: WorkerServices,
    *,
    attempt_spent: bool = False,
) -> Outcome:
    """Give the job back and wait in the queue; all other messages of it may end."""
    requeued = lifecycle.requeue(
        job,
        attempt_spent=attempt_spent,
        now=worker.now(),
        rest_seconds=wait_seconds,
        anew=True,
        error=error,
    )
    worker.jobs.save(requeued)
    return _later(replace(delivery, sending=requeued.sendings), wait_seconds, worker)


def _stall(job: Job, error: JobError, delivery: Delivery, worker: WorkerServices) -> Outcome:
    """Set the job aside, and fail its message until SQS moves it to the DLQ."""
    stalled = lifecycle.stall(job, error=error, message_id=delivery.message_id, now=worker.now())
    worker.jobs.save(stalled)
    logger.error("stalled", job_id=job.job_id, user_id=job.user_id, code=error.code)
    count(metrics.JOBS_STALLED)
    return Again(0)


def _later(
    delivery: Delivery, wait_seconds: float, worker: WorkerServices, *, job: Job | None = None
) -> Outcome:
    """Wait in the queue as a new message: the old one's receives do not count towards the DLQ.

    Of a job that was sent again since, only the latest sending waits, or messages would multiply.
    Where the queue takes no new message, this one has to come again.
    """
    if job is not None and delivery.sending is not None and delivery.sending < job.sendings:
        return Done()
    delay_seconds = max(1, round(wait_seconds))
    try:
        worker.queue.send(
            delivery.job_id,
            delivery.user_id,
            sending=delivery.sending,
            delay_seconds=delay_seconds,
        )
    except ServiceFailed as error:
        logger.warning("not put off", job_id=delivery.job_id, reason=error.message)
        return Again(delay_seconds)
    count(metrics.JOBS_DELAYED)
    return Done()
