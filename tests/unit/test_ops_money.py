"""What operators do with credits and payments, on fakes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from common.credits import EntryKind
from common.errors import (
    Conflict,
    GatewaySilent,
    InsufficientCredits,
    InvalidRequest,
    NotFound,
    StaleWrite,
)
from common.payments import GRACE, Payment, PaymentStatus
from common.vnpay_codes import Outcome
from ops.money.acts import (
    close_payment,
    confirm_payment,
    find_payment,
    find_user,
    give,
    refund_payment,
    require_unspent,
)
from tests.fakes_money import api_answer
from tests.unit.test_ops_books import ended
from tests.world import CREDITS, SMALL, World

EVE = {"by": "arn:aws:iam::111111111111:user/eve", "reason": "asked for"}


@pytest.fixture
def world() -> World:
    world = World()
    world.person()
    return world


def refund(world: World, payment: Payment, number: int | None = None) -> Payment:
    return refund_payment(
        world.payment(payment.txn_ref),
        number,
        request_id="request",
        payments=world.payments_services().payments,
        gateway=world.gateway,
        now=world.clock,
        **EVE,
    ).payment


def available(world: World) -> int:
    return world.tables.users["usr_ann"].balance.available


def test_a_grant_is_given_once_for_a_key_whenever_it_is_repeated(world: World) -> None:
    ann = find_user(" USR_ann@Example.com ", world.users)
    for _again in "12":
        give(ann, 5, key="k", ledger=world.ledger, now=world.clock(), **EVE)
        world.clock.advance(3600)
    with pytest.raises(StaleWrite):
        give(ann, 6, key="k", ledger=world.ledger, now=world.clock(), **EVE)

    assert available(world) == CREDITS + 5
    (entry,) = [each for each in world.entries() if each.entry_id == "grant#k"]
    assert (entry.by, entry.reason) == (EVE["by"], EVE["reason"])
    world.audit()


@pytest.mark.parametrize("key", ["", "k" * 65, "xin lỗi", "two words", "a\n"])
def test_a_key_that_no_page_could_end_with_is_refused(world: World, key: str) -> None:
    ann = find_user("usr_ann@example.com", world.users)
    with pytest.raises(InvalidRequest, match="64 visible ASCII"):
        give(ann, 5, key=key, ledger=world.ledger, now=world.clock(), **EVE)
    assert available(world) == CREDITS


def test_who_or_what_is_not_there_is_said(world: World) -> None:
    with pytest.raises(NotFound, match=r"no@example\.com"):
        find_user("no@example.com", world.users)
    with pytest.raises(InvalidRequest):
        find_user("nobody", world.users)
    with pytest.raises(NotFound, match="IMGx"):
        find_payment("IMGx", world.payments)


def confirm(world: World, payment: Payment, amount_vnd: int = SMALL.price_vnd) -> Payment:
    return confirm_payment(
        world.payment(payment.txn_ref),
        amount_vnd=amount_vnd,
        transaction_no="14",
        payments=world.payments,
        now=world.clock,
        **EVE,
    )


def test_an_operators_word_tops_up_once_and_says_whose_it_was(world: World) -> None:
    payment = world.buy()
    assert confirm(world, payment).status is PaymentStatus.PAID
    with pytest.raises(Conflict, match="paid already"):
        confirm(world, payment)

    assert available(world) == CREDITS + SMALL.credits
    (entry,) = [each for each in world.entries() if each.kind is EntryKind.TOP_UP]
    assert (entry.by, entry.reason) == (EVE["by"], EVE["reason"])
    world.audit()


def test_a_mistyped_amount_changes_nothing(world: World) -> None:
    payment = world.buy()
    with pytest.raises(Conflict, match="26000 VND, not 2600"):
        confirm(world, payment, 2600)
    assert world.payment(payment.txn_ref) == payment


def test_a_number_that_vnpay_knows_otherwise_is_not_overwritten(world: World) -> None:
    payment = ended(world, "suspect", Outcome.SUSPECT)
    known = replace(payment, version=payment.version + 1, transaction_no="77")
    world.payments.save(known)
    with pytest.raises(Conflict, match="77, not 14"):
        confirm(world, known)
    assert world.payment(known.txn_ref) == known


def test_what_a_dry_run_would_take_must_be_there(world: World) -> None:
    payment = ended(world, "paid")
    ann = world.tables.users["usr_ann"]
    require_unspent(payment, ann.balance.available, ann)
    with pytest.raises(InsufficientCredits, match="--credits"):
        require_unspent(payment, ann.balance.available + 1, ann)


def test_only_a_review_is_closed(world: World) -> None:
    payment = world.buy()
    with pytest.raises(Conflict, match="pending"):
        close_payment(payment, by="eve", reason="x", payments=world.payments)
    assert world.payment(payment.txn_ref) == payment


def test_the_credits_are_taken_before_vnpay_is_asked(world: World) -> None:
    payment = ended(world, "paid")
    had = available(world)
    seen: list[int] = []

    def told(asked: Payment) -> object:
        seen.append(available(world))
        return api_answer(asked, transaction_status="05")

    world.gateway.says["refund"] = told  # type: ignore[assignment]  # it is an answer
    assert refund(world, payment).status is PaymentStatus.REFUNDING
    assert seen == [had - SMALL.credits]
    world.audit()


def test_spent_credits_are_not_refunded_and_vnpay_is_not_asked(world: World) -> None:
    payment = ended(world, "paid")
    for number in range(10):
        world.submit(key=str(number), prompt=str(number))
    balance = world.tables.users["usr_ann"].balance
    spent = give_away(world, balance.available - 5)
    with pytest.raises(InsufficientCredits, match="--credits"):
        refund(world, payment)
    assert world.gateway.asked == []
    assert world.payment(payment.txn_ref) == payment
    assert refund(world, payment, 5).refund is not None
    assert spent == available(world) + 5 == 5


def give_away(world: World, number: int) -> int:
    """Spend so many credits at once."""
    give(
        world.tables.users["usr_ann"],
        -number,
        key="spent",
        ledger=world.ledger,
        now=world.clock(),
        **EVE,
    )
    return available(world)


@pytest.mark.parametrize("number", [0, -1, SMALL.credits + 1])
def test_no_more_is_refunded_than_was_bought(world: World, number: int) -> None:
    payment = ended(world, "paid")
    with pytest.raises(Conflict):
        refund(world, payment, number)
    assert world.payment(payment.txn_ref) == payment


def test_a_part_is_paid_back_at_its_price(world: World) -> None:
    begun = refund(world, ended(world, "paid"), 7)
    assert begun.refund is not None
    assert begun.refund.amount_vnd == SMALL.price_vnd * 7 // SMALL.credits
    world.audit()


def test_a_silent_vnpay_leaves_the_refund_open_until_vnpay_itself_refuses(world: World) -> None:
    payment = ended(world, "paid")
    had = available(world)
    world.gateway.says["refund"] = GatewaySilent("nothing")
    begun = refund(world, payment)
    assert begun.refund is not None
    assert (begun.status, begun.refund.accepted) == (PaymentStatus.REFUNDING, False)
    with pytest.raises(Conflict):
        refund(world, payment)

    world.gateway.says["refund"] = lambda each: api_answer(each, response_code="95")
    world.clock.advance(GRACE.total_seconds())
    world.sweep()

    undone = world.payment(payment.txn_ref)
    assert (undone.status, undone.error and undone.error.code) == (
        PaymentStatus.PAID,
        "refund_refused",
    )
    assert available(world) == had
    world.audit()


def test_vnpays_no_gives_the_credits_back_and_the_next_try_is_another_refund(world: World) -> None:
    payment = ended(world, "paid")
    world.gateway.says["refund"] = lambda each: api_answer(each, response_code="93", message="No")
    refused = refund(world, payment)
    assert refused.status is PaymentStatus.PAID
    assert refused.error is not None
    assert refused.error.message == "VNPAY answered 93 No"
    world.gateway.says["refund"] = lambda each: api_answer(each, transaction_status="06")
    assert refund(world, payment).status is PaymentStatus.REFUNDED
    assert world.kinds() == [
        EntryKind.TOP_UP,
        EntryKind.REFUND,
        EntryKind.REFUND_UNDONE,
        EntryKind.REFUND,
    ]
    world.audit()
