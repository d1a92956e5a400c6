"""IPNs: VNPAY's order of checks, one booking each, and nothing for those who only pretend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

import pytest

from common.credits import EntryKind, LedgerEntry
from common.errors import Conflict, ServiceFailed, StaleWrite
from common.payments import Payment, PaymentStatus
from common.vnpay import Merchant
from common.vnpay_codes import RspCode
from functions.payments.book_notification import book_notification
from tests.fakes_money import MERCHANT, MemoryPaymentStore, api_answer
from tests.fate import ProcessDied
from tests.vnpay_by_hand import FAILED, SUSPECT, UNFINISHED, fields_of, ipn
from tests.vnpay_signed import signed_query
from tests.world import CREDITS, SMALL, World

VNPAY_IP = "203.0.113.99"
OTHER_SECRET = "F" * 32
OTHER = MERCHANT.model_copy(update={"tmn_code": "OTHERS01"})
UNKNOWN_REF = "IMG" + "0" * 32


@pytest.fixture
def world() -> World:
    world = World()
    world.person()
    return world


@pytest.fixture
def payment(world: World) -> Payment:
    return world.buy()


def told(world: World, query: str, *, source_ip: str = VNPAY_IP) -> RspCode:
    """The answer to an IPN."""
    given = world.payments_services()
    return book_notification(
        query,
        source_ip=source_ip,
        payments=given.payments,
        merchant=given.merchant,
        now=given.now,
    )


def forged(payment: Payment, **said: str | None) -> str:
    """An IPN that somebody has signed who does not know the secret."""
    return signed_query(fields_of(payment, **said), OTHER_SECRET)


def credited(world: World) -> int:
    world.audit()
    return world.tables.users["usr_ann"].balance.available - CREDITS


def test_a_paid_payment_is_credited_and_confirmed_and_then_known(
    world: World, payment: Payment
) -> None:
    query = ipn(payment)
    assert told(world, query) == "00"
    assert [told(world, query) for _again in range(10)] == ["02"] * 10
    paid = world.payment(payment.txn_ref)
    assert (paid.status, paid.transaction_no) == (PaymentStatus.PAID, "14226112")
    assert credited(world) == SMALL.credits
    assert world.kinds() == [EntryKind.TOP_UP]


def test_a_failed_payment_is_confirmed_too_and_then_known(world: World, payment: Payment) -> None:
    query = ipn(payment, **FAILED)
    assert told(world, query) == "00"
    assert told(world, query) == "02"
    failed = world.payment(payment.txn_ref)
    assert failed.status is PaymentStatus.FAILED
    assert failed.error is not None
    assert failed.error.code == "canceled_by_customer"
    assert credited(world) == 0


def test_success_after_a_failure_or_after_expiry_still_credits(world: World) -> None:
    failed, expired = world.buy(key="a"), world.buy(key="b")
    assert told(world, ipn(failed, **FAILED)) == "00"
    world.clock.advance(2 * 3600)
    world.gateway.says["query"] = lambda payment: api_answer(payment, response_code="91")
    world.sweep()
    assert world.payment(expired.txn_ref).status is PaymentStatus.EXPIRED
    for payment in (failed, expired):
        assert told(world, ipn(payment)) == "00"
        assert told(world, ipn(payment)) == "02"
    assert credited(world) == 2 * SMALL.credits


def test_a_failure_told_after_the_money_changes_nothing(world: World, payment: Payment) -> None:
    told(world, ipn(payment))
    paid = world.payment(payment.txn_ref)
    assert told(world, ipn(payment, **FAILED)) == "02"
    assert world.payment(payment.txn_ref) == paid
    assert credited(world) == SMALL.credits


@pytest.mark.parametrize("amount", ["2599900", "2600100", "26000", "260000000", "0", "", None])
def test_money_of_another_amount_is_04_and_never_credits(
    world: World, payment: Payment, amount: str | None
) -> None:
    query = ipn(payment, vnp_Amount=amount)
    assert [told(world, query) for _again in range(3)] == ["04"] * 3
    assert world.payment(payment.txn_ref).status is PaymentStatus.REVIEW
    assert credited(world) == 0


def test_a_failure_with_another_amount_is_04_and_no_reason_to_look(
    world: World, payment: Payment
) -> None:
    assert told(world, ipn(payment, vnp_Amount="100", **FAILED)) == "04"
    assert world.payment(payment.txn_ref) == payment, "no money has moved"


@pytest.mark.parametrize(
    "said",
    [
        SUSPECT,
        {"vnp_ResponseCode": "07", "vnp_TransactionStatus": "00"},
        {"vnp_ResponseCode": "24", "vnp_TransactionStatus": "00"},
        {"vnp_ResponseCode": "", "vnp_TransactionStatus": "00"},
        {"vnp_ResponseCode": None, "vnp_TransactionStatus": "00"},
    ],
)
def test_money_that_vnpay_is_not_sure_of_is_confirmed_and_reviewed(
    world: World, payment: Payment, said: dict[str, str | None]
) -> None:
    query = ipn(payment, **said)
    assert (told(world, query), told(world, query)) == ("00", "02")
    assert world.payment(payment.txn_ref).status is PaymentStatus.REVIEW
    assert credited(world) == 0


@pytest.mark.parametrize("status", ["02", "08", "11"])
def test_a_response_code_alone_is_no_payment(world: World, payment: Payment, status: str) -> None:
    """Nor is it a failure: VNPAY contradicts itself, so a person looks."""
    assert told(world, ipn(payment, vnp_TransactionStatus=status)) == "00"
    assert world.payment(payment.txn_ref).status is PaymentStatus.REVIEW
    assert credited(world) == 0


@pytest.mark.parametrize("status", ["01", "05", "06", "09", "99", "0", "000", "", None])
def test_what_does_not_say_how_it_ended_is_99_and_changes_nothing(
    world: World, payment: Payment, status: str | None
) -> None:
    assert told(world, ipn(payment, vnp_TransactionStatus=status)) == "99"
    assert world.payment(payment.txn_ref) == payment
    assert credited(world) == 0


def test_the_signature_comes_before_everything(world: World, payment: Payment) -> None:
    told(world, ipn(payment))
    unknown = replace(payment, txn_ref=UNKNOWN_REF)
    for query in (
        forged(unknown),
        forged(payment, vnp_Amount="1"),
        forged(payment),
        forged(payment, **UNFINISHED),
    ):
        assert told(world, query) == "97"


def test_whether_it_is_known_comes_before_the_amount(world: World, payment: Payment) -> None:
    told(world, ipn(payment))
    unknown = replace(payment, txn_ref=UNKNOWN_REF)
    assert told(world, ipn(unknown, vnp_Amount="1")) == "01"
    assert told(world, ipn(unknown)) == "01"


def test_the_amount_comes_before_whether_it_was_booked(world: World, payment: Payment) -> None:
    told(world, ipn(payment))
    assert told(world, ipn(payment, vnp_Amount="1")) == "04"
    assert told(world, ipn(payment, vnp_Amount="1", **FAILED)) == "04"
    assert world.payment(payment.txn_ref).status is PaymentStatus.PAID
    assert credited(world) == SMALL.credits


@pytest.mark.parametrize("txn_ref", ["", None, UNKNOWN_REF, "img0", "' OR 1=1", "\u0000"])
def test_a_payment_that_nobody_began_is_01(world: World, txn_ref: str | None) -> None:
    payment = world.buy()
    assert told(world, ipn(payment, vnp_TxnRef=txn_ref)) == "01"
    assert world.tables.payments == {payment.txn_ref: payment}


def test_no_query_at_all_is_99_and_asks_nobody(world: World) -> None:
    assert told(world, "") == "99"
    assert world.fate.calls == []


def unhashed(payment: Payment) -> str:
    return ipn(payment).partition("&vnp_SecureHash=")[0]


def with_other_words(payment: Payment, words: dict[str, str], **said: str) -> str:
    """A rightly signed IPN, in which words were replaced afterwards."""
    query = ipn(payment, **said)
    for word, other in words.items():
        assert word in query
        query = query.replace(word, other)
    return query


FORGERIES: dict[str, Callable[[Payment], str]] = {
    "another secret": forged,
    "no hash": unhashed,
    "an empty hash": lambda payment: f"{unhashed(payment)}&vnp_SecureHash=",
    "another merchant": lambda payment: ipn(payment, OTHER),
    "the amount changed": lambda payment: with_other_words(
        payment, {"=100&": "=2600000&"}, vnp_Amount="100"
    ),
    "the outcome changed": lambda payment: with_other_words(
        payment, {"=02&": "=00&", "=24&": "=00&"}, **FAILED
    ),
    "the reference changed": lambda payment: with_other_words(
        replace(payment, txn_ref=UNKNOWN_REF), {UNKNOWN_REF: payment.txn_ref}
    ),
    "a name twice": lambda payment: f"vnp_Amount=2600000&{ipn(payment)}",
    "no words": lambda _payment: "%00%ff&&&===",
    "far too long": lambda payment: f"{ipn(payment)}&x={'x' * 5000}",
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_call_that_is_not_vnpays_is_97_and_leaves_nothing_behind(
    world: World, payment: Payment, name: str
) -> None:
    world.fate.calls.clear()
    assert told(world, FORGERIES[name](payment)) == "97"
    assert world.fate.calls == [], "no payment is even looked for"
    assert world.payment(payment.txn_ref) == payment
    assert told(world, ipn(payment)) == "00", "VNPAY's own word counts as if nothing had been"
    assert credited(world) == SMALL.credits


def test_only_listed_addresses_are_heard_when_there_is_a_list(
    world: World, payment: Payment
) -> None:
    world.merchant = MERCHANT.model_copy(update={"ipn_addresses": ("203.0.113.98", VNPAY_IP)})
    before = world.payment(payment.txn_ref)
    for query in (ipn(payment), forged(payment), "vnp_TxnRef=" + payment.txn_ref):
        assert told(world, query, source_ip="203.0.113.97") == "03"
    assert world.payment(payment.txn_ref) == before
    assert told(world, ipn(payment), source_ip="203.0.113.98") == "00"
    assert told(world, ipn(payment), source_ip=VNPAY_IP) == "02"


def test_another_merchants_payment_is_97_even_under_our_secret(
    world: World, payment: Payment
) -> None:
    query = ipn(payment, vnp_TmnCode=OTHER.tmn_code)
    assert told(world, query) == "97"
    assert credited(world) == 0


def test_a_new_secret_ends_the_old_one(world: World, payment: Payment) -> None:
    old = ipn(payment)
    fields = {**MERCHANT.model_dump(), "hash_secret": OTHER_SECRET}
    world.merchant = Merchant.model_validate(fields)
    assert told(world, old) == "97"
    assert told(world, forged(payment)) == "00"


class Raced(MemoryPaymentStore):
    """A store where another change comes first, so many times."""

    def __init__(self, world: World, times: int) -> None:
        super().__init__(world.tables)
        self.times = times

    def save(self, payment: Payment, *, entry: LedgerEntry | None = None) -> None:
        there = self.get(payment.txn_ref)
        if self.times and there:
            self.times -= 1
            super().save(replace(there, version=there.version + 1, asks=there.asks + 1))
        super().save(payment, entry=entry)


@pytest.mark.parametrize("times", [1, 2, 4])
def test_an_ipn_that_loses_a_race_is_booked_all_the_same(
    world: World, payment: Payment, times: int
) -> None:
    world.payments = Raced(world, times)
    assert told(world, ipn(payment)) == "00"
    assert credited(world) == SMALL.credits


def test_an_ipn_that_keeps_losing_is_99_and_booked_when_it_comes_again(
    world: World, payment: Payment
) -> None:
    world.payments = Raced(world, times=99)
    assert told(world, ipn(payment)) == "99"
    assert credited(world) == 0
    world.payments = MemoryPaymentStore(world.tables)
    assert told(world, ipn(payment)) == "00"
    assert credited(world) == SMALL.credits


@pytest.mark.parametrize("where", ["get", "save", "merchant"])
@pytest.mark.parametrize(
    "error",
    [
        ServiceFailed("No answer."),
        StaleWrite("Changed."),
        Conflict("Not set up.", code="payments_not_set_up"),
        KeyError("a bug"),
        RecursionError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_goes_wrong_is_99_and_vnpay_comes_again(
    world: World, payment: Payment, monkeypatch: pytest.MonkeyPatch, where: str, error: Exception
) -> None:
    def fail(*_args: object, **_named: object) -> NoReturn:
        raise error

    given = world.payments_services()
    with monkeypatch.context() as broken:
        if where != "merchant":
            broken.setattr(world.payments, where, fail)
        answer = book_notification(
            ipn(payment),
            source_ip=VNPAY_IP,
            payments=given.payments,
            merchant=fail if where == "merchant" else given.merchant,
            now=given.now,
        )
    assert answer == "99"
    assert credited(world) == 0
    assert told(world, ipn(payment)) == "00"
    assert credited(world) == SMALL.credits


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("place", [1, 2])
def test_an_ipn_that_dies_anywhere_is_booked_once_when_it_comes_again(
    world: World, payment: Payment, place: int, *, after: bool
) -> None:
    world.fate.calls.clear()
    world.fate.at, world.fate.after = place, after
    with pytest.raises(ProcessDied):
        told(world, ipn(payment))
    assert world.fate.calls == ["payments.get", "payments.save"][:place]
    booked = place == 2 and after
    assert told(world, ipn(payment)) == ("02" if booked else "00")
    assert credited(world) == SMALL.credits
