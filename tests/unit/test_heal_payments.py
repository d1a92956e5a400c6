"""The sweep: news that does not come is fetched, no faster than VNPAY allows, and booked once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from common.credits import EntryKind
from common.errors import Conflict, GatewaySilent, ServiceFailed
from common.payments import ASK_GAP, Payment, PaymentStatus
from common.vnpay import ApiAnswer
from common.vnpay_codes import RspCode
from functions.payments.book_notification import book_notification
from functions.sweep.heal_payments import PAYMENTS_MAX, QUESTION_SECONDS_MAX, heal_payments
from tests.fakes import START, MemoryTables
from tests.fakes_money import MemoryPaymentStore, api_answer
from tests.vnpay_by_hand import ipn
from tests.world import CREDITS, SMALL, World

MINUTE = 60
DUE = 15 * MINUTE
EXPIRED = 30 * MINUTE
DAY = 24 * 3600
SILENT = GatewaySilent("VNPAY did not answer.")


@pytest.fixture
def world() -> World:
    world = World()
    world.person()
    return world


def saying(**said: str) -> Callable[[Payment], ApiAnswer]:
    """A gateway that answers so."""
    return lambda payment: api_answer(payment, **said)


NOT_FOUND = saying(response_code="91")
UNFINISHED = saying(transaction_status="01")
FAILED = saying(transaction_status="02")


def notify(world: World, payment: Payment) -> RspCode:
    """VNPAY's IPN of a payment that was paid."""
    return book_notification(
        ipn(payment),
        source_ip="203.0.113.99",
        payments=world.payments,
        merchant=lambda: world.merchant,
        now=world.clock,
    )


def status(world: World, payment: Payment) -> PaymentStatus:
    return world.payment(payment.txn_ref).status


def credited(world: World) -> int:
    """The credits that were bought, in one top-up a payment."""
    world.audit()
    assert set(world.kinds()) <= {EntryKind.TOP_UP}
    return world.tables.users["usr_ann"].balance.available - CREDITS


def test_a_payment_whose_ipn_never_comes_is_credited_once(world: World) -> None:
    payment = world.buy()
    world.clock.advance(DUE)
    assert [world.sweep() for _again in range(3)] == [1, 0, 0]
    paid = world.payment(payment.txn_ref)
    assert (paid.status, paid.due_at) == (PaymentStatus.PAID, None)
    assert paid.transaction_no == "14000001", "as VNPAY's answer has it"
    assert credited(world) == SMALL.credits
    assert [what for what, _ref, _id in world.gateway.asked] == ["query"]


def test_nobody_is_asked_while_a_payment_can_still_be_paid(world: World) -> None:
    world.buy()
    world.clock.advance(DUE - 1)
    assert world.sweep() == 0
    assert world.gateway.asked == []


def test_an_ipn_before_the_sweep_leaves_nothing_to_ask(world: World) -> None:
    payment = world.buy()
    assert notify(world, payment) == "00"
    world.clock.advance(DUE)
    assert world.sweep() == 0
    assert world.gateway.asked == []
    assert credited(world) == SMALL.credits


def test_an_ipn_after_the_sweep_is_known_already(world: World) -> None:
    payment = world.buy()
    world.clock.advance(DUE)
    world.sweep()
    assert notify(world, payment) == "02"
    assert credited(world) == SMALL.credits


def test_an_ipn_after_expiry_still_credits_and_ends_the_questions(world: World) -> None:
    payment = world.buy()
    world.gateway.says["query"] = NOT_FOUND
    sweep_for(world, hours=1)
    assert status(world, payment) is PaymentStatus.EXPIRED
    assert notify(world, payment) == "00"
    asked = len(world.gateway.asked)
    sweep_for(world, hours=30)
    assert len(world.gateway.asked) == asked
    assert credited(world) == SMALL.credits


def test_money_that_vnpay_finds_only_after_expiry_is_credited(world: World) -> None:
    payment = world.buy()
    world.gateway.says["query"] = UNFINISHED
    sweep_for(world, hours=12)
    assert status(world, payment) is PaymentStatus.EXPIRED
    world.gateway.says["query"] = api_answer
    sweep_for(world, hours=14)
    assert status(world, payment) is PaymentStatus.PAID
    assert credited(world) == SMALL.credits


def test_a_payment_that_nobody_paid_expires_half_an_hour_after_its_start(world: World) -> None:
    payment = world.buy()
    world.gateway.says["query"] = NOT_FOUND
    world.clock.advance(EXPIRED - 1)
    world.sweep()
    assert status(world, payment) is PaymentStatus.PENDING
    world.clock.advance(6 * MINUTE)
    world.sweep()
    assert status(world, payment) is PaymentStatus.EXPIRED
    assert credited(world) == 0


def test_a_payment_that_failed_is_not_asked_after_again(world: World) -> None:
    payment = world.buy()
    world.gateway.says["query"] = FAILED
    sweep_for(world, hours=48)
    assert status(world, payment) is PaymentStatus.FAILED
    assert len(world.gateway.asked) == 1
    assert credited(world) == 0


def test_money_that_does_not_fit_is_reviewed_and_no_credit(world: World) -> None:
    payment = world.buy()
    other = world.buy(key="buy-2", package="large")
    answers = {
        payment.txn_ref: api_answer(other),  # the price of another package
        other.txn_ref: api_answer(other, transaction_status="07"),
    }
    world.gateway.says["query"] = lambda asked: answers[asked.txn_ref]
    sweep_for(world, hours=48)
    assert status(world, payment) is PaymentStatus.REVIEW
    assert status(world, other) is PaymentStatus.REVIEW
    assert credited(world) == 0


def sweep_for(world: World, *, hours: int = 0, minutes: int = 0) -> None:
    """The sweeps of so much time, one a minute."""
    for _minute in range(hours * 60 + minutes):
        world.clock.advance(MINUTE)
        world.sweep()


def asked_at(
    world: World, hours: int, told: Callable[[Payment], ApiAnswer] | Exception
) -> list[float]:
    """When VNPAY is asked about one payment, in minutes since its start."""
    minutes: list[float] = []

    def answer(payment: Payment) -> ApiAnswer:
        minutes.append((world.clock() - START).total_seconds() / MINUTE)
        if isinstance(told, Exception):
            raise told
        return told(payment)

    world.gateway.says["query"] = answer
    sweep_for(world, hours=hours)
    return minutes


@pytest.mark.parametrize("told", [NOT_FOUND, UNFINISHED])
def test_a_payment_without_money_is_asked_after_ever_more_seldom_for_a_day(
    world: World, told: Callable[[Payment], ApiAnswer]
) -> None:
    world.buy()
    times = asked_at(world, 72, told)
    assert times == [15, 21, 33, 57, 105, 201, 393, 777, 1545]
    assert all(later - sooner >= 6 for sooner, later in pairwise(times))


@pytest.mark.parametrize(
    "told",
    [
        SILENT,
        saying(response_code="94"),
        saying(response_code="99"),
        saying(transaction_status="xx"),
    ],
)
def test_while_vnpay_says_nothing_a_payment_is_pending_for_a_day_and_then_expires(
    world: World, told: Callable[[Payment], ApiAnswer] | Exception
) -> None:
    payment = world.buy()
    times = asked_at(world, 24 * 7, told)
    assert all(later - sooner >= 6 for sooner, later in pairwise(times))
    assert DAY / MINUTE < times[-1] < 2 * DAY / MINUTE
    assert status(world, payment) is PaymentStatus.EXPIRED
    assert notify(world, payment) == "00", "money that comes late still counts"
    assert credited(world) == SMALL.credits


def test_a_silent_gateway_is_asked_each_time_under_a_new_id(world: World) -> None:
    world.buy()
    asked_at(world, 24, SILENT)
    ids = [request_id for _what, _ref, request_id in world.gateway.asked]
    assert len(set(ids)) == len(ids) > 5


def test_one_payment_that_goes_wrong_does_not_stop_the_rest(world: World) -> None:
    payments = [world.buy(key=f"buy-{number}") for number in range(5)]
    troubles = dict(zip([each.txn_ref for each in payments], TROUBLES, strict=False))

    def answer(payment: Payment) -> ApiAnswer:
        if payment.txn_ref in troubles:
            raise troubles[payment.txn_ref]
        return api_answer(payment)

    world.gateway.says["query"] = answer
    world.clock.advance(DUE)
    world.sweep()
    assert [status(world, each) for each in payments] == ["pending"] * 4 + ["paid"]
    troubles.clear()
    world.clock.advance(ASK_GAP.total_seconds())
    world.sweep()
    assert {status(world, each) for each in payments} == {PaymentStatus.PAID}
    assert credited(world) == 5 * SMALL.credits


TROUBLES = (SILENT, ServiceFailed("No answer."), Conflict("Not set up."), KeyError("a bug"))


class Poisoned(MemoryPaymentStore):
    """A store with a payment that cannot be read."""

    def __init__(self, world: World, poison: str) -> None:
        super().__init__(world.tables)
        self._poison = poison

    def get(self, txn_ref: str) -> Payment | None:
        if txn_ref == self._poison:
            raise ValueError(txn_ref)
        return super().get(txn_ref)


def test_a_payment_that_cannot_be_read_does_not_stop_the_rest(world: World) -> None:
    poison = world.buy(key="poison")
    world.clock.advance(1)
    healthy = world.buy()
    world.payments = Poisoned(world, poison.txn_ref)
    world.clock.advance(DUE)
    assert world.sweep() == 1
    assert status(world, healthy) is PaymentStatus.PAID


def test_a_sweep_asks_after_the_longest_due_first_and_ends_in_time(world: World) -> None:
    payments = []
    for number in range(4):
        payments.append(world.buy(key=f"buy-{number}"))
        world.clock.advance(MINUTE)
    world.clock.advance(DUE)
    left = iter([55.0, QUESTION_SECONDS_MAX, QUESTION_SECONDS_MAX - 0.1])
    assert heal_payments(world.sweep_services(), seconds_left=lambda: next(left)) == 2
    assert [ref for _what, ref, _id in world.gateway.asked] == [
        payment.txn_ref for payment in payments[:2]
    ]
    world.sweep()
    assert {status(world, payment) for payment in payments} == {PaymentStatus.PAID}


def test_what_one_sweep_does_not_manage_the_next_ones_do(world: World) -> None:
    for number in range(PAYMENTS_MAX + 1):
        world.person(f"usr_{number}")
        world.buy(f"usr_{number}")
    world.clock.advance(DUE)
    assert [world.sweep() for _minute in range(3)] == [PAYMENTS_MAX, 1, 0]
    asked = Counter(txn_ref for _what, txn_ref, _id in world.gateway.asked)
    assert set(asked.values()) == {1}
    world.audit()


def test_the_sweep_leaves_what_is_not_due_and_says_that_there_was_nothing(world: World) -> None:
    assert world.sweep() == 0
    payment = world.buy()
    world.clock.advance(DUE)
    world.gateway.says["query"] = UNFINISHED
    world.sweep()
    assert world.payment(payment.txn_ref).due_at == world.clock() + timedelta(minutes=6)
    assert world.sweep() == 0


def test_two_sweeps_in_the_very_same_moment_ask_once(world: World) -> None:
    """Both have read the payment before either has written that it asks."""
    read = world.buy()
    world.gateway.says["query"] = SILENT
    world.clock.advance(DUE)
    assert world.sweep() == 1
    world.payments = BehindByOne(world.tables, read)
    assert world.sweep() == 0
    assert len(world.gateway.asked) == 1


class BehindByOne(MemoryPaymentStore):
    """A store whose first look is an old one, as of a sweep that was as quick as another."""

    def __init__(self, tables: MemoryTables, read: Payment) -> None:
        super().__init__(tables)
        self._looks = [read]

    def due(self, now: datetime, *, limit: int) -> tuple[str, ...]:  # noqa: ARG002 - the port's
        return (self._looks[0].txn_ref,)

    def get(self, txn_ref: str) -> Payment | None:
        return self._looks.pop() if self._looks else super().get(txn_ref)


def test_a_failure_needs_no_amount(world: World) -> None:
    payment = world.buy()

    def failed(asked: Payment) -> ApiAnswer:
        return replace(api_answer(asked, transaction_status="02"), amount_vnd=None)

    world.gateway.says["query"] = failed
    world.clock.advance(DUE)
    world.sweep()
    assert status(world, payment) is PaymentStatus.FAILED


def test_a_question_without_an_answer_is_counted_as_asked(world: World) -> None:
    payment = world.buy()
    world.gateway.says["query"] = SILENT
    world.clock.advance(DUE)
    assert world.sweep() == 1
    assert status(world, payment) is PaymentStatus.PENDING
