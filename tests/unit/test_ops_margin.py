from __future__ import annotations

import pytest

from common.config import DEFAULT_PACKAGES
from ops.costs.margin import break_even, usd_per_image
from tests.world import SMALL


def test_an_image_earns_its_credits_at_the_packages_price() -> None:
    assert usd_per_image(DEFAULT_PACKAGES, cost_credits=2, vnd_per_usd=26_000) == pytest.approx(0.1)


def test_the_package_that_gives_most_for_money_counts() -> None:
    large = SMALL.model_copy(update={"package": "large", "credits": 40})
    assert usd_per_image([SMALL, large], cost_credits=2, vnd_per_usd=26_000) == pytest.approx(0.05)


def test_nothing_is_earned_where_nothing_is_sold() -> None:
    assert usd_per_image([], cost_credits=2, vnd_per_usd=26_000) == 0
    assert break_even(0, lambda images: 0.04 * images) is None


def test_the_break_even_is_the_first_number_that_pays() -> None:
    assert break_even(0.10, lambda images: 12 + 0.04 * images) == 200
    assert break_even(0.10, lambda images: 12.01 + 0.04 * images) == 201
    assert break_even(0.10, lambda images: 0.04 * images) == 1


def test_there_is_no_break_even_where_an_image_costs_more_than_it_earns() -> None:
    assert break_even(0.03, lambda images: 1 + 0.04 * images) is None
