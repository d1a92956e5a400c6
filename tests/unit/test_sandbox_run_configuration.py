from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from httpx import ConnectError, Request, Response

from common.config import DEFAULT_ROUTES
from common.routes import Route
from sandbox import emulator, run
from sandbox.configuration import (
    Configuration,
    for_local_run,
    needs_any_region,
    needs_private_access,
    read,
)
from sandbox.environment import HOME_REGION
from sandbox.errors import CommandError

TODAY = date(2026, 11, 23)
CORE = "stability.stable-image-core-v1:1"
PAGE = "http://127.0.0.1:4569/"
TITAN = "amazon.titan-image-generator-v2:0"
TWO = [
    {"model": CORE, "region": "us-west-2", "rate_per_second": 5.0, "p95_seconds": 9.0},
    {"model": CORE, "region": "us-east-1", "rate_per_second": 3.0, "p95_seconds": 9.0},
]


def local(settings: dict[str, Any], rate: float | None = None) -> Configuration:
    return for_local_run(settings, rate=rate, latency_seconds=1, page_url=PAGE)


def test_the_operators_settings_hold_here_too() -> None:
    operators = {
        "routes": TWO,
        "active_jobs_max": 3,
        "home_region": "eu-west-1",
        "page_url": "https://imagify.example.com/",
    }
    context = run._context(local(operators))

    assert json.loads(context["imagify"]) == {
        "routes": TWO,
        "active_jobs_max": 3,
        "home_region": HOME_REGION,
        "page_url": PAGE,
    }
    assert context["sandbox"]


def test_a_local_run_has_no_cloudfront() -> None:
    hosted = {
        "domain": "imagify.example.com",
        "certificate_arn": "arn:aws:acm:us-east-1:111122223333:certificate/0a",
        "image_key_version": 2,
        "image_url_seconds": 86_400,
    }

    assert local(hosted).settings == {
        "home_region": HOME_REGION,
        "page_url": PAGE,
        "image_url_seconds": 3600,
    }
    assert local({"image_url_seconds": 600}).settings["image_url_seconds"] == 600


def test_without_routes_there_is_the_usual_one() -> None:
    configured = local({})

    assert configured.routes == DEFAULT_ROUTES
    assert "routes" not in configured.settings


def test_a_chosen_rate_is_every_routes() -> None:
    configured = local({"routes": TWO}, rate=20)

    assert list(configured.rates.values()) == [20, 20]
    told = json.loads(run._context(configured)["imagify"])["routes"]
    assert [
        (route["region"], route["rate_per_second"], route["p95_seconds"]) for route in told
    ] == [
        ("us-west-2", 20, 3),
        ("us-east-1", 20, 3),
    ]


@pytest.mark.parametrize(
    ("routes", "said"),
    [([], "at least 1 item"), ([{"model": CORE}], r"routes\.0\.region"), (1, "routes")],
)
def test_routes_that_are_none_are_told(routes: Any, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        local({"routes": routes})


@pytest.mark.parametrize("content", ["{", "[]", '{"context": {"imagify": [1]}}', None])
def test_a_cdk_json_that_nobody_can_read_is_told(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "cdk.json"
    if content is not None:
        path.write_text(content)

    with pytest.raises(CommandError, match=r"cdk\.json"):
        read(path)


def test_cdk_json_may_hold_an_object_a_text_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "cdk.json"
    two = {"attempts_max": 2}
    of_two_stages = {"attempts_max": 9, "stages": {"dev": two, "prod": {"attempts_max": 5}}}
    for content in (two, json.dumps(two), of_two_stages):
        path.write_text(json.dumps({"context": {"imagify": content}}))
        assert read(path) == {"attempts_max": 2, "stage": "dev"}
    path.write_text("{}")
    assert read(path) == {"stage": "dev"}


def test_the_simulator_serves_what_the_routes_need_and_no_more() -> None:
    (usual,) = DEFAULT_ROUTES
    elsewhere = Route(model=CORE, region="eu-west-1")
    retired = Route(model=TITAN, region="us-west-2")

    for routes, private, anywhere in (
        ([usual], False, False),
        ([usual, elsewhere], False, True),
        ([usual, retired], True, False),
    ):
        assert needs_private_access(routes, TODAY) is private
        assert needs_any_region(routes, TODAY) is anywhere


def test_rates_that_differ_reach_the_simulator(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []

    def post(url: str, *, json: Any, **_: Any) -> Response:
        sent.append((url, json))
        if len(sent) > 1:
            raise ConnectError("gone")
        return Response(200, request=Request("POST", url))

    monkeypatch.setattr("sandbox.emulator.httpx.post", post)

    emulator.set_rates("http://sim", {"a@x": 2, "b@x": 2})
    assert sent == []
    emulator.set_rates("http://sim", {"a@x": 2, "b@x": 0.01})
    assert sent == [("http://sim/_control/settings", {"rates": {"a@x": 2, "b@x": 0.1}})]
    with pytest.raises(CommandError, match="gone"):
        emulator.set_rates("http://sim", {"a@x": 2, "b@x": 3})
