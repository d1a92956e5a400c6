"""The audit: silent over everything that the service does, and it finds each single thing wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from common.credits import EntryKind, LedgerEntry
from common.errors import ModelTimedOut
from common.jobs import Job, JobStatus, image_key
from common.payments import News, Payment, PaymentStatus, hear
from common.users import User
from common.vnpay import ApiAnswer
from common.vnpay_codes import Outcome
from functions.status.cancel_job import cancel_job
from ops.money.acts import give, refund_payment
from ops.money.books import Books, Discrepancy, audit
from tests.fakes_model import REFUSAL, FakeModel
from tests.fakes_money import api_answer
from tests.world import World


def books_of(world: World) -> Books:
    """The world's books as they are."""
    tables = world.tables
    return Books(
        users=dict(tables.users),
        entries=list(tables.ledger.values()),
        jobs=dict(tables.jobs),
        payments=dict(tables.payments),
        images=frozenset(world.images.contents),
    )


def ended(world: World, key: str, outcome: Outcome = Outcome.PAID) -> Payment:
    """A payment of which the gateway has said how it ended."""
    payment = world.buy(key=key)
    news = News(txn_ref=payment.txn_ref, outcome=outcome, amount_vnd=payment.amount_vnd)
    heard = hear(payment, news, now=world.clock())
    world.payments.save(heard.payment, entry=heard.entry)
    return heard.payment


def refunded(world: World, key: str, **said: str) -> None:
    """A paid payment whose refund the gateway answers so."""

    def told(payment: Payment) -> ApiAnswer:
        return api_answer(payment, **said)

    world.gateway.says["refund"] = told
    refund_payment(
        ended(world, key),
        None,
        by="eve",
        reason="asked for",
        request_id=key,
        payments=world.payments,
        gateway=world.gateway,
        now=world.clock,
    )


def a_full_life() -> World:
    """A world in which everything that can happen to credits has happened."""
    world = World(model=FakeModel(REFUSAL, *[ModelTimedOut("No answer.")] * 3))
    world.person()
    world.person("usr_idle", available=0)
    world.submit(key="fails")
    world.work_once()
    world.submit(key="stalls")
    for _attempt in range(3):
        world.work_once()
    world.submit(key="succeeds")
    world.work_until_terminal(world.submit(key="succeeds").job_id)
    canceled = world.submit(key="canceled")
    cancel_job(canceled.job_id, user_id="usr_ann", jobs=world.jobs, now=world.clock())
    world.submit(key="waits")
    give(
        world.tables.users["usr_ann"],
        7,
        key="k",
        by="eve",
        reason="kind",
        ledger=world.ledger,
        now=world.clock(),
    )
    ended(world, "paid")
    ended(world, "failed", Outcome.FAILED)
    ended(world, "suspect", Outcome.SUSPECT)
    world.buy(key="open")
    refunded(world, "refunded", transaction_status="06")
    refunded(world, "refunding", transaction_status="05")
    refunded(world, "refused", response_code="95")
    return world


@pytest.fixture(scope="module")
def books() -> Books:
    return books_of(a_full_life())


def test_whatever_the_service_does_adds_up(books: Books) -> None:
    assert {job.status for job in books.jobs.values()} == set(JobStatus) - {JobStatus.GENERATING}
    assert {payment.status for payment in books.payments.values()} == set(PaymentStatus) - {
        PaymentStatus.EXPIRED
    }
    assert {entry.kind for entry in books.entries} == set(EntryKind)
    assert audit(books) == []


def user(books: Books, **changes: int) -> Books:
    """Another balance than is written."""
    ann = books.users["usr_ann"]
    changed: User = replace(ann, balance=replace(ann.balance, **changes))
    return replace(books, users={**books.users, "usr_ann": changed})


def job(books: Books, status: JobStatus) -> Job:
    return next(each for each in books.jobs.values() if each.status is status)


def payment(books: Books, status: PaymentStatus) -> Payment:
    return next(each for each in books.payments.values() if each.status is status)


def without(books: Books, lost: Callable[[LedgerEntry], bool]) -> Books:
    """Entries that are gone."""
    return replace(books, entries=[each for each in books.entries if not lost(each)])


def doubled(books: Books, kind: EntryKind) -> Books:
    """An entry that is there twice, under another id, and in the balance too."""
    entry = next(each for each in books.entries if each.kind is kind)
    more = [*books.entries, replace(entry, entry_id=f"{entry.entry_id}#again")]
    balance = books.users["usr_ann"].balance
    return user(
        replace(books, entries=more),
        available=balance.available + entry.available,
        held=balance.held + entry.held,
        active_jobs=balance.active_jobs + entry.active_jobs,
    )


def other_status(books: Books, was: JobStatus, becomes: JobStatus) -> Books:
    changed = replace(job(books, was), status=becomes)
    return replace(books, jobs={**books.jobs, changed.job_id: changed})


def other_payment(books: Books, was: PaymentStatus, becomes: PaymentStatus) -> Books:
    changed = replace(payment(books, was), status=becomes)
    return replace(books, payments={**books.payments, changed.txn_ref: changed})


def of_another(books: Books, kind: EntryKind) -> Books:
    """An entry that went to somebody else."""
    entry = next(each for each in books.entries if each.kind is kind)
    rest = [each for each in books.entries if each != entry]
    return replace(books, entries=[*rest, replace(entry, user_id="usr_idle")])


def without_jobs(books: Books, status: JobStatus) -> Books:
    lost = job(books, status)
    return replace(books, jobs={key: each for key, each in books.jobs.items() if each != lost})


def without_payment(books: Books, status: PaymentStatus) -> Books:
    lost = payment(books, status)
    left = {key: each for key, each in books.payments.items() if each != lost}
    return replace(books, payments=left)


Tamper = Callable[[Books], Books]
JS, PS, EK = JobStatus, PaymentStatus, EntryKind
TAMPERED: dict[str, tuple[str, Tamper]] = {
    "a balance with a credit too many": ("balance", lambda b: user(b, available=1 + _has(b))),
    "a balance with a credit too few": ("balance", lambda b: user(b, available=_has(b) - 1)),
    "a negative balance": ("balance", lambda b: user(b, available=-1)),
    "a hold that nobody has": ("balance", lambda b: user(b, held=99)),
    "a job too many in flight": ("balance", lambda b: user(b, active_jobs=9)),
    "a grant that is gone": ("balance", lambda b: without(b, lambda e: e.kind is EK.GRANT)),
    "a ledger of nobody": ("ledger", lambda b: replace(b, users={})),
    "a hold without an entry": ("job", lambda b: without(b, lambda e: e.kind is EK.HOLD)),
    "a settle that is gone": ("job", lambda b: without(b, lambda e: e.kind is EK.SETTLE)),
    "a release that is gone": ("job", lambda b: without(b, lambda e: e.kind is EK.RELEASE)),
    "a settle twice": ("job", lambda b: doubled(b, EK.SETTLE)),
    "a release twice": ("job", lambda b: doubled(b, EK.RELEASE)),
    "a failed job that was charged": ("job", lambda b: other_status(b, JS.SUCCEEDED, JS.FAILED)),
    "a stalled job called over": ("job", lambda b: other_status(b, JS.STALLED, JS.FAILED)),
    "a job that is gone": ("job", lambda b: without_jobs(b, JS.SUCCEEDED)),
    "an image that is gone": ("image", lambda b: replace(b, images=frozenset())),
    "an image of nobody": ("image", lambda b: replace(b, images=b.images | {"images/x/y.png"})),
    "an image given away": (
        "image",
        lambda b: replace(b, images=b.images | {image_key(job(b, JS.FAILED))}),
    ),
    "a top-up that is gone": ("payment", lambda b: without(b, lambda e: e.kind is EK.TOP_UP)),
    "a top-up twice": ("payment", lambda b: doubled(b, EK.TOP_UP)),
    "a top-up of another": ("payment", lambda b: of_another(b, EK.TOP_UP)),
    "credits for a payment that failed": (
        "payment",
        lambda b: other_payment(b, PS.PAID, PS.FAILED),
    ),
    "no credits for one that is paid": ("payment", lambda b: other_payment(b, PS.PENDING, PS.PAID)),
    "a refund whose credits were kept": (
        "payment",
        lambda b: without(b, lambda e: e.kind is EK.REFUND),
    ),
    "a refund given back that was paid": (
        "payment",
        lambda b: without(b, lambda e: e.kind is EK.REFUND_UNDONE),
    ),
    "a payment that is gone": ("payment", lambda b: without_payment(b, PS.PAID)),
}


def _has(books: Books) -> int:
    return books.users["usr_ann"].balance.available


@pytest.mark.parametrize("name", TAMPERED)
def test_each_thing_that_is_wrong_is_found(books: Books, name: str) -> None:
    kind, tamper = TAMPERED[name]
    found = audit(tamper(books))
    assert kind in {each.kind for each in found}
    assert all(each.message and each.subject for each in found)


def test_a_discrepancy_says_whose_it_is_and_by_how_much(books: Books) -> None:
    available = _has(books)
    assert audit(user(books, available=available + 3)) == [
        Discrepancy(
            "balance",
            "usr_ann",
            "usr_ann",
            f"available is {available + 3}, and the ledger adds up to {available}.",
        )
    ]
