from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

from common.aws import clients
from common.config import DEFAULT_PACKAGES
from common.long_polling import WAIT_SECONDS_MAX
from common.packages import Package
from common.routes import Route
from common.settings.accounts import AccountsSettings
from common.settings.base import Settings
from common.settings.feed import FeedSettings
from common.settings.payments import PaymentsSettings
from common.settings.push import PushSettings
from common.settings.status import StatusSettings
from common.settings.submit import SubmitSettings
from common.settings.sweep import SweepSettings
from common.settings.worker import WorkerSettings
from common.sizing import TIMEOUTS, worker_concurrency
from common.vnpay_gateway import CONNECT_SECONDS, READ_SECONDS
from functions.sweep.heal_payments import QUESTION_SECONDS_MAX
from infra.function import environment
from tests.infra.conftest import ONE_PACKAGE, SANDBOX_ASSETS, TWO_ROUTES, synthesize
from tests.infra.template import FUNCTIONS, Template

SETTINGS: dict[str, type[Settings]] = {
    "submit": SubmitSettings,
    "worker": WorkerSettings,
    "status": StatusSettings,
    "accounts": AccountsSettings,
    "payments": PaymentsSettings,
    "sweep": SweepSettings,
    "feed": FeedSettings,
    "push": PushSettings,
}
LIBRARIES = {
    "POWERTOOLS_SERVICE_NAME",
    "POWERTOOLS_METRICS_NAMESPACE",
    "POWERTOOLS_LOG_LEVEL",
    "PYDANTIC_DISABLE_PLUGINS",
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_functions_variables_are_just_those_that_its_settings_read(
    aws: Template, name: str
) -> None:
    given = aws.environment(name)
    assert set(given) - LIBRARIES == set(SETTINGS[name].variables().values())
    assert set(given) >= LIBRARIES
    assert given["POWERTOOLS_SERVICE_NAME"] == name
    assert given["POWERTOOLS_METRICS_NAMESPACE"] == "Imagify-prod"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_functions_settings_can_be_read_from_its_variables(aws: Template, name: str) -> None:
    settings = SETTINGS[name].from_env(aws.environment(name))
    assert settings.home_region == "ap-southeast-1"


def test_settings_point_at_the_right_things(aws: Template) -> None:
    settings = WorkerSettings.from_env(aws.environment("worker"))
    assert settings.jobs_table == "Storage/Jobs"
    assert settings.users_table == "Storage/Users"
    assert settings.ledger_table == "Storage/Ledger"
    assert settings.routes_table == "Storage/Routes"
    assert settings.images_bucket == "Storage/Images"
    assert settings.queue_url == "Queue/Jobs"
    assert settings.model_read_seconds == TIMEOUTS.model_read_seconds
    assert settings.slot_wait_seconds_max == TIMEOUTS.slot_wait_seconds_max
    assert settings.lease_seconds == TIMEOUTS.lease_seconds


@pytest.mark.parametrize("name", ["payments", "sweep"])
def test_who_takes_money_is_told_where_it_is_and_not_whose_secret_it_is(
    aws: Template, name: str
) -> None:
    settings = SETTINGS[name].from_env(aws.environment(name))
    assert isinstance(settings, PaymentsSettings | SweepSettings)
    assert settings.payments_table == "Storage/Payments"
    assert settings.users_table == "Storage/Users"
    assert settings.ledger_table == "Storage/Ledger"
    assert settings.vnpay_parameter == "/imagify/prod/vnpay"


def test_packages_and_the_page_reach_the_function_unchanged(
    aws: Template, two_routes: Template
) -> None:
    usual = PaymentsSettings.from_env(aws.environment("payments"))
    assert (usual.packages, usual.page_url) == (DEFAULT_PACKAGES, "")
    settled = PaymentsSettings.from_env(two_routes.environment("payments"))
    assert settled.packages == tuple(Package.model_validate(each) for each in ONE_PACKAGE)
    assert settled.page_url == "https://imagify.example.com/paid"
    assert settled.vnpay_parameter == "/shop/vnpay-live"


def test_routes_reach_the_functions_unchanged(two_routes: Template) -> None:
    routes = tuple(Route.model_validate(route) for route in TWO_ROUTES)
    assert WorkerSettings.from_env(two_routes.environment("worker")).routes == routes
    assert SubmitSettings.from_env(two_routes.environment("submit")).routes == routes


def test_a_setting_without_a_value_is_refused() -> None:
    with pytest.raises(ValueError, match="AccountsSettings"):
        environment(AccountsSettings, {"home_region": "ap-southeast-1"})


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_handler_string_imports(aws: Template, name: str) -> None:
    module, _, attribute = aws.function(name)["Handler"].rpartition(".")
    assert callable(getattr(importlib.import_module(module), attribute))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_run_what_the_package_was_built_for(aws: Template, name: str) -> None:
    function = aws.function(name)
    assert function["Runtime"] == "python3.13"
    assert function["Architectures"] == ["arm64"]
    assert function["MemorySize"] == 512
    assert function["TracingConfig"] == {"Mode": "Active"}


def test_timeouts_nest(aws: Template) -> None:
    queue = aws.of_type("AWS::SQS::Queue")["Queue/Jobs"]
    worker = WorkerSettings.from_env(aws.environment("worker"))
    assert (
        worker.slot_wait_seconds_max + worker.model_read_seconds
        < aws.function("worker")["Timeout"]
        < worker.lease_seconds
        < queue["VisibilityTimeout"]
    )


def test_no_function_outlasts_its_caller(aws: Template) -> None:
    api_gateway_seconds, cognito_seconds = 30, 5
    for name in ("submit", "status", "payments", "feed"):
        assert aws.function(name)["Timeout"] < api_gateway_seconds
    assert aws.function("accounts")["Timeout"] <= cognito_seconds


@pytest.mark.parametrize("name", ["submit", "status"])
def test_who_waits_for_a_jobs_end_has_time_left_to_answer(aws: Template, name: str) -> None:
    assert aws.function(name)["Timeout"] >= WAIT_SECONDS_MAX + clients.READ_SECONDS


def test_a_sweep_is_over_when_the_next_begins_and_can_ask_more_than_once(aws: Template) -> None:
    assert 2 * QUESTION_SECONDS_MAX < aws.function("sweep")["Timeout"] < 60
    gateway_seconds = CONNECT_SECONDS + READ_SECONDS
    assert gateway_seconds < QUESTION_SECONDS_MAX, "a question fits into what is kept for it"


def test_one_message_a_batch_and_only_failed_ones_come_back(aws: Template) -> None:
    (source,) = aws.sources("worker")
    assert aws.text(source["EventSourceArn"]) == "Queue/Jobs.Arn"
    assert aws.text(source["FunctionName"]) == "Functions/Worker"
    assert source["BatchSize"] == 1
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_concurrency_is_littles_law_for_pollers_and_workers_alike(aws: Template) -> None:
    (source,) = aws.sources("worker")
    assert source["ScalingConfig"]["MaximumConcurrency"] == 2 * 14
    assert aws.function("worker")["ReservedConcurrentExecutions"] == 2 * 14


def test_only_the_worker_may_send_to_the_queue_that_feeds_it(aws: Template) -> None:
    """Lambda would drop a job that waits for an hour, having seen it come by 16 times."""
    loops = {name: aws.function(name).get("RecursiveLoop") for name in FUNCTIONS}
    assert loops == {**dict.fromkeys(FUNCTIONS), "worker": "Allow"}


def test_a_second_route_adds_workers(two_routes: Template) -> None:
    expected = worker_concurrency([Route.model_validate(route) for route in TWO_ROUTES])
    assert expected == 42  # 2 × 14 + 1.5 × 9, rounded up
    (source,) = two_routes.sources("worker")
    assert source["ScalingConfig"]["MaximumConcurrency"] == expected
    assert two_routes.function("worker")["ReservedConcurrentExecutions"] == expected


def test_every_function_has_logs_of_its_own_with_an_end(aws: Template) -> None:
    groups = aws.of_type("AWS::Logs::LogGroup")
    assert {group["RetentionInDays"] for group in groups.values()} == {90}
    used = [aws.text(aws.function(name)["LoggingConfig"]["LogGroup"]) for name in FUNCTIONS]
    assert len(set(used)) == len(FUNCTIONS)
    assert set(used) <= set(groups)


def test_log_retention_is_a_setting(two_routes: Template) -> None:
    groups = two_routes.of_type("AWS::Logs::LogGroup").values()
    assert {group["RetentionInDays"] for group in groups} == {90}


def test_an_account_with_nothing_to_reserve_still_paces_its_workers(tmp_path: Path) -> None:
    settings = {"reserve_concurrency": False, "workers_max": 5}
    template = synthesize(tmp_path, imagify=json.dumps(settings), sandbox=SANDBOX_ASSETS)

    for function in template.of_type("AWS::Lambda::Function").values():
        assert "ReservedConcurrentExecutions" not in function
    (source,) = template.sources("worker")
    assert source["ScalingConfig"] == {"MaximumConcurrency": 5}
    assert template.environment("submit")["WORKERS"] == "5"
