"""Sweeps that meet, that come late, or that die at any call: each question once, each end found."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from common.payments import ASK_GAP, GRACE, Payment, PaymentStatus
from common.refunds import begin_refund
from common.vnpay import ApiAnswer
from tests.fakes_money import MemoryPaymentStore, api_answer
from tests.fate import ProcessDied
from tests.unit.test_heal_payments import (
    DUE,
    EXPIRED,
    FAILED,
    NOT_FOUND,
    UNFINISHED,
    credited,
    notify,
    saying,
    status,
)
from tests.world import CREDITS, SMALL, World

Told = Callable[[Payment], ApiAnswer]


@pytest.fixture
def world() -> World:
    world = World()
    world.person()
    return world


def test_a_sweep_that_comes_while_another_asks_does_not_ask(world: World) -> None:
    payment = world.buy()
    world.clock.advance(DUE)

    def answer(asked: Payment) -> ApiAnswer:
        assert world.sweep() == 0
        return api_answer(asked)

    world.gateway.says["query"] = answer
    assert world.sweep() == 1
    assert len(world.gateway.asked) == 1
    assert status(world, payment) is PaymentStatus.PAID
    assert credited(world) == SMALL.credits


class OvertakenStore(MemoryPaymentStore):
    """A store where another sweep goes all the way while one has only read."""

    def __init__(self, world: World) -> None:
        super().__init__(world.tables)
        self._world = world

    def get(self, txn_ref: str) -> Payment | None:
        read = super().get(txn_ref)
        self._world.payments = MemoryPaymentStore(self._world.tables)
        self._world.clock.advance(0.001)
        self._world.sweep()
        return read


@pytest.mark.parametrize("told", [api_answer, UNFINISHED])
def test_a_sweep_that_another_overtakes_asks_nothing(world: World, told: Told) -> None:
    world.buy()
    world.clock.advance(DUE)
    world.gateway.says["query"] = told
    world.payments = OvertakenStore(world)
    assert world.sweep() == 0
    assert len(world.gateway.asked) == 1
    assert credited(world) == (SMALL.credits if told is api_answer else 0)


class LateIndex(MemoryPaymentStore):
    """An index that is behind, as DynamoDB's may be."""

    def __init__(self, world: World, *due: str) -> None:
        super().__init__(world.tables)
        self._due = due

    def due(self, *_args: object, **_named: object) -> tuple[str, ...]:
        return self._due


def test_a_payment_paid_since_the_index_was_read_is_left_alone(world: World) -> None:
    paid, asked = world.buy(), world.buy(key="buy-2")
    notify(world, paid)
    world.clock.advance(DUE)
    world.gateway.says["query"] = UNFINISHED
    world.sweep()
    world.clock.advance(ASK_GAP.total_seconds() - 1)
    world.payments = LateIndex(world, paid.txn_ref, asked.txn_ref, "IMGgone")
    assert world.sweep() == 0
    assert len(world.gateway.asked) == 1
    world.clock.advance(1)
    assert world.sweep() == 1


class OvertakenBooking(MemoryPaymentStore):
    """A store where VNPAY's IPN comes between a sweep's question and its writing down."""

    def __init__(self, world: World) -> None:
        super().__init__(world.tables)
        self._world = world
        self._saves = 0

    def save(self, payment: Payment, **entry: object) -> None:
        self._saves += 1
        if self._saves == 2:
            notify(self._world, payment)
        super().save(payment, **entry)  # type: ignore[arg-type]


@pytest.mark.parametrize("told", [api_answer, NOT_FOUND, FAILED])
def test_an_ipn_that_overtakes_the_sweep_stands(world: World, told: Told) -> None:
    payment = world.buy()
    world.clock.advance(EXPIRED)
    world.gateway.says["query"] = told
    world.payments = OvertakenBooking(world)
    world.sweep()
    assert status(world, payment) is PaymentStatus.PAID
    assert credited(world) == SMALL.credits


def begin(world: World) -> None:
    """A payment that VNPAY tells of by itself only."""
    world.buy()
    world.clock.advance(EXPIRED)


def begin_to_refund(world: World) -> None:
    """A payment whose refund was written down, by somebody who then died."""
    payment = world.buy()
    notify(world, payment)
    refunding, entry = begin_refund(
        world.payment(payment.txn_ref),
        number_of_credits=SMALL.credits,
        by="eve",
        reason="asked for",
        request_id="refund-1",
        now=world.clock(),
    )
    world.payments.save(refunding, entry=entry)
    world.clock.advance(GRACE.total_seconds())


STORIES: dict[str, tuple[Callable[[World], None], Told, PaymentStatus, int]] = {
    "paid": (begin, api_answer, PaymentStatus.PAID, SMALL.credits),
    "failed": (begin, FAILED, PaymentStatus.FAILED, 0),
    "expired": (begin, NOT_FOUND, PaymentStatus.EXPIRED, 0),
    "suspected": (begin, saying(transaction_status="07"), PaymentStatus.REVIEW, 0),
    "paid back": (
        begin_to_refund,
        saying(transaction_type="02"),
        PaymentStatus.REFUNDED,
        0,
    ),
    "not paid back": (
        begin_to_refund,
        saying(transaction_type="02", transaction_status="09"),
        PaymentStatus.PAID,
        SMALL.credits,
    ),
    "never asked to pay back": (begin_to_refund, api_answer, PaymentStatus.REFUNDING, 0),
}
"""What was done, what VNPAY says, where that ends, and what is bought then."""


def about_to_sweep(story: str) -> World:
    prepare, told, _ending, _bought = STORIES[story]
    world = World()
    world.person()
    prepare(world)
    world.gateway.says["query"] = told
    world.fate.calls.clear()
    return world


def questions(world: World) -> int:
    """How often VNPAY was asked how a payment stands."""
    return sum(what == "query" for what, _ref, _id in world.gateway.asked)


def calls_in(story: str) -> list[str]:
    world = about_to_sweep(story)
    world.sweep()
    return world.fate.calls


DEATHS = [
    pytest.param(story, place, after, id=f"{story}-{'after' if after else 'before'}-{place}")
    for story in STORIES
    for place in range(1, len(calls_in(story)) + 1)
    for after in (False, True)
]


@pytest.mark.parametrize(
    ("story", "calls"),
    [
        ("paid", ["get", "save", "query", "get", "save"]),
        ("expired", ["get", "save", "query", "save"]),
        ("paid back", ["get", "save", "query", "save"]),
    ],
)
def test_a_sweep_makes_these_calls_for_a_payment(story: str, calls: list[str]) -> None:
    made = [call.rpartition(".")[2] for call in calls_in(story)]
    assert made == ["due", *calls]


@pytest.mark.parametrize(("story", "place", "after"), DEATHS)
def test_a_sweep_that_dies_anywhere_is_finished_by_a_later_one(
    story: str, place: int, *, after: bool
) -> None:
    _prepare, _told, ending, bought = STORIES[story]
    world = about_to_sweep(story)
    (payment,) = world.tables.payments.values()
    world.fate.at, world.fate.after = place, after
    with pytest.raises(ProcessDied):
        world.sweep()
    world.audit()
    world.fate.at = None
    asked, written = questions(world), world.payment(payment.txn_ref) != payment
    world.clock.advance(ASK_GAP.total_seconds() - 1)
    world.sweep()
    assert questions(world) == (asked if written else asked + 1), "never too soon"
    for _ask in range(2):
        world.clock.advance(2 * ASK_GAP.total_seconds())
        world.sweep()
    world.audit()
    assert status(world, payment) is ending
    assert world.tables.users["usr_ann"].balance.available == CREDITS + bought
