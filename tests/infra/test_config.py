from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from common.config import DEFAULT_ROUTES, FORCE_KEY, ConfigError, check_routes, parse
from common.models.catalogue import MODELS, find
from common.models.spec import ModelSpec
from common.routes import Route
from common.sizing import worker_concurrency
from infra.app import build
from infra.context import load
from tests.infra.conftest import CDK_JSON, make_app

TODAY = date(2026, 11, 23)
CORE = "stability.stable-image-core-v1:1"
TITAN = "amazon.titan-image-generator-v2:0"
CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/12345678-1234-1234-1234-123456789012"
HOSTED = {"domain": "imagify.example.com", "certificate_arn": CERTIFICATE}
SMALL = {"package": "small", "credits": 20, "price_vnd": 26_000}


@pytest.mark.parametrize("stage", CDK_JSON["context"]["imagify"]["stages"])
def test_cdk_json_can_be_deployed_today(stage: str) -> None:
    config = parse(CDK_JSON["context"]["imagify"], stage)
    assert config.stack_name == f"Imagify-{stage}"
    today = datetime.now(UTC).date()
    check_routes(config.routes, today=today, forced=config.force_retired_models)


def test_the_default_route_can_be_used_today() -> None:
    check_routes(DEFAULT_ROUTES, today=TODAY, forced=False)
    (route,) = DEFAULT_ROUTES
    assert (route.model, route.region) == (CORE, "us-west-2")
    assert (route.rate_per_second, route.p95_seconds) == (2, 14)


def test_a_stages_own_settings_go_before_those_of_all() -> None:
    raw = {"attempts_max": 5, "active_jobs_max": 7, "stages": {"dev": {"attempts_max": 2}}}
    config = parse(raw, "dev")
    assert (config.attempts_max, config.active_jobs_max, config.stage) == (2, 7, "dev")


@pytest.mark.parametrize(
    ("stages", "stage", "said"),
    [
        ({"dev": {}, "prod": {}}, "test", "no stage test; configured are: dev, prod"),
        ({}, "dev", "no stage dev; configured are: none"),
        ([], "dev", "by its name"),
        ({"dev": 1}, "dev", "by its name"),
        ({"Prod": {}}, "Prod", "stage: "),
        ({"prod": {"removal": "destroy"}}, "prod", "the stage prod keeps its data"),
    ],
)
def test_a_wrong_stage_is_named(stages: Any, stage: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse({"stages": stages}, stage)


def test_a_stage_need_only_name_the_alarms_that_are_its_own() -> None:
    stages = {"dev": {}, "prod": {"alarms": {"monthly_budget_usd": 50}}}
    raw = {"alarms": {"oldest_job_seconds": 600, "monthly_budget_usd": 5}, "stages": stages}
    alarms = parse(raw, "prod").alarms
    assert (alarms.oldest_job_seconds, alarms.monthly_budget_usd) == (600, 50)
    assert parse(raw, "dev").alarms.monthly_budget_usd == 5


def test_each_stage_has_a_merchants_account_of_its_own() -> None:
    assert parse({}, "prod").vnpay_parameter == "/imagify/prod/vnpay"
    assert parse({"vnpay_parameter": "/shop/vnpay"}, "prod").vnpay_parameter == "/shop/vnpay"


def test_fewer_workers_may_be_allowed_than_the_routes_need() -> None:
    assert parse({}).workers == worker_concurrency(DEFAULT_ROUTES) == 28
    assert parse({"workers_max": 5}).workers == 5
    assert parse({"workers_max": 100}).workers == 28


def test_the_command_lines_json_text_is_read() -> None:
    assert parse(json.dumps({"attempts_max": 5})).attempts_max == 5


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("{", "not JSON"),
        ("[]", "imagify"),
        ({"home_region": "Singapore"}, "home_region"),
        ({"routes": []}, "routes"),
        ({"routes": [{"model": CORE}]}, "routes.0.region"),
        ({"routes": [{"model": CORE, "region": "us-west-2", "rate_per_second": 0}]}, "rate"),
        ({"attempts_max": 0}, "attempts_max"),
        ({"removal": "maybe"}, "removal"),
        ({"log_retention_days": 12}, "log_retention_days"),
        ({"atempts_max": 3}, "atempts_max"),
        ({"packages": [SMALL, SMALL]}, "a name of its own"),
        ({"packages": [SMALL, {**SMALL, "price_vnd": 99_000}]}, "a name of its own"),
        ({"packages": [{**SMALL, "price_vnd": 4_999}]}, "packages.0.price_vnd"),
        ({"packages": [{**SMALL, "price_vnd": 1_000_000_000}]}, "packages.0.price_vnd"),
        ({"packages": [{**SMALL, "price_vnd": 26_000.5}]}, "packages.0.price_vnd"),
        ({"packages": [{**SMALL, "credits": 0}]}, "packages.0.credits"),
        ({"packages": [{**SMALL, "package": "Größe S"}]}, "packages.0.package"),
        ({"packages": [{**SMALL, "price_usd": 1}]}, "packages.0.price_usd"),
        ({"alarm_email": ""}, "alarm_email"),
        ({"alarm_email": "nobody"}, "alarm_email"),
        ({"allowed_origins": []}, "allowed_origins"),
        ({"allowed_origins": ["https://imagify.example.com/"]}, "allowed_origins.0"),
        ({"vnpay_parameter": "imagify/vnpay"}, "vnpay_parameter"),
        ({"vnpay_parameter": "/imagify/*"}, "vnpay_parameter"),
        ({"page_url": "imagify.example.com"}, "page_url"),
        ({"page_url": "javascript:alert(1)"}, "page_url"),
        ({"page_url": "https://imagify.example.com/?a=b"}, "page_url"),
        ({"domain": "imagify.example.com"}, "go together"),
        ({"certificate_arn": CERTIFICATE}, "go together"),
        ({"domain": "https://imagify.example.com", "certificate_arn": CERTIFICATE}, "domain"),
        ({"domain": "Imagify.example.com", "certificate_arn": CERTIFICATE}, "domain"),
        ({"domain": "localhost", "certificate_arn": CERTIFICATE}, "domain"),
        ({**HOSTED, "certificate_arn": CERTIFICATE.replace("us-east-1", "eu-west-1")}, "certif"),
        ({"image_url_seconds": 3601}, "at most 3600 without a domain"),
        ({**HOSTED, "image_url_seconds": 7 * 86_400 + 1}, "image_url_seconds"),
        ({"image_key_version": 0}, "image_key_version"),
    ],
)
def test_a_wrong_setting_is_named(raw: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse(raw)


@pytest.mark.parametrize("price_vnd", [5_000, 999_999_999])
def test_a_package_costs_what_vnpay_takes(price_vnd: int) -> None:
    (package,) = parse({"packages": [{**SMALL, "price_vnd": price_vnd}]}).packages
    assert package.price_vnd == price_vnd


def test_a_domain_is_where_people_come_back_to_and_who_may_call() -> None:
    config = parse(HOSTED)
    assert config.page_url == "https://imagify.example.com/"
    assert config.allowed_origins == ("https://imagify.example.com",)
    assert (parse({}).page_url, parse({}).allowed_origins) == ("", ("*",))


def test_what_is_set_goes_before_what_follows_from_the_domain() -> None:
    chosen = {"page_url": "https://shop.example.com/paid", "allowed_origins": ["*"]}
    config = parse({**HOSTED, **chosen})
    assert (config.page_url, config.allowed_origins) == (chosen["page_url"], ("*",))
    assert parse({**HOSTED, "page_url": ""}).page_url == ""


def test_links_may_work_for_a_week_where_there_is_a_domain() -> None:
    assert parse({**HOSTED, "image_url_seconds": 7 * 86_400}).image_url_seconds == 604_800


@pytest.mark.parametrize(("version", "working"), [(1, (1,)), (2, (2, 1)), (7, (7, 6))])
def test_the_links_of_the_key_before_still_work(version: int, working: tuple[int, ...]) -> None:
    assert parse({"image_key_version": version}).image_key_versions == working


def test_nothing_need_be_sold() -> None:
    assert parse({"packages": []}).packages == ()


def test_the_usual_packages_cost_ten_cents_an_image() -> None:
    """2 credits an image, and 26,000 VND to the dollar."""
    packages = parse({}).packages
    assert packages
    assert {package.price_vnd / (package.credits / 2) for package in packages} == {2_600}


def test_a_retired_model_is_refused_with_its_date_and_what_to_use() -> None:
    spec = find(TITAN)
    assert spec is not None
    assert spec.replaced_by is not None
    routes = [Route(model=TITAN, region="us-west-2")]
    with pytest.raises(ConfigError, match=r"left Bedrock on 2026-06-30") as refused:
        check_routes(routes, today=TODAY, forced=False)
    assert spec.replaced_by in str(refused.value)


def test_a_retired_model_passes_when_forced() -> None:
    check_routes([Route(model=TITAN, region="us-west-2")], today=TODAY, forced=True)


@pytest.mark.parametrize("model", [model for model in MODELS if model.end_of_life])
def test_every_model_with_an_end_is_refused_from_that_day_on(model: ModelSpec) -> None:
    assert model.end_of_life is not None
    route = Route(model=model.model_id, region="us-west-2")
    with pytest.raises(ConfigError, match=str(model.end_of_life)):
        check_routes([route], today=model.end_of_life, forced=False)


def test_a_region_without_the_model_is_refused_with_those_that_have_it() -> None:
    routes = [Route(model=CORE, region="ap-southeast-1")]
    with pytest.raises(ConfigError, match=r"cannot be invoked in ap-southeast-1, but in us-west-2"):
        check_routes(routes, today=TODAY, forced=False)
    check_routes(routes, today=TODAY, forced=True)


@pytest.mark.parametrize("forced", [True, False])
def test_an_unknown_model_is_refused_even_when_forced(*, forced: bool) -> None:
    routes = [Route(model="acme.painter-v1:0", region="us-west-2")]
    with pytest.raises(ConfigError, match="not known") as refused:
        check_routes(routes, today=TODAY, forced=forced)
    assert CORE in str(refused.value)


def test_a_route_listed_twice_is_refused() -> None:
    route = Route(model=CORE, region="us-west-2")
    with pytest.raises(ConfigError, match="once"):
        check_routes([route, route], today=TODAY, forced=False)


def test_more_workers_than_a_queue_can_feed_are_refused() -> None:
    route = Route(model=CORE, region="us-west-2", rate_per_second=100, p95_seconds=14)
    with pytest.raises(ConfigError, match="1400 workers"):
        check_routes([route], today=TODAY, forced=False)


def test_a_retired_model_stops_the_synthesis(tmp_path: Path) -> None:
    app = make_app(tmp_path, imagify={"routes": [{"model": TITAN, "region": "us-west-2"}]})
    with pytest.raises(ConfigError, match="2026-06-30"):
        build(app)


def test_a_retired_model_passes_for_the_one_run_that_is_told_so(tmp_path: Path) -> None:
    settings = {"routes": [{"model": TITAN, "region": "us-west-2"}]}
    assert load(make_app(tmp_path, imagify=settings, **{FORCE_KEY: "true"})).routes
    with pytest.raises(ConfigError, match="2026-06-30"):
        load(make_app(tmp_path, imagify=settings, **{FORCE_KEY: "false"}))


@pytest.mark.parametrize("flag", [True, "", "x", "No Bucket"])
def test_the_sandbox_flag_must_name_a_bucket(tmp_path: Path, flag: Any) -> None:
    with pytest.raises(ConfigError, match="names a bucket"):
        build(make_app(tmp_path, sandbox=flag))
