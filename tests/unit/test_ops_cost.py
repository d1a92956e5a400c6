from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from common.config import parse
from common.models.catalogue import DEFAULT_MODEL
from ops import cli
from sandbox.errors import CommandError

TOTALS = {
    "fixed_usd",
    "variable_usd",
    "model_usd",
    "total_usd",
    "image_usd",
    "thousand_without_model_usd",
}
LINE = {
    "service",
    "what",
    "part",
    "quantity",
    "unit",
    "usd_per_unit",
    "usd",
    "free_quantity",
    "usd_after_allowances",
    "confirmed",
}
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(autouse=True)
def no_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.cli.signal.signal", lambda *_: None)


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.main(arguments) == 0
    return capsys.readouterr().out


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(said(capsys, *arguments, "--json"))
    return facts


def test_cost_tells_programs_every_line_and_its_sums(capsys: pytest.CaptureFixture[str]) -> None:
    facts = told(capsys, "cost", "--images", "1000", "--images", "5000")
    assert [volume["images"] for volume in facts["volumes"]] == [1000, 5000]
    for volume in facts["volumes"]:
        assert all(set(line) == LINE for line in volume["lines"])
        for name, amount in (
            ("without_allowances", "usd"),
            ("with_allowances", "usd_after_allowances"),
        ):
            assert set(volume[name]) == TOTALS
            total = sum(line[amount] for line in volume["lines"])
            assert volume[name]["total_usd"] == pytest.approx(total)
    assert facts["usd_earned_per_image"] == pytest.approx(0.1)
    assert facts["assumptions"]["months_kept"] == 12
    assert set(facts["break_even_images"]) == {"without_allowances", "with_allowances"}


def test_cost_never_takes_an_allowance_off_without_showing_both(
    capsys: pytest.CaptureFixture[str],
) -> None:
    volume = told(capsys, "cost", "--images", "1000")["volumes"][0]
    assert volume["without_allowances"]["total_usd"] > volume["with_allowances"]["total_usd"]


def test_cost_is_more_where_snapshots_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    def fixed(*options: str) -> float:
        volume = told(capsys, "cost", "--images", "1000", *options)["volumes"][0]
        usd: float = volume["with_allowances"]["fixed_usd"]
        return usd

    assert fixed("--stage", "prod") - fixed() == pytest.approx(9.75, abs=0.1)
    assert fixed("--stage", "prod", "--no-snap-start") == pytest.approx(fixed(), abs=0.1)
    assert fixed("--snap-start") == pytest.approx(fixed("--stage", "prod"), abs=0.1)


def test_cost_takes_other_assumptions_prices_and_rates(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "prices.toml"
    path.write_text("[data_out]\nusd = 1.2\n", encoding="utf-8")
    facts = told(
        capsys,
        *("cost", "--images", "1000", "--prices", str(path), "--vnd-per-usd", "13000"),
        *("--assume", "looks_at_image=4", "--assume", "model_seconds=6"),
    )
    lines = {(line["service"], line["what"]): line for line in facts["volumes"][0]["lines"]}
    assert lines["Data out", "looks at images"]["usd"] == pytest.approx(4 * 1.5 * 1.2)
    assert lines["Lambda", "workers"]["quantity"] == pytest.approx(1000 * 7 * 0.5)
    assert facts["usd_earned_per_image"] == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--images", "0"], "greater than or equal to 1"),
        (["--images", "-5"], "greater than or equal to 1"),
        (["--prices", "nowhere.toml"], "nowhere.toml cannot be read"),
        (["--assume", "looks=3"], "What can be assumed"),
        (["--table", "nothing"], "there is no table nothing; there are lines"),
        (["--vnd-per-usd", "0"], "greater than or equal to 1"),
    ],
)
def test_cost_refuses_what_makes_no_sense(
    options: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["cost", *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert sentence in err
    assert err.rstrip().endswith("Try: imagify cost --help")


@pytest.mark.parametrize("command", ["cost", "capacity"])
def test_a_stage_that_is_none_is_told(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([command, "--stage", "nobody"]) == CommandError.exit_code
    assert "There is no stage nobody; configured are: dev, prod." in capsys.readouterr().err


def test_cost_shows_the_arithmetic_of_one_volume(capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "cost", "--images", "1000")
    assert "22 alarms × $0.1" in out
    assert "The goal for 1,000 images without the model, with allowances: $0.60" in out
    assert "the stage pays for itself from" in out


def test_cost_says_when_an_image_costs_more_than_it_earns(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = said(capsys, "cost", "--images", "1000", "--vnd-per-usd", "100000")
    assert "An image earns $0.03, which is less than it costs." in out


def test_cost_tells_no_margin_where_nothing_is_sold(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("ops.stages.configured", lambda _stage: parse({"packages": []}))
    out = said(capsys, "cost", "--images", "1000", "--plot", str(tmp_path / "cost.png"))
    assert "Nothing is sold: the stage has no packages." in out
    assert not any(word in out for word in ("revenue", "profit", "margin"))
    facts = told(capsys, "cost", "--images", "1000")
    assert facts["usd_earned_per_image"] == 0
    assert set(facts["break_even_images"].values()) == {None}


def test_cost_counts_the_alarms_of_every_route(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    routes = [{"model": DEFAULT_MODEL, "region": region} for region in ("us-west-2", "eu-west-1")]
    monkeypatch.setattr("ops.stages.configured", lambda _stage: parse({"routes": routes}))
    assert "24 alarms × $0.1" in said(capsys, "cost", "--images", "1000")


def test_cost_stands_beside_the_seeds_tiers(capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "cost", "--table", "seed", "--table", "why")
    for total in ("$48.63", "$484.80", "$4,848.00"):
        assert total in out
    assert "Why they differ" in out


def test_cost_draws_a_picture(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "cost.png"
    said(capsys, "cost", "--images", "1000", "--plot", str(path))
    assert path.read_bytes().startswith(PNG)


def test_capacity_tells_programs_each_limit(capsys: pytest.CaptureFixture[str]) -> None:
    facts = told(capsys, "capacity")
    assert (facts["images_per_hour"], facts["images_per_day"]) == (7_200, 172_800)
    assert facts["bottleneck"] == "the models' rate"
    assert {"name", "images_per_second", "why"} == set(facts["limits"][0])
    assert facts["changes"][0]["name"] == "as configured"
    small = told(capsys, "capacity", "--account-concurrency", "10")
    assert small["bottleneck"] == "the account's concurrency"


def test_capacity_says_what_it_is_bound_by(capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "capacity")
    assert "7,200 images an hour, 172,800 a day, bound by the models' rate" in out


@pytest.mark.parametrize("options", [["--table", "x"], ["--account-concurrency", "0"]])
def test_capacity_refuses_what_makes_no_sense(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["capacity", *options]) == 2
    assert capsys.readouterr().err.rstrip().endswith("Try: imagify capacity --help")
