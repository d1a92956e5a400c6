from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from common.settings.accounts import AccountsSettings
from common.settings.base import Settings
from common.settings.outlook import ImageLinks
from common.settings.payments import PaymentsSettings
from common.settings.status import StatusSettings
from common.settings.submit import SubmitSettings
from common.settings.sweep import SweepSettings
from common.settings.worker import WorkerSettings

ROUTES = [{"model": "stability.stable-image-core-v1:1", "region": "us-west-2"}]
ENV = {
    "HOME_REGION": "ap-southeast-1",
    "JOBS_TABLE": "Jobs",
    "USERS_TABLE": "Users",
    "LEDGER_TABLE": "Ledger",
    "ROUTES_TABLE": "Routes",
    "ACTS_TABLE": "Acts",
    "IMAGES_BUCKET": "images",
    "QUEUE_URL": "https://queue.test",
    "ROUTES": json.dumps(ROUTES),
    "SLOT_WAIT_SECONDS_MAX": "30",
    "WORKERS": "28",
    "MODEL_READ_SECONDS": "60",
    "LEASE_SECONDS": "130",
    "PAYMENTS_TABLE": "Payments",
    "VNPAY_PARAMETER": "/imagify/vnpay",
    "PACKAGES": json.dumps([{"package": "small", "credits": 20, "price_vnd": 26_000}]),
    "PAGE_URL": "",
    "PATH": "/bin",
}
EACH = (
    SubmitSettings,
    WorkerSettings,
    StatusSettings,
    AccountsSettings,
    PaymentsSettings,
    SweepSettings,
)


@pytest.mark.parametrize("kind", EACH)
def test_settings_are_read_from_the_variables_named_after_them(kind: type[Settings]) -> None:
    settings = kind.from_env(ENV)
    assert settings.home_region == "ap-southeast-1"
    assert set(kind.variables().values()) == {field.upper() for field in kind.model_fields}


@pytest.mark.parametrize("kind", EACH)
def test_a_missing_setting_is_named(kind: type[Settings]) -> None:
    for field, variable in kind.variables().items():
        if not kind.model_fields[field].is_required():
            continue
        env = {name: value for name, value in ENV.items() if name != variable}
        with pytest.raises(ValidationError, match=field):
            kind.from_env(env)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HOME_REGION", ""),
        ("QUEUE_URL", ""),
        ("LEASE_SECONDS", "0"),
        ("LEASE_SECONDS", "-1"),
        ("LEASE_SECONDS", "soon"),
        ("ATTEMPTS_MAX", "0"),
        ("ROUTES", "[]"),
        ("ROUTES", "no json"),
        ("ROUTES", "{}"),
        ("ROUTES", '[{"model": "m"}]'),
        ("ROUTES", '[{"model": "m", "region": "everywhere"}]'),
        ("ROUTES", '[{"model": "m", "region": "us-west-2", "rate_per_second": 0}]'),
        ("ROUTES", '[{"model": "m", "region": "us-west-2", "speed": 9}]'),
    ],
)
def test_a_malformed_setting_is_refused(variable: str, value: str) -> None:
    with pytest.raises(ValidationError):
        WorkerSettings.from_env({**ENV, variable: value})


def test_cloudfront_hands_images_out_where_the_stack_says_so() -> None:
    links = {"origin": "https://a.example", "key_pair_id": "K1", "key_parameter": "/key/1"}
    env = {**ENV, "IMAGE_LINKS": json.dumps(links)}
    assert SubmitSettings.from_env(env).image_links == ImageLinks.model_validate(links)
    for nothing in ({}, {"IMAGE_LINKS": ""}):
        assert SubmitSettings.from_env({**ENV, **nothing}).image_links is None


@pytest.mark.parametrize("links", ["no json", "{}", '{"origin": "https://a.example"}', "[]"])
def test_malformed_links_are_refused(links: str) -> None:
    with pytest.raises(ValidationError):
        SubmitSettings.from_env({**ENV, "IMAGE_LINKS": links})


@pytest.mark.parametrize(
    "packages",
    [
        "no json",
        "{}",
        '[{"package": "small", "credits": 20}]',
        '[{"package": "small", "credits": 0, "price_vnd": 26000}]',
        '[{"package": "small", "credits": 20, "price_vnd": 4999}]',
        '[{"package": "small", "credits": 20, "price_vnd": 1000000000}]',
        '[{"package": "Small!", "credits": 20, "price_vnd": 26000}]',
    ],
)
def test_packages_that_nobody_could_buy_are_refused(packages: str) -> None:
    with pytest.raises(ValidationError):
        PaymentsSettings.from_env({**ENV, "PACKAGES": packages})


def test_what_is_not_set_has_its_default() -> None:
    submit, accounts = SubmitSettings.from_env(ENV), AccountsSettings.from_env(ENV)
    (route,) = submit.routes
    assert (submit.active_jobs_max, submit.image_url_seconds) == (10, 900)
    assert (route.rate_per_second, route.p95_seconds) == (2.0, 14.0)
    assert accounts.welcome_credits == 10
    assert WorkerSettings.from_env(ENV).attempts_max == 3
    assert SweepSettings.from_env(ENV).stalled_hold_hours == 48


def test_no_welcome_may_be_set() -> None:
    assert AccountsSettings.from_env({**ENV, "WELCOME_CREDITS": "0"}).welcome_credits == 0
