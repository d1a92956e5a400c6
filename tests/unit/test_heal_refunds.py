"""Refunds that nobody saw the end of: accepted, refused, never heard of, or still under way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from common.booking import book_refund
from common.credits import EntryKind
from common.payments import ASK_GAP, Payment, PaymentStatus
from common.refunds import begin_refund
from common.vnpay import ApiAnswer
from common.vnpay_codes import Outcome
from tests.fakes_money import api_answer
from tests.unit.test_heal_payments import (
    NOT_FOUND,
    SILENT,
    asked_at,
    notify,
    saying,
    status,
    sweep_for,
)
from tests.world import CREDITS, SMALL, World

UNDER_WAY = saying(transaction_type="02", transaction_status="05")
WITH_THE_BANK = saying(transaction_type="02", transaction_status="06")
DONE = saying(transaction_type="02", transaction_status="00")
DONE_IN_PART = saying(transaction_type="03", transaction_status="00")
REFUSED = saying(transaction_type="02", transaction_status="09")


@pytest.fixture
def world() -> World:
    world = World()
    world.person()
    return world


@pytest.fixture
def payment(world: World) -> Payment:
    """A payment of which seven credits are to be refunded."""
    payment = world.buy()
    notify(world, payment)
    refund(world, payment)
    return payment


def refund(world: World, payment: Payment, *, credits_: int = 7) -> None:
    """Take the credits back, and die before VNPAY is asked."""
    refunding, entry = begin_refund(
        world.payment(payment.txn_ref),
        number_of_credits=credits_,
        by="eve",
        reason="asked for",
        request_id="refund-1",
        now=world.clock(),
    )
    world.payments.save(refunding, entry=entry)


def bought(world: World) -> int:
    world.audit()
    return world.tables.users["usr_ann"].balance.available - CREDITS


KEPT = SMALL.credits - 7
TAKEN = [EntryKind.TOP_UP, EntryKind.REFUND]
GIVEN_BACK = [*TAKEN, EntryKind.REFUND_UNDONE]


@pytest.mark.parametrize("told", [WITH_THE_BANK, DONE, DONE_IN_PART])
def test_a_refund_that_vnpay_has_done_is_over(
    world: World, payment: Payment, told: Callable[[Payment], ApiAnswer]
) -> None:
    world.gateway.says["query"] = told
    sweep_for(world, hours=48)
    assert status(world, payment) is PaymentStatus.REFUNDED
    assert world.kinds() == TAKEN
    assert bought(world) == KEPT
    assert len(world.gateway.asked) == 1


def test_a_refund_that_vnpay_refuses_gives_the_credits_back(world: World, payment: Payment) -> None:
    world.gateway.says["query"] = REFUSED
    sweep_for(world, hours=48)
    assert status(world, payment) is PaymentStatus.PAID
    assert world.kinds() == GIVEN_BACK
    assert bought(world) == SMALL.credits
    assert len(world.gateway.asked) == 1


def test_a_refund_that_vnpay_shows_no_trace_of_is_sent_again_and_not_given_up(
    world: World, payment: Payment
) -> None:
    world.gateway.says["refund"] = saying(transaction_status="05")
    sweep_for(world, minutes=7)
    sent = [each for each in world.gateway.asked if each[0] == "refund"]
    assert sent == [("refund", payment.txn_ref, "refund-1")], "under the same id"
    assert status(world, payment) is PaymentStatus.REFUNDING
    sweep_for(world, hours=1)
    assert [each for each in world.gateway.asked if each[0] == "refund"] == sent, "once accepted"
    assert bought(world) == KEPT


def test_only_vnpays_own_refusal_gives_the_credits_back(world: World, payment: Payment) -> None:
    world.gateway.says["refund"] = saying(response_code="99")
    sweep_for(world, hours=30)
    assert status(world, payment) is PaymentStatus.REFUNDING
    assert bought(world) == KEPT
    world.gateway.says["refund"] = saying(response_code="95")
    sweep_for(world, hours=25)
    assert status(world, payment) is PaymentStatus.PAID
    assert world.kinds() == GIVEN_BACK
    assert bought(world) == SMALL.credits


def test_a_request_that_vnpay_has_already_is_accepted(world: World, payment: Payment) -> None:
    """94: asked for before, so the money is on its way."""
    world.gateway.says["refund"] = saying(response_code="94")
    sweep_for(world, hours=1)
    refund = world.payment(payment.txn_ref).refund
    assert refund is not None
    assert refund.accepted
    assert bought(world) == KEPT


def test_vnpays_word_counts_though_the_sweep_has_asked_meanwhile(
    world: World, payment: Payment
) -> None:
    read = world.payment(payment.txn_ref)
    world.gateway.says["query"] = SILENT
    sweep_for(world, minutes=7)
    book_refund(read, Outcome.REFUNDING, payments=world.payments, now=world.clock)
    refund = world.payment(payment.txn_ref).refund
    assert refund is not None
    assert refund.accepted


@pytest.mark.parametrize(
    "told", [SILENT, NOT_FOUND, UNDER_WAY, saying(response_code="94"), saying(response_code="99")]
)
def test_a_refund_that_is_open_stays_so_with_the_credits_taken(
    world: World, payment: Payment, told: Callable[[Payment], ApiAnswer] | Exception
) -> None:
    times = asked_at(world, 24 * 5, told)
    assert times[0] == ASK_GAP.total_seconds() / 60
    assert len(times) > 9 + 2, "for ever, not for a day"
    assert status(world, payment) is PaymentStatus.REFUNDING
    assert bought(world) == KEPT
    world.gateway.says["query"] = DONE
    sweep_for(world, hours=25)
    assert status(world, payment) is PaymentStatus.REFUNDED
    assert bought(world) == KEPT


def test_a_refund_that_was_once_under_way_is_not_undone_for_want_of_news(
    world: World, payment: Payment
) -> None:
    world.gateway.says["query"] = UNDER_WAY
    sweep_for(world, hours=1)
    world.gateway.says["query"] = api_answer  # which tells of the payment alone
    sweep_for(world, hours=48)
    assert status(world, payment) is PaymentStatus.REFUNDING
    assert bought(world) == KEPT
    world.gateway.says["query"] = REFUSED
    sweep_for(world, hours=25)
    assert bought(world) == SMALL.credits


def test_a_refund_of_all_leaves_nothing_bought(world: World) -> None:
    payment = world.buy()
    notify(world, payment)
    refund(world, payment, credits_=SMALL.credits)
    world.gateway.says["query"] = DONE
    sweep_for(world, hours=1)
    assert status(world, payment) is PaymentStatus.REFUNDED
    assert bought(world) == 0


def test_an_ipn_that_comes_again_does_not_undo_a_refund(world: World, payment: Payment) -> None:
    assert notify(world, payment) == "02"
    world.gateway.says["query"] = DONE
    sweep_for(world, hours=1)
    assert notify(world, payment) == "02"
    assert status(world, payment) is PaymentStatus.REFUNDED
    assert bought(world) == KEPT


def test_whoever_ends_a_refund_first_is_right(world: World, payment: Payment) -> None:
    """The operator's own call is answered while the sweep waits for its answer."""

    def answer(asked: Payment) -> ApiAnswer:
        refunded = replace(
            asked, status=PaymentStatus.REFUNDED, version=asked.version + 1, due_at=None
        )
        world.payments.save(refunded)
        return REFUSED(asked)

    world.gateway.says["query"] = answer
    sweep_for(world, hours=1)
    assert status(world, payment) is PaymentStatus.REFUNDED
    assert bought(world) == KEPT


def test_who_comes_second_with_news_of_a_refund_is_told_what_stands(
    world: World, payment: Payment
) -> None:
    read = world.payment(payment.txn_ref)
    first = book_refund(read, Outcome.REFUNDED, payments=world.payments, now=world.clock)
    second = book_refund(read, Outcome.REFUND_REFUSED, payments=world.payments, now=world.clock)
    assert second == first == world.payment(payment.txn_ref)
    assert first.status is PaymentStatus.REFUNDED
    assert bought(world) == KEPT
