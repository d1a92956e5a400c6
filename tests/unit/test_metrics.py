"""The list of metrics, the code that sends them, and the page that lists them for people."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from common import metrics, observability
from common.aws import clients
from common.metrics import FUNCTIONS, METRICS, By, Metric, series
from common.observability import count, count_start, observed
from tests.handlers.calls import Context
from tests.world import CORE

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "MONITORING.md"
CONSTANTS = {name: each for name, each in vars(metrics).items() if isinstance(each, Metric)}


@cache
def tree(module: str) -> ast.Module:
    return ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))


def used(module: str) -> set[Metric]:
    """The metrics that a module names outside its imports."""
    names = {node.id for node in ast.walk(tree(module)) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(tree(module)) if isinstance(node, ast.Attribute)}
    return {metric for name, metric in CONSTANTS.items() if name in names}


@cache
def reached(module: str) -> frozenset[str]:
    """Our modules that a module imports, however far."""
    found, left = {module}, [module]
    while left:
        for node in ast.walk(tree(left.pop())):
            if not isinstance(node, ast.ImportFrom) or not node.module:
                continue
            for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                path = ROOT / f"{name.replace('.', '/')}.py"
                if name not in found and name != "common.metrics" and path.is_file():
                    found.add(name)
                    left.append(name)
    return frozenset(found)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_metrics_name_the_functions_whose_code_sends_them(function: str) -> None:
    own = {
        metric
        for path in (ROOT / "functions" / function).glob("*.py")
        for metric in used(f"functions.{function}.{path.stem}")
    }
    shared = {
        metric
        for module in reached(f"functions.{function}.handler")
        if module.startswith("common.")
        for metric in used(module)
    }
    declared = {metric for metric in METRICS if function in metric.senders}
    assert own <= declared <= own | shared


def test_no_metric_is_listed_that_nobody_sends() -> None:
    modules = {module for name in FUNCTIONS for module in reached(f"functions.{name}.handler")}
    assert set(METRICS) == {metric for module in modules for metric in used(module)}
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def test_the_page_lists_each_metric_as_it_is() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (.*) \| (.*) \| (.*) \| (.*) \|$", PAGE.read_text(), re.MULTILINE
    )
    everybody = len(FUNCTIONS)
    assert rows == [
        (
            each.name,
            {"Count": "", "Seconds": "s", "None": "USD"}[each.unit],
            each.by,
            "all" if len(each.senders) == everybody else ", ".join(each.senders),
            each.what,
        )
        for each in METRICS
    ]


def test_the_page_counts_what_the_metrics_cost() -> None:
    one, two = (series(METRICS, routes=routes) for routes in (1, 2))
    by_route = [metric for metric in METRICS if metric.by is By.ROUTE]
    assert two - one == len(by_route)
    text = " ".join(PAGE.read_text().split())
    assert f"{one} with one route, {len(by_route)} more with each other" in text
    assert f"${(one - 10) * 0.30:.2f}" in text


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that has not been used yet, nothing counted."""
    observability.metrics.clear_metrics()
    monkeypatch.setattr(observability, "_apart", {})
    monkeypatch.setattr(observability, "_cold", iter((True,)))


def lines(written: Callable[[], str]) -> dict[str, tuple[dict[str, str], list[float], str]]:
    """Each metric that was written: its dimensions, its values, its unit."""
    found = {}
    for line in map(json.loads, written().splitlines()):
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", ()):
            (dimensions,) = directive["Dimensions"]
            for each in directive["Metrics"]:
                where = {name: line[name] for name in dimensions}
                found[each["Name"]] = (where, line[each["Name"]], each["Unit"])
    return found


@pytest.mark.usefixtures("fresh")
def test_a_start_is_written_under_its_route_and_a_count_under_its_function(
    written: Callable[[], str],
) -> None:
    def work(_event: object, _context: object) -> dict[str, object]:
        count(metrics.JOBS_SUCCEEDED)
        count_start(CORE, throttled=True)
        count_start(CORE, failed=True)
        count_start(CORE, took_seconds=5.5, usd=0.04)
        return {}

    observed(work)({}, Context())
    route = {"service": "worker", "model": CORE.model, "region": CORE.region}
    assert lines(written) == {
        "ColdStarts": ({"service": "test"}, [1], "Count"),
        "JobsSucceeded": ({"service": "test"}, [1], "Count"),
        "ModelErrors": (route, [0, 1, 0], "Count"),
        "ModelThrottles": (route, [1, 0, 0], "Count"),
        "ModelLatency": (route, [5.5], "Seconds"),
        "ModelUsd": (route, [0.04], "None"),
    }
    observed(lambda _event, _context: {})({}, Context())
    assert lines(written) == {}, "nothing is told twice, and the environment is warm"


@pytest.mark.usefixtures("fresh")
def test_metrics_are_written_of_an_invocation_that_fails_too(written: Callable[[], str]) -> None:
    def work(_event: object, _context: object) -> dict[str, object]:
        count_start(CORE, failed=True)
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        observed(work)({}, Context())
    assert lines(written)["ModelErrors"][1] == [1]


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize(
    ("code", "reasons", "throttles"),
    [
        ("ProvisionedThroughputExceededException", [], 1),
        ("ThrottlingException", [], 1),
        ("TransactionCanceledException", [{"Code": "None"}, {"Code": "ThrottlingError"}], 1),
        ("TransactionCanceledException", [{"Code": "ConditionalCheckFailed"}], 0),
        ("ResourceNotFoundException", [], 0),
    ],
)
def test_an_answer_that_we_ask_too_much_is_counted_for_its_aws_service(
    monkeypatch: pytest.MonkeyPatch,
    written: Callable[[], str],
    code: str,
    reasons: list[dict[str, str]],
    throttles: int,
) -> None:
    for name, value in (("ACCESS_KEY_ID", "test"), ("SECRET_ACCESS_KEY", "test")):
        monkeypatch.setenv(f"AWS_{name}", value)
    clients._session.cache_clear()
    client = clients._session().create_client("dynamodb", region_name="ap-southeast-1")

    def work(_event: object, _context: object) -> dict[str, object]:
        client.meta.events.emit(
            "response-received.dynamodb.TransactWriteItems",
            parsed_response={"Error": {"Code": code}, "CancellationReasons": reasons},
        )
        client.meta.events.emit("response-received.dynamodb.GetItem", exception=OSError())
        return {}

    observed(work)({}, Context())
    clients._session.cache_clear()
    found = lines(written)
    assert ("Throttles" in found) is bool(throttles)
    if throttles:
        assert found["Throttles"] == ({"service": "dynamodb"}, [1], "Count")
