"""Everybody with the same news at once: IPNs, queries, sweeps and an operator are one top-up."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from itertools import count

import pytest

from common.booking import book
from common.credits import EntryKind, LedgerEntry
from common.errors import InsufficientCredits, ServiceFailed, StaleWrite
from common.payments import News, Payment, PaymentStatus
from common.ports import PaymentKeeper
from common.refunds import begin_refund
from common.services.sweep import SweepServices
from common.settings.sweep import SweepSettings
from common.vnpay_codes import Outcome, RspCode
from functions.payments.book_notification import book_notification
from functions.sweep.heal_payments import heal_payments
from tests.contract.backends import Stores, at_once, on_threads, raised
from tests.contract.test_job_store import balance
from tests.contract.test_payment_store import begun, paid
from tests.contract.test_races import kinds, submit
from tests.fakes import CountedIds, ManualClock, MemoryImages, MemoryLines, MemoryQueue
from tests.fakes_money import MERCHANT, FakeGateway, api_answer
from tests.vnpay_by_hand import FAILED, ipn
from tests.world import CORE, CORE_COST

IPNS = 50
QUERIES = 10
SWEEPS = 6
RETRY_SECONDS_MAX = 20
Fresh = Callable[[str], str]
SETTINGS = SweepSettings(
    home_region="ap-southeast-1",
    payments_table="Payments",
    users_table="Users",
    ledger_table="Ledger",
    vnpay_parameter="/imagify/vnpay",
    jobs_table="Jobs",
    images_bucket="images",
    routes=(CORE,),
    routes_table="Routes",
    acts_table="Acts",
    queue_url="queue",
)


class TickingClock(ManualClock):
    """A clock that no two read alike, as a real one."""

    def __init__(self, now: datetime) -> None:
        super().__init__(now)
        self._ticks = count(1)

    def __call__(self) -> datetime:
        self.advance(next(self._ticks) / 1_000_000)
        return super().__call__()


class OnlyOurs:
    """The payments of one test, where the emulator's tables hold those of others too."""

    def __init__(self, payments: PaymentKeeper, txn_refs: Sequence[str]) -> None:
        self._payments = payments
        self._txn_refs = txn_refs

    def get(self, txn_ref: str) -> Payment | None:
        return self._payments.get(txn_ref)

    def save(self, payment: Payment, *, entry: LedgerEntry | None = None) -> None:
        self._payments.save(payment, entry=entry)

    def due(self, now: datetime, *, limit: int) -> tuple[str, ...]:
        due = self._payments.due(now, limit=1000)
        return tuple(txn_ref for txn_ref in due if txn_ref in self._txn_refs)[:limit]


def notify(stores: Stores, query: str, clock: ManualClock) -> RspCode:
    """VNPAY's call, made again while it is answered with 99."""
    deadline = time.monotonic() + RETRY_SECONDS_MAX
    while True:
        code = book_notification(
            query,
            source_ip="203.0.113.99",
            payments=stores.payments,
            merchant=lambda: MERCHANT,
            now=clock,
        )
        if code is not RspCode.ERROR or time.monotonic() > deadline:
            return code
        time.sleep(0.05)


def ask(stores: Stores, payment: Payment, clock: ManualClock, by: str | None = None) -> None:
    """What a query, or an operator, has heard; said again when it could not be written down."""
    news = News(txn_ref=payment.txn_ref, outcome=Outcome.PAID, amount_vnd=payment.amount_vnd, by=by)
    deadline = time.monotonic() + RETRY_SECONDS_MAX
    while True:
        try:
            assert book(news, payments=stores.payments, now=clock)
        except (StaleWrite, ServiceFailed):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def sweeper(
    stores: Stores, payment: Payment, clock: ManualClock, gateway: FakeGateway
) -> SweepServices:
    return SweepServices(
        settings=SETTINGS,
        jobs=stores.jobs,
        queue=MemoryQueue(clock),
        images=MemoryImages(),
        lines=MemoryLines(),
        payments=OnlyOurs(stores.payments, [payment.txn_ref]),
        gateway=gateway,
        now=clock,
        new_id=CountedIds(),
    )


@on_threads
def test_50_ipns_10_queries_and_some_sweeps_at_once_are_one_top_up(
    stores: Stores, fresh: Fresh
) -> None:
    payment = begun(stores, fresh, available=10)
    clock = TickingClock(payment.expires_at)
    sweep = sweeper(stores, payment, clock, FakeGateway())
    query = ipn(payment)

    calls: list[Callable[[], object]] = [
        *[partial(notify, stores, query, clock)] * IPNS,
        *[partial(ask, stores, payment, clock)] * QUERIES,
        *[partial(heal_payments, sweep, seconds_left=lambda: 55)] * SWEEPS,
    ]
    answers = at_once(calls)

    assert raised(answers) == []
    codes = [answer for answer in answers if isinstance(answer, RspCode)]
    assert len(codes) == IPNS
    assert set(codes) <= {RspCode.RECORDED, RspCode.ALREADY_RECORDED}
    assert codes.count(RspCode.RECORDED) <= 1
    done = stores.payments.get(payment.txn_ref)
    assert done is not None
    assert (done.status, done.due_at) == (PaymentStatus.PAID, None)
    assert balance(stores, payment.user_id) == (30, 0, 0)
    assert kinds(stores, payment.user_id) == [EntryKind.TOP_UP]


@on_threads
@pytest.mark.parametrize("status", ["00", "01"])
def test_sweeps_at_once_ask_vnpay_once(stores: Stores, fresh: Fresh, status: str) -> None:
    payment = begun(stores, fresh)
    clock = TickingClock(payment.expires_at)
    gateway = FakeGateway()
    gateway.says["query"] = lambda asked: api_answer(asked, transaction_status=status)
    sweep = sweeper(stores, payment, clock, gateway)
    answers = at_once([partial(heal_payments, sweep, seconds_left=lambda: 55)] * 12)
    assert sorted(map(str, answers)) == ["0"] * 11 + ["1"]
    assert len(gateway.asked) == 1
    balance(stores, payment.user_id)


@on_threads
def test_success_and_failure_at_once_end_with_the_credits(stores: Stores, fresh: Fresh) -> None:
    """VNPAY may tell of a failed try and of the one that worked in any order."""
    payment = begun(stores, fresh, available=10)
    clock = TickingClock(payment.expires_at)
    answers = at_once(
        [
            partial(notify, stores, query, clock)
            for query in [ipn(payment), ipn(payment, **FAILED)] * 8
        ]
    )
    assert raised(answers) == []
    assert set(answers) <= {RspCode.RECORDED, RspCode.ALREADY_RECORDED}
    done = stores.payments.get(payment.txn_ref)
    assert done is not None
    assert done.status is PaymentStatus.PAID
    assert balance(stores, payment.user_id) == (30, 0, 0)


@on_threads
def test_an_operator_and_vnpay_at_once_are_one_top_up(stores: Stores, fresh: Fresh) -> None:
    payment = begun(stores, fresh, available=0)
    clock = TickingClock(payment.expires_at)
    query = ipn(payment)
    calls: list[Callable[[], object]] = [
        *[partial(ask, stores, payment, clock, by="eve")] * 4,
        *[partial(notify, stores, query, clock)] * 4,
    ]
    answers = at_once(calls)
    assert raised(answers) == []
    assert balance(stores, payment.user_id) == (20, 0, 0)


@on_threads
def test_a_refund_among_submits_never_takes_more_than_there_is(
    stores: Stores, fresh: Fresh
) -> None:
    payment = paid(stores, begun(stores, fresh, available=0))
    queue = MemoryQueue(ManualClock())
    refunding, taken = begin_refund(
        payment,
        number_of_credits=11,
        by="eve",
        reason="asked for",
        request_id="refund-1",
        now=payment.expires_at,
    )

    def refund() -> None:
        stores.payments.save(refunding, entry=taken)

    calls: list[Callable[[], object]] = [
        partial(submit, stores, queue, payment.user_id, f"key-{number}") for number in range(12)
    ]
    calls.insert(2, refund)
    answers = at_once(calls)

    assert set(raised(answers)) <= {InsufficientCredits}
    available, held, jobs = balance(stores, payment.user_id)
    done = stores.payments.get(payment.txn_ref)
    assert done in (payment, refunding)
    left = 20 if done == payment else 9
    assert available + held == left
    assert held == CORE_COST * jobs
    assert (answers[2] is None) is (done == refunding), "all of the refund or none of it"
    if done == refunding:
        assert available < CORE_COST, "whoever came too late met an empty balance"


@on_threads
def test_the_same_refund_wanted_by_many_takes_the_credits_once(
    stores: Stores, fresh: Fresh
) -> None:
    payment = paid(stores, begun(stores, fresh, available=100))
    rivals = [
        begin_refund(
            payment,
            number_of_credits=20,
            by=f"eve{number}",
            reason="asked for",
            request_id=f"refund-{number}",
            now=payment.expires_at,
        )
        for number in range(8)
    ]
    answers = at_once(
        [partial(stores.payments.save, rival, entry=entry) for rival, entry in rivals]
    )
    assert raised(answers) == [StaleWrite] * 7
    assert stores.payments.get(payment.txn_ref) == rivals[answers.index(None)][0]
    assert balance(stores, payment.user_id) == (100, 0, 0)
