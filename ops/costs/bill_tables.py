"""What an offer costs, as tables for people and as facts for programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ops.costs.bill import Bill, Line, Part
from ops.costs.offer import Offer
from ops.costs.seed import TIERS, seed_lines
from ops.costs.tables import Table, number, usd

GOAL_USD = 0.60
"""What everything but the model may cost for 1,000 images."""
DEAREST = 4


def arithmetic(bill: Bill) -> Table:
    """Each line of a bill: quantity × price."""
    return Table(
        title=f"{bill.images:,} images a month, line by line",
        head=("part", "service", "what", "quantity × price", "USD", "after allowances"),
        rows=[_row(line) for line in sorted(bill.lines, key=_order)],
        words=4,
    )


def _order(line: Line) -> tuple[int, str]:
    return list(Part).index(line.part), line.price.service


def _row(line: Line) -> Sequence[str]:
    price = line.price
    per = "" if price.per == 1 else f" per {price.per:,}"
    doubt = "" if price.confirmed else " ?"
    times = f"{number(line.quantity)} {price.unit} × ${price.usd:.10g}{per}{doubt}"
    costs = (usd(line.usd, digits=4), usd(line.billed_usd, digits=4))
    return (line.part, price.service, line.what, times, *costs)


def summary(offer: Offer, bills: Sequence[Bill]) -> Table:
    """What the volumes come to, a column each: without allowances / with them."""
    earned = offer.earned

    def row(name: str, of: Callable[[Bill, bool], float], digits: int = 2) -> Sequence[str]:
        return (name, *(_both(partial(of, bill), partial(usd, digits=digits)) for bill in bills))

    def profit(bill: Bill, billed: bool) -> float:  # noqa: FBT001 - one of two columns
        return earned * bill.images - bill.usd(billed=billed)

    def margin(bill: Bill, billed: bool) -> float:  # noqa: FBT001 - one of two columns
        return profit(bill, billed) / earned / bill.images

    rows = [
        row("the model", lambda bill, billed: bill.usd(Part.MODEL, billed=billed)),
        row("fixed", lambda bill, billed: bill.usd(Part.FIXED, billed=billed)),
        row("by the image", lambda bill, billed: bill.usd(Part.VARIABLE, billed=billed)),
        row("total", lambda bill, billed: bill.usd(billed=billed)),
        row("an image", lambda bill, billed: bill.per_image(billed=billed), digits=4),
        row("1,000 without the model", lambda bill, billed: bill.per_thousand(billed=billed)),
        row(
            "… of it by the image",
            lambda bill, billed: bill.per_thousand(Part.VARIABLE, billed=billed),
        ),
    ]
    if earned:
        rows += [
            row("revenue", lambda bill, _billed: earned * bill.images),
            row("profit", profit),
            ("margin", *(_both(partial(margin, bill), "{:.0%}".format) for bill in bills)),
        ]
    return Table(
        title=f"{offer.config.stage}: USD a month, without / with AWS's always-free allowances",
        head=("", *_heads(bills)),
        rows=rows,
    )


def services(bills: Sequence[Bill]) -> Table:
    """What each service costs at each volume: without allowances / with them."""
    names = dict.fromkeys(line.price.service for bill in bills for line in bill.lines)
    rows = [(name, *(_both(partial(_of, bill, [name]), usd) for bill in bills)) for name in names]
    return Table(
        title="By service, without / with allowances",
        head=("service", *_heads(bills)),
        rows=rows,
    )


def _heads(bills: Sequence[Bill]) -> Sequence[str]:
    return [f"{bill.images:,} images" for bill in bills]


def _both(of: Callable[[bool], float], say: Callable[[float], str]) -> str:
    """An amount without allowances and with them."""
    return " / ".join(say(of(billed)) for billed in (False, True))


def _of(bill: Bill, names: Sequence[str], billed: bool) -> float:  # noqa: FBT001 - of two columns
    """What these services cost together."""
    lines = [line for line in bill.lines if line.price.service in names]
    return sum(line.billed_usd if billed else line.usd for line in lines)


def shortfall(bills: Sequence[Bill]) -> Table:
    """Whether the goal is kept with the allowances, and what is dearest of what counts for it."""
    rows = []
    for bill in bills:
        per_thousand = bill.per_thousand(billed=True)
        missed = per_thousand - GOAL_USD
        others = [line for line in bill.lines if line.part is not Part.MODEL]
        dearest = sorted(others, key=lambda line: -line.billed_usd)[:DEAREST]
        told = [f"{line.what} {usd(line.billed_usd * 1000 / bill.images)}" for line in dearest]
        rows.append(
            (
                f"{bill.images:,}",
                usd(per_thousand),
                f"missed by {usd(missed)}" if missed > 0 else "kept",
                ", ".join(told),
            )
        )
    return Table(
        title=f"The goal for 1,000 images without the model, with allowances: {usd(GOAL_USD)}",
        head=("images a month", "1,000 images", "goal", "dearest of it"),
        rows=rows,
        words=4,
    )


CHOICES: Sequence[tuple[str, str, Sequence[str]]] = (
    ("SnapStart", "off in the stage", ("snapshot_cache", "snapshot_restore")),
    ("alarms", "ten are free", ("alarms",)),
    ("metrics of our own", "ten are free", ("custom_metrics",)),
    ("traces", "a sampling rule in X-Ray, or no tracing", ("traces",)),
    ("looks at images", "a domain: 1 TB of CloudFront's is free", ("data_out",)),
    (
        "images kept for a year",
        "an expiry in the bucket's lifecycle",
        (
            "image_monitoring",
            "image_storage_frequent",
            "image_storage_infrequent",
            "image_storage_archive",
        ),
    ),
    ("models' answers", "if AWS charges them at all", ("data_between_regions",)),
    ("functions that run, mostly workers that wait", "a quicker model", ("lambda_seconds",)),
)
"""What was chosen, what would do without it, and the prices that it pays."""


def choices(bills: Sequence[Bill]) -> Table:
    """What choices cost a month with the allowances, a column for each volume."""

    def cost(bill: Bill, names: Sequence[str]) -> str:
        return usd(sum(line.billed_usd for line in bill.lines if line.name in names))

    return Table(
        title="What choices cost a month, with allowances",
        head=("choice", "without it", *_heads(bills)),
        rows=[(name, way, *(cost(bill, of) for bill in bills)) for name, way, of in CHOICES],
        words=2,
    )


def beside_seed(offer: Offer) -> Table:
    """The seed's tiers beside ours."""
    bills = [offer.bill(images) for images in TIERS]
    lines = seed_lines()

    def row(name: str, ours: Sequence[str], seed: Sequence[float]) -> Sequence[str]:
        cells = [name]
        for bill, reckoned in zip(bills, seed, strict=True):
            cells += [usd(reckoned), _both(partial(_of, bill, ours), usd)]
        return cells

    everything = [name for line in lines for name in line.ours]
    sums = [sum(tier) for tier in zip(*(line.usd for line in lines), strict=True)]
    return Table(
        title=f"{offer.config.stage}: the seed's USD a month, ours without / with allowances",
        head=("service", *(head for images in TIERS for head in (f"{images:,}: seed", "ours"))),
        rows=[
            *(row(line.service, line.ours, line.usd) for line in lines),
            row("total", everything, sums),
        ],
    )


def why_not_the_seeds() -> Table:
    """Why ours differ from the seed's."""
    rows = [(line.service, line.why) for line in seed_lines()]
    return Table(title="Why they differ", head=("service", "why"), rows=rows, words=2)


def tables(offer: Offer, bills: Sequence[Bill]) -> dict[str, Callable[[], Table]]:
    """Every table, by the name that one asks for it."""
    return {
        "lines": lambda: arithmetic(bills[0]),
        "services": lambda: services(bills),
        "summary": lambda: summary(offer, bills),
        "goal": lambda: shortfall(bills),
        "choices": lambda: choices(bills),
        "seed": lambda: beside_seed(offer),
        "why": why_not_the_seeds,
    }


def break_even_words(offer: Offer) -> str:
    """From how many images a month on the stage pays for itself."""
    if not offer.earned:
        return "Nothing is sold: the stage has no packages."
    plain, billed = offer.break_even(billed=False), offer.break_even(billed=True)
    if plain is None or billed is None:
        return f"An image earns {usd(offer.earned)}, which is less than it costs."
    return (
        f"An image earns {usd(offer.earned)}; the stage pays for itself from {billed:,} images a "
        f"month on, without the allowances from {plain:,}."
    )


def facts(offer: Offer, bills: Sequence[Bill]) -> dict[str, Any]:
    """All of it, for programs."""
    return {
        "stage": offer.config.stage,
        "model": offer.model,
        "snap_start": offer.snap_start,
        "domain": offer.domain,
        "vnd_per_usd": offer.vnd_per_usd,
        "usd_earned_per_image": offer.earned,
        "break_even_images": {
            "without_allowances": offer.break_even(billed=False),
            "with_allowances": offer.break_even(billed=True),
        },
        "assumptions": offer.usage.assumptions.model_dump(),
        "standing": offer.usage.standing.model_dump(),
        "volumes": [
            {
                "images": bill.images,
                "without_allowances": _totals(bill, billed=False),
                "with_allowances": _totals(bill, billed=True),
                "lines": [_line_facts(line) for line in bill.lines],
            }
            for bill in bills
        ],
    }


def _totals(bill: Bill, *, billed: bool) -> dict[str, float]:
    return {
        **{f"{part}_usd": bill.usd(part, billed=billed) for part in Part},
        "total_usd": bill.usd(billed=billed),
        "image_usd": bill.per_image(billed=billed),
        "thousand_without_model_usd": bill.per_thousand(billed=billed),
    }


def _line_facts(line: Line) -> dict[str, Any]:
    return {
        "service": line.price.service,
        "what": line.what,
        "part": line.part,
        "quantity": line.quantity,
        "unit": line.price.unit,
        "usd_per_unit": line.price.usd_each,
        "usd": line.usd,
        "free_quantity": line.free,
        "usd_after_allowances": line.billed_usd,
        "confirmed": line.price.confirmed,
    }
