from __future__ import annotations

from typing import Any

import pytest

from common.config import Config
from common.routes import Route
from ops.costs.limits import DAY, HOUR, Capacity, capacity, changes, left_unreserved
from ops.costs.usage import read_usage

MODEL = "stability.stable-image-core-v1:1"


def route(rate: float = 2, p95: float = 14, region: str = "us-west-2") -> Route:
    return Route(model=MODEL, region=region, rate_per_second=rate, p95_seconds=p95)


def of(*routes: Route, account: int = 1000, **settings: Any) -> Capacity:
    config = Config(routes=routes or (route(),), **settings)
    return capacity(config, read_usage(), account_concurrency=account)


def test_the_models_rate_is_the_bottleneck_as_configured() -> None:
    now = of()
    assert now.bottleneck.name == "the models' rate"
    assert (now.images(HOUR), now.images(DAY)) == (7_200, 172_800)
    assert now.workers == 28


@pytest.mark.parametrize(("rate", "p95"), [(1.1, 10), (2, 14), (0.7, 13.3), (3, 9.7)])
def test_the_workers_are_never_fewer_than_the_rate_needs(rate: float, p95: float) -> None:
    assert of(route(rate, p95)).images(HOUR) == round(rate * HOUR)


def test_too_few_workers_are_the_bottleneck() -> None:
    now = of(workers_max=14)
    assert (now.bottleneck.name, now.images(HOUR)) == ("workers", 3_600)


def test_routes_add_up() -> None:
    now = of(route(), route(3, 10, "us-east-1"))
    assert now.images(HOUR) == 18_000
    assert now.workers == 2 * 14 + 3 * 10


def test_a_new_accounts_concurrency_is_the_bottleneck_and_nothing_can_be_reserved() -> None:
    now = of(account=10)
    assert now.bottleneck.name == "the account's concurrency"
    assert now.images(HOUR) == pytest.approx(10 / 15.6 * HOUR, rel=0.01)
    assert not now.deploys
    assert of(account=10, reserve_concurrency=False).deploys


def test_a_deploy_needs_what_it_reserves_and_a_hundred_more() -> None:
    assert of().concurrency_reserved == 28 + 2 * 200
    assert of(account=528).deploys
    assert not of(account=527).deploys


def test_aws_leaves_a_hundred_unreserved_and_all_of_an_account_that_has_fewer() -> None:
    assert [left_unreserved(account) for account in (10, 100, 1000)] == [10, 100, 100]


def test_half_the_latency_takes_half_the_workers_and_makes_no_more_images() -> None:
    now = of(route(p95=7))
    assert (now.workers, now.images(HOUR)) == (14, 7_200)


def test_submits_are_taken_in_faster_than_images_are_made() -> None:
    assert of().submits_per_second == 200
    assert of(requests_per_second=50).submits_per_second == 50


def test_each_change_says_what_it_buys() -> None:
    config, usage = Config(), read_usage()
    bought = {
        change.name: capacity(change.config, usage, account_concurrency=change.account_concurrency)
        for change in changes(config, account_concurrency=1000)
    }
    assert bought["as configured"].images(HOUR) == 7_200
    assert bought["a quota of 10/s"].images(HOUR) == 36_000
    assert bought["a second route as fast"].images(HOUR) == 14_400
    quick = bought["provisioned throughput, half the latency"]
    assert (quick.images(HOUR), quick.workers) == (7_200, 14)
    fifty = bought["a quota of 50/s"]
    assert fifty.bottleneck.name == "the API's throttle"
    assert fifty.workers == 700
    assert not fifty.deploys
    assert not bought["a new account's concurrency of 10"].deploys
