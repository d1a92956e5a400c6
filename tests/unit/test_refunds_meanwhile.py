"""VNPAY's word on a refund that somebody else has written to in the meantime."""

from __future__ import annotations

import pytest

from common.booking import book, book_refund
from common.errors import Conflict, GatewaySilent
from common.metrics import PAYMENTS_TO_REVIEW, Metric
from common.payments import ASKS_MAX, News, Payment, PaymentStatus, close
from common.refunds import begin_refund
from common.vnpay import ApiAnswer
from common.vnpay_codes import Outcome
from ops.money.acts import refund_payment
from tests.fakes_money import FakeGateway, api_answer
from tests.unit.test_heal_payments import sweep_for
from tests.unit.test_ops_books import ended
from tests.world import CREDITS, SMALL, World

Counted = list[Metric]


@pytest.fixture
def world() -> World:
    world = World()
    world.person()
    return world


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """The metrics that were counted."""
    metrics: list[Metric] = []
    for module in ("common.booking", "functions.sweep.heal_payments"):
        monkeypatch.setattr(f"{module}.count", metrics.append)
    return metrics


def begun(world: World, payment: Payment, request_id: str) -> Payment:
    """The payment with a refund under way."""
    refunding, entry = begin_refund(
        world.payment(payment.txn_ref),
        number_of_credits=payment.credits,
        by="eve",
        reason="asked for",
        request_id=request_id,
        now=world.clock(),
    )
    world.payments.save(refunding, entry=entry)
    return refunding


def told(world: World, payment: Payment, outcome: Outcome) -> Payment:
    return book_refund(payment, outcome, payments=world.payments, now=world.clock)


def test_word_of_an_earlier_refund_is_not_the_next_ones(world: World, counted: Counted) -> None:
    payment = ended(world, "paid")
    first = begun(world, payment, "first")
    told(world, first, Outcome.REFUND_REFUSED)
    second = begun(world, payment, "second")

    told(world, first, Outcome.REFUNDING)

    assert world.payment(payment.txn_ref) == second, "not accepted"
    assert counted.count(PAYMENTS_TO_REVIEW) == 1, "money goes back for a refund that was given up"
    told(world, first, Outcome.REFUND_REFUSED)
    assert world.payment(payment.txn_ref) == second
    assert counted.count(PAYMENTS_TO_REVIEW) == 1


def test_an_answer_that_comes_after_all_was_undone_is_never_called_a_refusal(world: World) -> None:
    payment = ended(world, "paid")

    def answer(asked: Payment) -> ApiAnswer:
        told(world, asked, Outcome.REFUND_REFUSED)
        return api_answer(asked, transaction_status="05")

    world.gateway.says["refund"] = answer
    with pytest.raises(Conflict, match="given up in the meantime"):
        refund_payment(
            payment,
            None,
            by="eve",
            reason="x",
            request_id="r",
            payments=world.payments,
            gateway=world.gateway,
            now=world.clock,
        )


class Unconnected(FakeGateway):
    """A gateway whose account cannot be read."""

    def require_account(self) -> None:
        raise Conflict("Nothing can be paid for here yet.", code="payments_not_set_up")


def test_without_the_merchants_account_no_credits_are_taken(world: World) -> None:
    payment = ended(world, "paid")
    with pytest.raises(Conflict, match="yet"):
        refund_payment(
            payment,
            None,
            by="eve",
            reason="x",
            request_id="r",
            payments=world.payments,
            gateway=Unconnected(),
            now=world.clock,
        )
    assert world.payment(payment.txn_ref) == payment
    assert world.tables.users["usr_ann"].balance.available == CREDITS + SMALL.credits


def test_a_refund_that_does_not_end_raises_the_alarm_after_a_day(
    world: World, counted: Counted
) -> None:
    begun(world, ended(world, "paid"), "r")
    world.gateway.says["query"] = lambda each: api_answer(
        each, transaction_type="02", transaction_status="05"
    )
    sweep_for(world, hours=20)
    assert PAYMENTS_TO_REVIEW not in counted
    sweep_for(world, hours=24 * 3)
    assert 2 <= counted.count(PAYMENTS_TO_REVIEW) <= 4, "daily"
    assert len([each for each in world.gateway.asked if each[0] == "query"]) >= ASKS_MAX


def test_what_vnpay_repeats_after_a_close_raises_no_alarm(world: World, counted: Counted) -> None:
    payment = world.buy()
    other = News(txn_ref=payment.txn_ref, outcome=Outcome.PAID, amount_vnd=1)
    book(other, payments=world.payments, now=world.clock)
    assert counted == [PAYMENTS_TO_REVIEW]
    closed = close(world.payment(payment.txn_ref), by="eve", reason="paid back")
    world.payments.save(closed)
    counted.clear()
    book(other, payments=world.payments, now=world.clock)
    assert counted == []
    assert world.payment(payment.txn_ref) == closed


def test_a_silent_answer_is_told_as_such(world: World) -> None:
    world.gateway.says["refund"] = GatewaySilent("VNPAY answered 500.")
    done = refund_payment(
        ended(world, "paid"),
        None,
        by="eve",
        reason="x",
        request_id="r",
        payments=world.payments,
        gateway=world.gateway,
        now=world.clock,
    )
    assert (done.answered, done.said) == (False, "VNPAY answered 500.")
    assert done.payment.status is PaymentStatus.REFUNDING
