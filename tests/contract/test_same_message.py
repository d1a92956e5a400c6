"""One message, delivered five times at once: one image and one settle, whoever comes first."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from threading import Barrier, Event
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from common.acts import Act
from common.aws.s3_images import S3ImageStore
from common.aws.sqs_queue import SqsJobQueue
from common.credits import EntryKind, LedgerEntry
from common.jobs import Image, Job, JobStatus, image_key
from common.pacing import Pacer
from common.pages import Page
from common.ports import ImageStore, JobQueue, JobWorker
from common.routes import Route
from common.services.worker import WorkerServices
from common.settings.worker import WorkerSettings
from functions.worker import handler
from functions.worker.handler import DeliveryFailed, handle
from tests.contract.backends import (
    BUCKET,
    VISIBILITY_SECONDS,
    Aws,
    Stores,
    at_once,
    on_threads,
    raised,
)
from tests.contract.test_job_store import balance, user_with
from tests.contract.test_races import kinds, submit
from tests.fakes import (
    CountedIds,
    ManualClock,
    MemoryImages,
    MemoryLines,
    MemoryQueue,
)
from tests.fakes_model import FakeModel
from tests.world import CORE, CORE_COST

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

DELIVERIES = 5
HELD_SECONDS = 10
"""How long a rival may take; all of them need some tens of milliseconds."""
PATIENCE_SECONDS = 60
DRAINED_MAX = 20
SETTINGS = WorkerSettings(
    home_region="ap-southeast-1",
    jobs_table="Jobs",
    users_table="Users",
    ledger_table="Ledger",
    images_bucket=BUCKET,
    routes=(CORE,),
    queue_url="queue",
    routes_table="Routes",
    slot_wait_seconds_max=20,
    model_read_seconds=20,
    # By a clock that stands still, so it never lapses; messages do wait that long.
    lease_seconds=3,
)
Fresh = Callable[[str], str]


class Inbox(Protocol):
    """The end of the queue that Lambda holds."""

    def receive(self) -> SQSRecord | None:
        """The next message, however long it is hidden; None when none is left."""

    def delete(self, receipt_handle: str) -> None:
        """Acknowledge it; once more does nothing."""


class MemoryInbox:
    def __init__(self, queue: MemoryQueue, clock: ManualClock) -> None:
        self._queue = queue
        self._clock = clock

    def receive(self) -> SQSRecord | None:
        for _second in range(PATIENCE_SECONDS):
            if message := self._queue.receive():
                sent_ms = int(message.sent_at.timestamp() * 1000)
                attributes = {"SentTimestamp": str(sent_ms), "MessageGroupId": message.user_id}
                body = json.dumps({"job_id": message.job_id})
                return _record(message.message_id, message.receipt_handle, body, attributes)
            self._clock.advance(1)
        return None

    def delete(self, receipt_handle: str) -> None:
        with suppress(StopIteration):  # it is gone already, which SQS does not mind
            self._queue.delete(receipt_handle)


class SqsInbox:
    def __init__(self, client: SQSClient, queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def receive(self) -> SQSRecord | None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._left() > 0:
            assert time.monotonic() < deadline, "a message does not come back"
            answer = self._client.receive_message(
                QueueUrl=self._queue_url, MessageSystemAttributeNames=["All"], WaitTimeSeconds=1
            )
            for found in answer.get("Messages", []):
                return _record(
                    found["MessageId"], found["ReceiptHandle"], found["Body"], found["Attributes"]
                )
        return None

    def delete(self, receipt_handle: str) -> None:
        # AWS says nothing of a message that is gone; the emulator calls its receipt invalid.
        with suppress(self._client.exceptions.ReceiptHandleIsInvalid):
            self._client.delete_message(QueueUrl=self._queue_url, ReceiptHandle=receipt_handle)

    def _left(self) -> int:
        """Messages that wait, are delayed or are hidden."""
        has = self._client.get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=["All"])
        attributes = has["Attributes"]
        return (
            int(attributes["ApproximateNumberOfMessages"])
            + int(attributes["ApproximateNumberOfMessagesDelayed"])
            + int(attributes["ApproximateNumberOfMessagesNotVisible"])
        )


def _record(
    message_id: str, receipt_handle: str, body: str, attributes: Mapping[Any, str]
) -> SQSRecord:
    """A message as Lambda hands it to the worker."""
    return SQSRecord(
        {
            "messageId": message_id,
            "receiptHandle": receipt_handle,
            "body": body,
            "attributes": dict(attributes),
        }
    )


@dataclass(frozen=True)
class Region:
    """Where a worker works: both ends of its queue, its images, and its time."""

    queue: JobQueue
    inbox: Inbox
    images: ImageStore
    clock: ManualClock


@pytest.fixture
def region(backend: Aws | None, fresh: Fresh) -> Region:
    clock = ManualClock()
    if backend is None:
        queue = MemoryQueue(clock, visibility_seconds=VISIBILITY_SECONDS)
        return Region(queue, MemoryInbox(queue, clock), MemoryImages(), clock)
    queue_url = backend.new_queue(fresh("same-message"))
    return Region(
        SqsJobQueue(backend.sqs, queue_url=queue_url),
        SqsInbox(backend.sqs, queue_url),
        S3ImageStore(backend.s3, bucket=BUCKET),
        clock,
    )


class HeldModel(FakeModel):
    """A model that draws for as long as the test has it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = Event()
        self.answers = Event()

    def invoke(
        self, route: Route, body: Mapping[str, Any], *, wait: Callable[[], None]
    ) -> Mapping[str, Any]:
        said = super().invoke(route, body, wait=wait)
        self.asked.set()
        assert self.answers.wait(timeout=2 * HELD_SECONDS)
        return said


class CountedImages:
    """An image store, and what was put into it."""

    def __init__(self, images: ImageStore) -> None:
        self._images = images
        self.puts: list[str] = []

    def put(self, key: str, content: bytes, *, width: int, height: int) -> Image:
        self.puts.append(key)
        return self._images.put(key, content, width=width, height=height)

    def find(self, key: str) -> Image | None:
        return self._images.find(key)


class MeetingReaders:
    """A job store whose first readers wait for each other, so that all have seen the same job."""

    def __init__(self, jobs: JobWorker, *, readers: int) -> None:
        self._jobs = jobs
        self._barrier = Barrier(readers)
        self._first = iter(range(readers))

    def get(self, job_id: str) -> Job | None:
        job = self._jobs.get(job_id)
        if next(self._first, None) is not None:
            self._barrier.wait(timeout=HELD_SECONDS)
        return job

    def save(self, job: Job, *, entry: LedgerEntry | None = None, act: Act | None = None) -> None:
        self._jobs.save(job, entry=entry, act=act)

    def page(self, user_id: str, **asked: Any) -> Page[Job]:
        return self._jobs.page(user_id, **asked)


class Work:
    """One job in the queue, its message received, and a worker for it."""

    def __init__(self, stores: Stores, region: Region, user_id: str) -> None:
        self.model = HeldModel()
        self.jobs: JobWorker = stores.jobs
        self._stores = stores
        self._images = CountedImages(region.images)
        self._job = submit(stores, region.queue, user_id, "key")
        self._region = region
        self._lines = MemoryLines()
        self._new_id = CountedIds("lease")
        message = region.inbox.receive()
        assert message is not None
        self.message = message

    def deliver(self, message: SQSRecord) -> bool:
        """Deliver as Lambda does; answer whether that acknowledged the message."""
        try:
            handle(message)
        except DeliveryFailed:
            return False
        self._region.inbox.delete(message.receipt_handle)
        return True

    def drain(self) -> None:
        """Deliver every message that is left, one after the other, until none comes."""
        drained = 0
        while message := self._region.inbox.receive():
            self.deliver(message)
            drained += 1
            assert drained < DRAINED_MAX

    def assert_done_once(self) -> None:
        """One call, one image, one settle, and a job that says so."""
        user_id = self._job.user_id
        job = self._stores.jobs.get(self._job.job_id)
        assert job is not None
        assert (job.status, job.attempts) == (JobStatus.SUCCEEDED, 1)
        assert job.image == self._images.find(image_key(job)) is not None
        assert len(self.model.calls) == 1
        assert self._images.puts == [image_key(job)]
        assert kinds(self._stores, user_id) == [EntryKind.HOLD, EntryKind.SETTLE]
        assert balance(self._stores, user_id) == (CORE_COST, 0, 0)

    def services(self) -> WorkerServices:
        clock = self._region.clock
        return WorkerServices(
            settings=SETTINGS,
            jobs=self.jobs,
            queue=self._region.queue,
            images=self._images,
            models=self.model,
            pacer=Pacer(
                self._lines,
                aside=lambda do: do(),
                now_us=clock.now_us,
                sleep=clock.sleep,
                wait_seconds_max=SETTINGS.slot_wait_seconds_max,
            ),
            now=clock,
            new_id=self._new_id,
            sleep=clock.sleep,
        )


@pytest.fixture
def work(
    stores: Stores,
    region: Region,
    fresh: Fresh,
    monkeypatch: pytest.MonkeyPatch,
) -> Work:
    ann = user_with(stores, fresh("ann"), available=2 * CORE_COST)
    work = Work(stores, region, ann)
    monkeypatch.setattr(handler, "services", work.services)
    return work


@on_threads
def test_a_message_delivered_five_times_at_once_is_one_image_and_one_settle(work: Work) -> None:
    work.jobs = MeetingReaders(work.jobs, readers=DELIVERIES)

    with ThreadPoolExecutor(DELIVERIES) as pool:
        five = [pool.submit(work.deliver, work.message) for _ in range(DELIVERIES)]
        try:
            ended = as_completed(five, timeout=HELD_SECONDS)
            losers = list(islice(ended, DELIVERIES - 1))
        finally:
            work.model.answers.set()

    (winner,) = set(five) - set(losers)
    assert winner.result()
    assert [loser.exception() for loser in losers] == [None] * (DELIVERIES - 1)
    work.assert_done_once()
    work.drain()
    work.assert_done_once()


@on_threads
def test_a_message_delivered_again_while_it_is_worked_on_changes_nothing(work: Work) -> None:
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(work.deliver, work.message)
        try:
            assert work.model.asked.wait(timeout=HELD_SECONDS)
            others = at_once([partial(work.deliver, work.message)] * (DELIVERIES - 1))
        finally:
            work.model.answers.set()

    assert first.result()
    assert raised(others) == []
    work.assert_done_once()
    work.drain()
    work.assert_done_once()
