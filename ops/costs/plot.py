"""The picture of what images cost and earn, over their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ops.costs.bill_tables import GOAL_USD
from ops.costs.offer import Offer

FROM, TO, STEPS = 100, 200_000, 60
SEED_USD = 8.0
"""What the seed has for 1,000 images without the model."""
INK, BLUE, ORANGE, GREEN, GREY = "#1f2933", "#2563eb", "#d97706", "#15803d", "#9aa5b1"


def draw(offer: Offer, path: Path) -> None:
    """Write a PNG of 1,000 × 400 pixels."""
    ratio = (TO / FROM) ** (1 / STEPS)
    volumes = sorted({round(FROM * ratio**step) for step in range(STEPS + 1)})
    figure = Figure(figsize=(10, 4), dpi=100, layout="constrained")
    month, thousand = figure.subplots(1, 2)
    _month(month, offer, volumes)
    _thousand(thousand, offer, volumes)
    figure.savefig(path, format="png", metadata={"Software": None})


def _month(axes: Axes, offer: Offer, volumes: Sequence[int]) -> None:
    bills = [offer.bill(images) for images in volumes]
    if offer.earned:
        revenue = [offer.earned * images for images in volumes]
        axes.plot(volumes, revenue, color=GREEN, label="revenue")
    axes.plot(volumes, [bill.usd(billed=True) for bill in bills], color=BLUE, label="cost")
    pays = offer.break_even(billed=True)
    if pays is not None:
        axes.axvline(pays, color=GREY, linewidth=1)
        axes.annotate(
            f"pays for itself from {pays:,}",
            (pays, 0.03),
            xycoords=("data", "axes fraction"),
            xytext=(6, 0),
            textcoords="offset points",
            color=INK,
        )
    _dress(axes, f"{offer.config.stage}: USD a month, with allowances")


def _thousand(axes: Axes, offer: Offer, volumes: Sequence[int]) -> None:
    def line(of: Offer, *, billed: bool, label: str, color: str) -> None:
        bills = [of.bill(images) for images in volumes]
        amounts = [bill.per_thousand(billed=billed) for bill in bills]
        axes.plot(volumes, amounts, color=color, label=label)

    line(replace(offer, snap_start=True), billed=True, label="with SnapStart", color=BLUE)
    plain = replace(offer, snap_start=False)
    line(plain, billed=True, label="without SnapStart", color=ORANGE)
    line(plain, billed=False, label="the same without allowances", color=GREY)
    for level, words in ((GOAL_USD, "the goal"), (SEED_USD, "the seed's")):
        axes.axhline(level, color=INK, linewidth=0.8, linestyle=":")
        said = f"{words}: ${level:.2f}"
        axes.annotate(said, (FROM, level), xytext=(3, 3), textcoords="offset points", color=INK)
    _dress(axes, "USD for 1,000 images, without the model")


def _dress(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", color=INK)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("images a month", color=INK)
    axes.xaxis.set_major_formatter(lambda value, _place: f"{value:,.0f}")
    axes.yaxis.set_major_formatter(lambda value, _place: f"{value:,.10g}")
    axes.grid(visible=True, color="#e4e7eb")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="best")
