"""The dashboard: what it shows is there, and its picture shows all of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from PIL import Image, ImageChops, ImageStat

from common.config import Config
from common.metrics import FUNCTIONS, METRICS, STORES, By
from infra.dashboard import COLUMNS
from infra.dashboard_picture import PICTURE, dashboard_body, draw, save
from infra.graphs import METRICS_MAX
from infra.sample_evening import RINGING, Evening
from tests.e2e.runbook import sections
from tests.infra.template import Template

AWS_METRICS = {
    "AWS/SQS": {
        "ApproximateAgeOfOldestMessage",
        "ApproximateNumberOfMessagesDelayed",
        "ApproximateNumberOfMessagesVisible",
    },
    "AWS/Lambda": {"ConcurrentExecutions", "Duration", "Errors"},
    "AWS/ApiGateway": {"4xx", "5xx", "Count"},
}
"""What those services send by themselves:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html"""
BYTES_MAX = 400_000
MEAN_MAX = 0.1
"""Shades of grey, of 255, that one more line or mark is above; other fonts would be too."""
AGAIN = "draw it again: make dashboard"


def graphs(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for widget in body["widgets"]:
        if widget["type"] == "metric":
            yield widget["properties"]


def shown(body: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Each metric that is shown: its namespace, its name and its dimensions."""
    for graph in graphs(body):
        for namespace, name, *rest in graph["metrics"]:
            *dimensions, _options = rest
            yield namespace, name, dict(zip(dimensions[::2], dimensions[1::2], strict=True))


@pytest.fixture(scope="module")
def body(aws: Template) -> dict[str, Any]:
    return dashboard_body(aws.content)


def test_it_shows_metrics_that_the_functions_send_or_aws_has(
    body: dict[str, Any], two_routes: Template
) -> None:
    declared = {metric.name: metric for metric in METRICS}
    for namespace, name, dimensions in (*shown(body), *shown(dashboard_body(two_routes.content))):
        if namespace.startswith("AWS/"):
            assert name in AWS_METRICS[namespace]
            continue
        assert namespace in ("Imagify-prod", "Imagify-dev")
        metric = declared[name]
        if metric.by is By.FUNCTION:
            assert dimensions["service"] in metric.senders
            assert set(dimensions) == {"service"}
        elif metric.by is By.ROUTE:
            assert set(dimensions) == {"service", "model", "region"}
        else:
            assert dimensions["service"] in STORES


def test_it_shows_each_function_whose_failures_no_answer_shows(body: dict[str, Any]) -> None:
    (graph,) = (graph for graph in graphs(body) if graph["title"] == "Invocations that fail")
    shown_there = {metric[-1]["label"] for metric in graph["metrics"]}
    only_answering = {"submit", "status", "payments"}
    assert shown_there == set(FUNCTIONS) - only_answering
    assert any(name == "5xx" for _namespace, name, _dimensions in shown(body))


def test_it_shows_every_route(two_routes: Template) -> None:
    of_routes = [
        {metric[metric.index("region") + 1] for metric in graph["metrics"]}
        for graph in graphs(dashboard_body(two_routes.content))
        if any("region" in metric for metric in graph["metrics"])
    ]
    assert of_routes == [{"us-west-2", "eu-west-1"}] * 5


def test_with_one_route_it_is_free_of_charge(body: dict[str, Any]) -> None:
    assert len(list(shown(body))) <= METRICS_MAX


def test_each_graph_has_a_title_a_unit_and_its_alarms_threshold(body: dict[str, Any]) -> None:
    marks = {}
    for graph in graphs(body):
        assert graph["title"]
        assert graph["yAxis"]["left"]["label"], graph["title"]
        for mark in graph.get("annotations", {}).get("horizontal", ()):
            marks[graph["title"], mark["label"]] = mark["value"]
    alarms = Config().alarms
    assert marks == {
        ("Age of the oldest message", "alarm"): alarms.oldest_job_seconds,
        ("Set aside, for an operator", "alarm"): alarms.dead_letters,
        ("Latency of a call", "sized for"): 14,
        ("Latency of a call", "alarm"): 17.5,
        ("Starts, and the quota", "quota 2/s"): 120,
        ("Starts that fail", "alarm"): alarms.model_error_percent / 100,
        ("What does not add up", "alarm"): alarms.payments_to_review,
        ("At the same time", "workers"): 28,
        ("Cold starts", "alarm, of submit"): alarms.cold_starts,
        ("DynamoDB refuses us for our rate", "alarm"): alarms.table_throttles,
    }


def test_it_shows_the_state_of_every_alarm_and_names_the_runbook(
    aws: Template, body: dict[str, Any]
) -> None:
    words, states, *_rest = body["widgets"]
    assert "docs/RUNBOOK.md" in words["properties"]["markdown"]
    assert states["type"] == "alarm"
    assert len(states["properties"]["alarms"]) == len(aws.of_type("AWS::CloudWatch::Alarm"))


def test_the_local_run_has_the_same(aws: Template, sandbox: Template) -> None:
    there, here = (dashboard_body(stack.content)["widgets"] for stack in (aws, sandbox))
    assert there == here


@pytest.fixture(scope="module")
def picture(body: dict[str, Any]) -> Figure:
    return draw(body, Evening())


def test_the_picture_shows_every_widget_in_its_place(body: dict[str, Any], picture: Figure) -> None:
    drawn = {int(str(axes.get_label())): axes for axes in picture.axes}
    assert set(drawn) == set(range(len(body["widgets"])))
    for number, widget in enumerate(body["widgets"]):
        box = drawn[number].get_position()
        assert box.x0 >= widget["x"] / COLUMNS
        assert box.x1 <= (widget["x"] + widget["width"]) / COLUMNS
        properties = widget["properties"]
        if widget["type"] == "metric":
            assert drawn[number].get_title(loc="left") == properties["title"]
            labels = [str(line.get_label()) for line in drawn[number].get_lines()]
            wanted = [metric[-1]["label"] for metric in properties["metrics"]]
            assert labels[: len(wanted)] == wanted
        else:
            assert drawn[number].texts, "its words are there"


def test_the_alarms_that_ring_in_the_picture_are_alarms() -> None:
    assert {section.title for section in sections()} >= RINGING


def test_an_unknown_metric_is_not_drawn_as_nothing(body: dict[str, Any]) -> None:
    graph = next(widget for widget in body["widgets"] if widget["type"] == "metric")
    other = {
        **graph["properties"],
        "metrics": [["Imagify-prod", "Misspelt", "service", "worker", {"label": "?"}]],
    }
    with pytest.raises(KeyError):
        draw({"widgets": [{**graph, "properties": other}]}, Evening())


def test_the_picture_in_the_docs_is_of_this_dashboard(picture: Figure, tmp_path: Path) -> None:
    assert PICTURE.stat().st_size < BYTES_MAX
    save(picture, tmp_path / "dashboard.webp")
    with Image.open(PICTURE) as kept, Image.open(tmp_path / "dashboard.webp") as drawn:
        assert kept.size == drawn.size, AGAIN
        difference = ImageChops.difference(kept.convert("L"), drawn.convert("L"))
    assert ImageStat.Stat(difference).mean[0] < MEAN_MAX, AGAIN
