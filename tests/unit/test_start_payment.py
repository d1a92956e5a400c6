"""Beginning a payment: what is refused changes nothing, and what is repeated is the same one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from common.errors import (
    Conflict,
    InvalidRequest,
    KeyReused,
    Rejected,
    ServiceFailed,
    TooManyOpenPayments,
)
from common.payments import News, Payment, PaymentStatus, hear
from common.vnpay import Merchant
from common.vnpay_codes import Outcome
from functions.payments.start_payment import OPEN_MAX
from tests.fakes import START
from tests.fate import ProcessDied
from tests.world import LARGE, SMALL, World

QUARTER = timedelta(minutes=15)


@pytest.fixture
def world() -> World:
    world = World()
    world.person()
    return world


def not_set_up() -> Merchant:
    raise Conflict("Nothing can be paid for here yet.", code="payments_not_set_up")


def end(world: World, payment: Payment, outcome: Outcome) -> Payment:
    """What has become of it."""
    said = News(txn_ref=payment.txn_ref, outcome=outcome, amount_vnd=payment.amount_vnd)
    heard = hear(payment, said, now=world.clock())
    world.payments.save(heard.payment, entry=heard.entry)
    return heard.payment


def test_a_payment_is_stored_with_its_price_before_anybody_is_sent_to_pay(world: World) -> None:
    payment = world.buy(package="large", locale="en", bank_code="VNPAYQR")
    assert world.payment(payment.txn_ref) == payment
    assert (payment.user_id, payment.package) == ("usr_ann", "large")
    assert (payment.credits, payment.amount_vnd) == (LARGE.credits, LARGE.price_vnd)
    assert (payment.locale, payment.bank_code) == ("en", "VNPAYQR")
    assert payment.ip_address == "203.0.113.7"
    assert (payment.status, payment.version, payment.asks) == (PaymentStatus.PENDING, 1, 0)
    assert (payment.created_at, payment.expires_at) == (START, START + QUARTER)
    assert payment.due_at == payment.expires_at, "asked after when nobody can pay it any more"
    assert world.kinds() == [], "nothing is credited before it is paid"
    world.audit()


def test_who_does_not_say_otherwise_pays_in_vietnamese_and_chooses_the_bank_there(
    world: World,
) -> None:
    payment = world.buy()
    assert (payment.locale, payment.bank_code) == ("vn", None)


def test_the_same_again_is_the_same_payment(world: World) -> None:
    first = world.buy()
    world.clock.advance(60)
    assert world.buy() == first
    assert world.buy(locale="vn", bank_code=None) == first, "said outright, it is the same"
    assert len(world.tables.payments) == 1


@pytest.mark.parametrize("outcome", [Outcome.PAID, Outcome.FAILED])
def test_the_same_again_after_the_end_is_that_payment_and_begins_no_other(
    world: World, outcome: Outcome
) -> None:
    ended = end(world, world.buy(), outcome)
    world.clock.advance(3600)
    assert world.buy() == ended
    assert len(world.tables.payments) == 1
    world.audit()


def test_a_new_price_is_for_new_payments(world: World) -> None:
    first = world.buy()
    dearer = SMALL.model_copy(update={"price_vnd": 99_000, "credits": 1})
    world.payments_settings = world.payments_settings.model_copy(update={"packages": (dearer,)})
    assert world.buy() == first
    second = world.buy(key="buy-2")
    assert (second.amount_vnd, second.credits) == (99_000, 1)


@pytest.mark.parametrize("withdrawn", ["package", "merchant"])
def test_what_was_begun_once_is_answered_when_it_can_no_longer_be_begun(
    world: World, withdrawn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = world.buy()
    if withdrawn == "package":
        world.payments_settings = world.payments_settings.model_copy(update={"packages": (LARGE,)})
    else:
        monkeypatch.setattr("tests.world.World.payments_services", _without_merchant(world))
    assert world.buy() == first
    with pytest.raises(Rejected):
        world.buy(key="buy-2")
    with pytest.raises(KeyReused):
        world.buy(locale="en")


def _without_merchant(world: World) -> Any:
    given = world.payments_services()
    without = type(given)(
        settings=given.settings,
        payments=given.payments,
        merchant=not_set_up,
        now=given.now,
        new_id=given.new_id,
    )
    return lambda _world: without


@pytest.mark.parametrize("changed", [{"package": "large"}, {"locale": "en"}, {"bank_code": "NCB"}])
def test_a_key_with_another_request_is_refused_and_changes_nothing(
    world: World, changed: dict[str, Any]
) -> None:
    first = world.buy()
    with pytest.raises(KeyReused):
        world.buy(**changed)
    assert world.tables.payments == {first.txn_ref: first}


def test_a_key_is_each_users_own(world: World) -> None:
    world.person("usr_ben")
    ann, ben = world.buy(), world.buy("usr_ben")
    assert ann.txn_ref != ben.txn_ref
    assert (ann.user_id, ben.user_id) == ("usr_ann", "usr_ben")


@pytest.mark.parametrize("package", ["huge", "", "SMALL", "small "])
def test_an_unknown_package_is_refused_with_those_that_there_are(
    world: World, package: str
) -> None:
    with pytest.raises(InvalidRequest, match="small, large") as refused:
        world.buy(package=package)
    assert refused.value.code == "unknown_package"
    assert world.tables.payments == {}


def test_where_nothing_is_sold_nothing_can_be_bought(world: World) -> None:
    world.payments_settings = world.payments_settings.model_copy(update={"packages": ()})
    with pytest.raises(InvalidRequest, match="none"):
        world.buy()


def test_without_a_merchant_nobody_is_sent_to_pay(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.world.World.payments_services", _without_merchant(world))
    with pytest.raises(Conflict) as refused:
        world.buy()
    assert refused.value.code == "payments_not_set_up"
    assert world.tables.payments == {}


def test_a_user_has_ten_payments_open_and_not_one_more(world: World) -> None:
    for number in range(OPEN_MAX):
        world.buy(key=f"buy-{number}")
        world.clock.advance(10)
    with pytest.raises(TooManyOpenPayments) as refused:
        world.buy(key="one-more")
    first_ends_in = QUARTER.total_seconds() - 10 * OPEN_MAX
    assert refused.value.retry_after_seconds == first_ends_in
    assert len(world.tables.payments) == OPEN_MAX == 10
    world.clock.advance(first_ends_in)
    assert world.buy(key="one-more")


def test_a_payment_is_known_again_when_there_is_no_room_for_another(world: World) -> None:
    first, *_others = [world.buy(key=f"buy-{number}") for number in range(OPEN_MAX)]
    assert world.buy(key="buy-0") == first
    with pytest.raises(KeyReused):
        world.buy(key="buy-0", package="large")


def test_who_may_come_back_is_told_a_whole_second_at_least(world: World) -> None:
    for number in range(OPEN_MAX):
        world.buy(key=f"buy-{number}")
    world.clock.advance(QUARTER.total_seconds() - 0.25)
    with pytest.raises(TooManyOpenPayments) as refused:
        world.buy(key="one-more")
    assert refused.value.retry_after_seconds == 1


def test_one_user_takes_no_room_from_another(world: World) -> None:
    world.person("usr_ben")
    for number in range(OPEN_MAX):
        world.buy(key=f"buy-{number}")
    assert world.buy("usr_ben", key="one-more")


@pytest.mark.parametrize("outcome", [Outcome.PAID, Outcome.FAILED, Outcome.SUSPECT])
def test_a_payment_that_has_ended_makes_room_for_one(world: World, outcome: Outcome) -> None:
    payments = []
    for number in range(OPEN_MAX):
        payments.append(world.buy(key=f"buy-{number}"))
        world.clock.advance(1)
    end(world, payments[-1], outcome)
    world.buy(key="one-more")
    with pytest.raises(TooManyOpenPayments):
        world.buy(key="two-more")


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("place", [1, 2])
def test_a_start_that_dies_leaves_nothing_or_the_payment_that_the_same_again_finds(
    world: World, place: int, *, after: bool
) -> None:
    world.fate.at, world.fate.after = place, after
    with pytest.raises(ProcessDied):
        world.buy()
    assert world.fate.calls == ["payments.page", "payments.open"][:place]
    left = dict(world.tables.payments)
    assert len(left) == (1 if place == 2 and after else 0)
    payment = world.buy()
    assert world.tables.payments == {**left, payment.txn_ref: payment}
    world.audit()


def test_a_store_that_fails_is_no_refusal(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_named: object) -> None:
        raise ServiceFailed("Listing payments did not work.")

    monkeypatch.setattr(world.payments, "page", fail)
    with pytest.raises(ServiceFailed):
        world.buy()
    assert world.tables.payments == {}
