"""Hostile notifications over HTTP to the deployed function: never a 5xx, never a credit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from random import Random

import boto3
import httpx

from common.vnpay import Merchant
from common.vnpay_codes import RspCode
from sandbox.clients import client_settings
from tests.e2e.shop import buy, top_ups, wait_for
from tests.e2e.test_pipeline import WELCOME_CREDITS, balance
from tests.e2e.vnpay import Vnpay
from tests.hostile_ipn import hostile_queries
from tests.product import Sandbox, SignedIn

QUERIES = 10_000
CALLERS = 6
SEED = 1


@dataclass(frozen=True)
class Owed:
    """A payment as its customer knows it."""

    txn_ref: str
    amount_vnd: int
    paid_at: datetime | None = None


def merchant_of(sandbox: Sandbox) -> Merchant:
    """The account that the stack works with."""
    ssm = boto3.client("ssm", **client_settings(sandbox.state.emulator_url))
    answer = ssm.get_parameter(Name=sandbox.outputs.VnpayParameter, WithDecryption=True)
    return Merchant.model_validate_json(answer["Parameter"]["Value"])


def test_hostile_notifications_get_nothing(
    sandbox: Sandbox,
    new_person: Callable[[], SignedIn],
    open_api: Callable[[SignedIn | None], httpx.Client],
    vnpay: Vnpay,
) -> None:
    api = open_api(new_person())
    begun = [buy(api) for _ in range(8)]
    owed = [Owed(payment["txn_ref"], payment["amount_vnd"]) for payment in begun]
    queries = hostile_queries(Random(SEED), merchant=merchant_of(sandbox), payments=owed)
    url = f"{sandbox.api_url}/payments/vnpay/ipn"

    with httpx.Client(timeout=60, trust_env=False) as caller:

        def call(query: str) -> tuple[int, str]:
            answer = caller.get(f"{url}?{query}" if query else url)
            return answer.status_code, answer.json()["RspCode"]

        with ThreadPoolExecutor(CALLERS) as pool:
            said = Counter(pool.map(call, islice(queries, QUERIES)))

    assert {status for status, _code in said} == {200}
    assert {code for _status, code in said} <= set(RspCode)
    assert top_ups(api) == []
    assert balance(api) == {"available": WELCOME_CREDITS, "held": 0}
    real = buy(api)
    vnpay.choose(real["urls"]["pay"], "pay")
    wait_for(api, real, "paid")
