"""10,000 IPNs by those who would like credits, against the real handler: none gets any."""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice
from random import Random
from typing import Any

import pytest

from common.payments import UNCREDITED, Payment, PaymentStatus
from common.refunds import begin_refund
from common.vnpay import FIELDS_MAX, QUERY_CHARS_MAX
from common.vnpay_codes import RSP_MESSAGES, RspCode
from functions.payments.handler import handler
from tests.fakes_money import MERCHANT
from tests.handlers.calls import Context, event
from tests.hostile_ipn import FAMILIES, QUERY_CHARS, VISIBLE, Family, hostile_queries
from tests.vnpay_by_hand import FAILED, ipn, said_by_vnpay
from tests.world import SMALL, World

SEED = 20261101
QUERIES = 10_000
CUSTOMERS = 40
MONEY_MOVED = {"00", "04", "07", "10", "20"}
ENDED_WITHOUT = {"02", "08", "11"}


def begun(world: World, number: int) -> list[Payment]:
    """A new customer's payments, one of them paid, one failed, one in review, one refunding."""
    user_id = world.person(f"usr_{number}")
    paid, failed, reviewed, refunded, *others = (
        world.buy(user_id, key=f"buy-{each}") for each in range(10)
    )
    tell(ipn(paid))
    tell(ipn(failed, **FAILED))
    tell(ipn(reviewed, vnp_Amount="100"))
    tell(ipn(refunded))
    refunding, entry = begin_refund(
        world.payment(refunded.txn_ref),
        number_of_credits=10,
        by="eve",
        reason="asked for",
        request_id="refund-1",
        now=world.clock(),
    )
    world.payments.save(refunding, entry=entry)
    payments = (paid, failed, reviewed, refunded, *others)
    return [world.payment(payment.txn_ref) for payment in payments]


def tell(query: str) -> dict[str, Any]:
    """The handler's answer to an IPN of that query, as API Gateway hands it over."""
    return handler({**event("get_ipn"), "rawQueryString": query}, Context())


def possible(query: str, world: World) -> set[str]:
    """The RspCodes that VNPAY's rules leave for this query."""
    fields = said_by_vnpay(query, MERCHANT)
    absurd = len(query) > QUERY_CHARS_MAX or query.count("&") >= FIELDS_MAX
    if fields is None or absurd:
        return {"97"} if query else {"99"}
    payment = world.tables.payments.get(fields.get("vnp_TxnRef", ""))
    if payment is None:
        return {"01"}
    if fields.get("vnp_Amount", "").lstrip("0") != str(payment.amount_vnd * 100):
        return {"04"}
    if payment.status not in UNCREDITED:
        return {"02"}
    codes = (fields.get("vnp_ResponseCode"), fields.get("vnp_TransactionStatus"))
    if "07" not in codes and codes[1] not in MONEY_MOVED | ENDED_WITHOUT:
        return {"99"}
    return {"00", "02"}


def test_10000_hostile_ipns_get_no_credit_and_no_5xx(world: World) -> None:
    tables = world.tables
    payments: list[Payment] = []
    queries = hostile_queries(Random(SEED), merchant=MERCHANT, payments=payments)
    codes: Counter[str] = Counter()
    for number in range(CUSTOMERS):
        payments += begun(world, number)
        users, entries = dict(tables.users), dict(tables.ledger)
        for query in islice(queries, QUERIES // CUSTOMERS):
            before, expected = dict(tables.payments), possible(query, world)

            answer = tell(query)

            assert answer["statusCode"] == 200, query
            body = json.loads(answer["body"])
            code = body["RspCode"]
            assert body == {"RspCode": code, "Message": RSP_MESSAGES[RspCode(code)]}
            assert code in expected, query
            assert (tables.users, tables.ledger) == (users, entries), query
            if tables.payments != before:
                assert only_changed(before, tables.payments) == said_of(query)
                assert code in {"00", "04"}, query
            codes[code] += 1
    assert codes.total() == QUERIES
    assert set(codes) == set(RspCode) - {RspCode.ADDRESS_NOT_ALLOWED}
    assert min(codes.values()) >= QUERIES / 100, "each check is met often"
    world.audit()
    what_vnpay_says_still_counts(world, payments)


def only_changed(before: dict[str, Payment], after: dict[str, Payment]) -> str:
    """The one payment that is another now, and not a better one."""
    assert set(before) == set(after)
    (changed,) = (txn_ref for txn_ref in before if before[txn_ref] != after[txn_ref])
    assert after[changed].version == before[changed].version + 1
    assert after[changed].status in {PaymentStatus.FAILED, PaymentStatus.REVIEW}
    assert after[changed].amount_vnd == before[changed].amount_vnd
    assert after[changed].credits == before[changed].credits
    return changed


def said_of(query: str) -> str | None:
    """The payment that VNPAY itself speaks of there."""
    fields = said_by_vnpay(query, MERCHANT)
    return fields["vnp_TxnRef"] if fields else None


def what_vnpay_says_still_counts(world: World, payments: list[Payment]) -> None:
    """Nothing of all that has spoiled a payment: each that is paid now is credited, once."""
    had = sum(user.balance.available for user in world.tables.users.values())
    waiting = [payment for payment in payments if payment.paid_at is None]
    for payment in waiting:
        told = [json.loads(tell(ipn(payment))["body"])["RspCode"] for _twice in range(2)]
        assert told == ["00", "02"]
    have = sum(user.balance.available for user in world.tables.users.values())
    assert have - had == len(waiting) * SMALL.credits
    world.audit()


def test_hostile_queries_are_the_same_for_the_same_seed(world: World) -> None:
    payments = begun(world, 0)
    made = [
        list(islice(hostile_queries(Random(seed), merchant=MERCHANT, payments=payments), 500))
        for seed in (1, 1, 2)
    ]
    assert made[0] == made[1] != made[2]
    assert len(set(made[0])) > 400


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_every_family_can_be_sent_over_http(
    world: World, family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    payments = begun(world, 0)
    monkeypatch.setattr("tests.hostile_ipn.FAMILIES", (family,))
    rng = Random(SEED)
    for query in islice(hostile_queries(rng, merchant=MERCHANT, payments=payments), 200):
        assert not set(query) - set(VISIBLE)
        assert len(query) <= QUERY_CHARS
