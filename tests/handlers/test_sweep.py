"""The scheduled sweep."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from common.errors import GatewaySilent, ServiceFailed
from common.payments import PaymentStatus
from functions.sweep.handler import handler
from functions.sweep.heal_payments import QUESTION_SECONDS_MAX
from tests.fakes_money import MERCHANT, MemoryPaymentStore
from tests.handlers.calls import Context, event
from tests.handlers.test_vnpay_calls import counted
from tests.world import CREDITS, SMALL, World

DUE = 15 * 60
SECONDS = 55


def sweep(seconds_left: float = SECONDS) -> dict[str, int]:
    """What the handler answers to the schedule."""
    answer: dict[str, int] = handler(event("sweep"), Context(seconds_left=seconds_left))
    assert json.loads(json.dumps(answer)) == answer
    return answer


def test_the_sweep_credits_what_no_ipn_told_of(world: World, written: Callable[[], str]) -> None:
    payment = world.buy()
    world.clock.advance(DUE)
    assert sweep() == {"payments_asked": 1}
    assert sweep() == {"payments_asked": 0}
    assert world.payment(payment.txn_ref).status is PaymentStatus.PAID
    assert world.tables.users["usr_ann"].balance.available == CREDITS + SMALL.credits
    world.audit()
    logged = written()
    assert counted(logged) == {"PaymentsPaid", "PaymentsHealed"}
    assert '"payments_asked":1' in logged


def test_a_sweep_with_nothing_to_do_counts_nothing(
    world: World, written: Callable[[], str]
) -> None:
    world.buy()
    assert sweep() == {"payments_asked": 0}
    assert counted(written()) == set()


def test_a_sweep_that_has_no_time_left_leaves_the_rest_to_the_next(world: World) -> None:
    world.buy()
    world.clock.advance(DUE)
    assert sweep(seconds_left=QUESTION_SECONDS_MAX - 1) == {"payments_asked": 0}
    assert world.gateway.asked == []
    assert sweep() == {"payments_asked": 1}


def test_a_silent_gateway_is_counted_and_the_sweep_goes_on(
    world: World, written: Callable[[], str]
) -> None:
    world.buy()
    world.clock.advance(DUE)
    world.gateway.says["query"] = GatewaySilent("VNPAY did not answer: ReadTimeoutError.")
    sweep()
    logged = written()
    assert counted(logged) == {"PaymentsNotHealed"}
    assert "gateway_silent" in logged


def test_a_bug_in_one_payment_is_counted_as_one(world: World, written: Callable[[], str]) -> None:
    world.buy()
    world.clock.advance(DUE)
    world.gateway.says["query"] = KeyError("a detail")
    sweep()
    assert "UnexpectedErrors" in counted(written())


class Broken(MemoryPaymentStore):
    """A store that does not answer."""

    def due(self, *_args: object, **_named: object) -> tuple[str, ...]:
        raise ServiceFailed("Looking for due payments did not work.")


def test_a_sweep_that_cannot_even_look_fails_so_that_the_alarm_sees_it(world: World) -> None:
    world.payments = Broken(world.tables)
    with pytest.raises(ServiceFailed):
        sweep()


def test_no_secret_is_logged(world: World, written: Callable[[], str]) -> None:
    world.buy()
    world.clock.advance(DUE)
    sweep()
    assert MERCHANT.hash_secret.get_secret_value() not in written()
