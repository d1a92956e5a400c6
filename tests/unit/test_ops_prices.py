from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from common.models.catalogue import DEFAULT_MODEL
from ops.costs.bill import Plan, bill
from ops.costs.prices import BadPrices, read_prices
from ops.costs.usage import read_usage

SEED_DAY = date(2024, 11, 1)


def other(folder: Path, text: str) -> Path:
    path = folder / "prices.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_price_says_where_it_is_from_and_since_when() -> None:
    for name, price in read_prices().items():
        assert price.source, name
        assert price.as_of > SEED_DAY, name
        assert price.confirmed or price.usd > 0, name


def test_a_price_is_for_so_many() -> None:
    prices = read_prices()
    assert prices["lambda_requests"].usd_each == pytest.approx(2e-7)
    assert prices[DEFAULT_MODEL].usd_each == 0.04


def test_no_price_is_of_something_that_nobody_pays_for() -> None:
    prices = read_prices()
    everything = Plan(
        images=1000,
        model=DEFAULT_MODEL,
        model_seconds=14,
        log_months=1,
        snap_start=True,
        domain=True,
        routes=1,
    )
    paid = {line.name for line in bill(everything, read_usage(), prices).lines}
    models = {name for name, price in prices.items() if price.service == "Model"}
    assert paid == (prices.keys() - models) | {DEFAULT_MODEL}


def test_another_price_goes_before_and_keeps_the_rest(tmp_path: Path) -> None:
    path = other(tmp_path, f'[data_out]\nusd = 0.09\n["{DEFAULT_MODEL}"]\nusd = 0.03\n')
    prices = read_prices(path)
    assert prices["data_out"].usd == 0.09
    assert prices["data_out"].free == 100
    assert prices[DEFAULT_MODEL].usd == 0.03
    assert prices["alarms"] == read_prices()["alarms"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[date_out]\nusd = 1", "there is no price date_out"),
        ("data_out = 1", "data_out is no table"),
        ("[data_out]\nusd = -1", "data_out"),
        ("[data_out]\nusd = nan", "finite"),
        ('[data_out]\nusd = "dear"', "valid number"),
        ("[data_out]\nper = 0", "greater than 0"),
        ("[data_out]\nEUR = 1", "data_out.EUR"),
        ("[data_out", "cannot be read"),
    ],
)
def test_a_broken_price_file_is_refused_with_what_is_wrong(
    text: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(BadPrices, match=said):
        read_prices(other(tmp_path, text))


def test_a_price_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadPrices, match=r"nowhere\.toml cannot be read"):
        read_prices(tmp_path / "nowhere.toml")
