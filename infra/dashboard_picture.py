"""Draws the dashboard as it is synthesized, with the data of an evening that never was.

    python -m infra.dashboard_picture [FILE]

makes docs/screens/dashboard.webp. Widgets are where CloudWatch puts them, on its grid of 24
columns, with the titles, units, lines, colours and marks of the definition.
"""

from __future__ import annotations

import io
import json
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from aws_cdk import App
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from PIL import Image

from common.config import CDK_JSON
from infra.app import build
from infra.context import SANDBOX_KEY, STAGE_KEY
from infra.dashboard import COLUMNS
from infra.sample_evening import BEGINS_AT, MINUTES, RINGING, Evening

PICTURE = CDK_JSON.parent / "docs" / "screens" / "dashboard.webp"
INCHES_A_COLUMN, INCHES_A_ROW = 0.7, 0.34
DOTS_AN_INCH = 96
INK, PALE, PAGE = "#16191f", "#8d9499", "#f2f3f3"
WIDE_DOTS = 500
CYCLE = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f")
MARGIN = 0.07
"""Inches around a widget."""


def dashboard_body(template: Mapping[str, Any]) -> dict[str, Any]:
    """The dashboard's definition in a template; what only AWS knows is named by its construct."""
    (dashboard,) = (
        resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::CloudWatch::Dashboard"
    )
    parts = dashboard["DashboardBody"]["Fn::Join"][1]
    body: dict[str, Any] = json.loads("".join(map(_named, parts)))
    return body


def _named(part: Any) -> str:
    if isinstance(part, str):
        return part
    ((_function, argument),) = part.items()
    name = argument if isinstance(argument, str) else argument[0]
    return re.sub(r"[0-9A-F]{8}$", "", name)


def synthesized() -> Mapping[str, Any]:
    """The template of the stage prod, as the local run would get it: it has the same dashboard."""
    context = json.loads(CDK_JSON.read_text(encoding="utf-8"))["context"]
    with tempfile.TemporaryDirectory() as folder:
        app = App(
            analytics_reporting=False,
            context={**context, STAGE_KEY: "prod", SANDBOX_KEY: "no-assets"},
            outdir=folder,
        )
        stack = build(app)
        app.synth()
        template: Mapping[str, Any] = json.loads((Path(folder) / stack.template_file).read_text())
    return template


def draw(body: Mapping[str, Any], evening: Evening) -> Figure:
    """The whole dashboard; each widget is an axes whose label is its place in the definition."""
    widgets: Sequence[Mapping[str, Any]] = body["widgets"]
    rows = max(widget["y"] + widget["height"] for widget in widgets)
    width, height = COLUMNS * INCHES_A_COLUMN, rows * INCHES_A_ROW
    figure = Figure(figsize=(width, height), dpi=DOTS_AN_INCH, facecolor=PAGE)
    for number, widget in enumerate(widgets):
        left, top = widget["x"] * INCHES_A_COLUMN, widget["y"] * INCHES_A_ROW
        wide = widget["width"] * INCHES_A_COLUMN
        high = widget["height"] * INCHES_A_ROW
        box = (left / width, 1 - (top + high) / height, wide / width, high / height)
        axes = figure.add_axes(_inside(widget["type"], box, width, height), label=str(number))
        kind = {"metric": _draw_metrics, "alarm": _draw_alarms, "text": _draw_text}[widget["type"]]
        if widget["height"] > 1:
            _paper(figure, box, width, height)
        kind(axes, widget["properties"], evening)
    return figure


def _inside(
    kind: str, box: tuple[float, float, float, float], width: float, height: float
) -> tuple[float, float, float, float]:
    """The part of a widget's box that is drawn in: a graph leaves room for its words."""
    left, bottom, right, top = (0.62, 0.62, 0.2, 0.36) if kind == "metric" else (MARGIN,) * 4
    x, y, wide, high = box
    return (
        x + left / width,
        y + bottom / height,
        wide - (left + right) / width,
        high - (bottom + top) / height,
    )


def _paper(
    figure: Figure, box: tuple[float, float, float, float], width: float, height: float
) -> None:
    x, y, wide, high = box
    figure.add_artist(
        FancyBboxPatch(
            (x + MARGIN / width, y + MARGIN / height),
            wide - 2 * MARGIN / width,
            high - 2 * MARGIN / height,
            boxstyle="square,pad=0",
            facecolor="white",
            edgecolor="#d5dbdb",
            linewidth=0.8,
            zorder=-1,
        )
    )


def _draw_metrics(axes: Axes, properties: Mapping[str, Any], evening: Evening) -> None:
    axes.set_title(properties["title"], loc="left", fontsize=10, fontweight="bold", color=INK)
    for number, (namespace, name, *rest) in enumerate(properties["metrics"]):
        *dimensions, shown = rest
        period = shown.get("period", properties.get("period", 300)) // 60
        named = dict(zip(dimensions[::2], dimensions[1::2], strict=True))
        statistic = shown.get("stat", "Average")  # which is the usual one
        values = evening.minutes(name, _about(namespace, named), statistic)
        color = shown.get("color", CYCLE[number % len(CYCLE)])
        hours, points = _by_period(values, period, statistic)
        axes.plot(hours, points, color=color, linewidth=1.3, label=shown["label"])
    for mark in properties.get("annotations", {}).get("horizontal", ()):
        axes.axhline(mark["value"], color=mark["color"], linewidth=0.9, linestyle=(0, (4, 3)))
        axes.annotate(
            mark["label"],
            (1, mark["value"]),
            xycoords=("axes fraction", "data"),
            xytext=(-2, 2),
            textcoords="offset points",
            ha="right",
            fontsize=7,
            color=mark["color"],
        )
    scale = properties["yAxis"]["left"]
    axes.set_ylabel(scale["label"], fontsize=7.5, color=PALE)
    axes.set_ylim(0, scale["max"] * 1.04 if "max" in scale else max(1, axes.get_ylim()[1]) * 1.08)
    axes.set_xlim(BEGINS_AT, BEGINS_AT + MINUTES / 60)
    ticks = range(BEGINS_AT, BEGINS_AT + MINUTES // 60 + 1, 2)
    axes.set_xticks(list(ticks), [f"{hour % 24:02}:00" for hour in ticks])
    axes.tick_params(labelsize=7.5, colors=PALE, length=2)
    axes.grid(axis="y", color="#eaeded", linewidth=0.7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#d5dbdb")
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.13),
        ncols=4 if axes.bbox.width < WIDE_DOTS else 8,
        fontsize=6.5,
        frameon=False,
        handlelength=1,
        columnspacing=0.9,
        labelspacing=0.15,
        labelcolor=INK,
    )


def _about(namespace: str, named: Mapping[str, str]) -> str:
    """What a metric is about, as the evening names it."""
    if "region" in named:
        return named["region"]
    if not namespace.startswith("AWS/"):
        return named["service"]
    (construct,) = named.values()
    return re.sub(r"^(Functions|Feed|Queue|Api)(?=.)", "", construct).lower()


def _by_period(values: Any, minutes: int, statistic: str) -> tuple[Any, Any]:
    """The hour and the value of each period."""
    cut = values[: len(values) // minutes * minutes].reshape(-1, minutes)
    if statistic in ("Sum", "SampleCount"):
        points = cut.sum(axis=1)
    else:
        points = cut.max(axis=1) if statistic == "Maximum" else cut.mean(axis=1)
    return BEGINS_AT + np.arange(len(points)) * minutes / 60, points


def _draw_alarms(axes: Axes, properties: Mapping[str, Any], _evening: Evening) -> None:
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.text(0.01, 0.93, properties["title"], va="top", fontsize=10, fontweight="bold", color=INK)
    columns, rows = 7, 3
    for number, alarm in enumerate(properties["alarms"]):
        row, column = divmod(number, columns)
        title = _alarm_title(alarm)
        rings = title in RINGING
        x, y = 0.01 + column * 0.98 / columns, 0.7 - (row + 1) * 0.68 / rows
        axes.add_patch(
            FancyBboxPatch(
                (x, y + 0.03),
                0.98 / columns - 0.01,
                0.68 / rows - 0.06,
                boxstyle="square,pad=0",
                facecolor="#fbd9d3" if rings else "#f2f8f0",
                edgecolor="#d13212" if rings else "#1d8102",
                linewidth=0.8,
            )
        )
        axes.text(
            x + 0.005,
            y + 0.33 / rows,
            f"{title}: in alarm" if rings else title,
            va="center",
            fontsize=6.5,
            color="#d13212" if rings else "#1d8102",
        )


def _alarm_title(arn_of: str) -> str:
    """The alarm's section in the runbook, from its construct's name."""
    name = arn_of.removeprefix("Alarms")
    return re.sub(r"(ModelErrors|ModelSlow).*", r"\1", name)


def _draw_text(axes: Axes, properties: Mapping[str, Any], _evening: Evening) -> None:
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    heading, _, text = properties["markdown"].lstrip("# ").partition("\n\n")
    size = 15 if properties["markdown"].startswith("# ") else 12
    axes.text(
        0.02 if text else 0.003,
        0.9 if text else 0.5,
        heading,
        va="top" if text else "center",
        fontsize=size,
        fontweight="bold",
        color=INK,
    )
    words = re.sub(r"[`\[\]]|\(http\S+\)", "", text)
    axes.text(0.02, 0.58, _folded(words, 48), va="top", fontsize=8.5, color=INK, linespacing=1.4)


def _folded(text: str, columns: int) -> str:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= columns:
            lines.append("")
        lines[-1] += f"{word} "
    return "\n".join(lines)


def save(figure: Figure, path: Path) -> None:
    """Write the picture as WebP."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DOTS_AN_INCH)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.open(drawn).convert("RGB").save(path, format="WEBP", quality=82, method=6)


def main() -> None:
    """Draw the dashboard that the stack has now."""
    mpl.use("Agg")
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE
    save(draw(dashboard_body(synthesized()), Evening()), path)


if __name__ == "__main__":
    main()
