"""`imagify cost`: what images cost a month, and what they earn."""

# ruff: noqa: PLC0415 - --help is quick: what a command needs is imported when it runs

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import BadParameter, Option

from ops.options import Json, Markdown, StageIfAny

if TYPE_CHECKING:
    from ops.costs.offer import Offer


Images = Annotated[
    list[int] | None,
    Option(
        metavar="N",
        min=1,
        help=r"Images a month; may be repeated.  \[default: 1000, 10000 and 100000]",
    ),
]
Tables = Annotated[
    list[str] | None,
    Option(
        "--table",
        metavar="NAME",
        help="Only this: lines, services, summary, goal, choices, seed, why; may be repeated.",
    ),
]
SnapStart = Annotated[
    bool | None,
    Option(
        "--snap-start/--no-snap-start",
        help=r"Whether snapshots are kept.  \[default: as in the stage]",
    ),
]
Assume = Annotated[
    list[str] | None,
    Option(
        metavar="NAME=NUMBER",
        help="Assume otherwise than ops/costs/usage.toml: months_kept=24; may be repeated.",
    ),
]
OtherPrices = Annotated[
    Path | None, Option(metavar="FILE", help="Other prices than in ops/costs/prices.toml, as TOML.")
]
VndPerUsd = Annotated[
    float | None, Option(metavar="N", min=1, help=r"VND for a dollar.  \[default: 26000]")
]
Plot = Annotated[
    Path | None, Option(metavar="FILE", help="Draw cost and margin over volume as a PNG.")
]


def cost(
    *,
    images: Images = None,
    stage: StageIfAny = None,
    table: Tables = None,
    snap_start: SnapStart = None,
    domain: Annotated[
        bool | None,
        Option(
            "--domain/--no-domain",
            help=r"Whether CloudFront hands out images too.  \[default: as in the stage]",
        ),
    ] = None,
    assume: Assume = None,
    prices: OtherPrices = None,
    vnd_per_usd: VndPerUsd = None,
    plot: Plot = None,
    as_json: Json = False,
    as_markdown: Markdown = False,
) -> int:
    """What images cost a month, line by line, what they earn, and where both meet.

    Nothing is asked of AWS: what an image takes is counted in ops/costs/usage.toml, and multiplied
    by ops/costs/prices.toml. A price with a `?` is not confirmed for its region.
    Without a stage it is dev's.
    """
    import json

    from ops.costs import bill_tables
    from ops.costs.seed import TIERS
    from ops.terminal import ERR, OUT

    offer = _offer(stage, assume or [], prices, vnd_per_usd, snap_start=snap_start, domain=domain)
    bills = [offer.bill(number) for number in images or TIERS]
    if plot is not None:
        from ops.costs.plot import draw

        draw(offer, plot)
        ERR.print(f"Drawn: {plot}")
    if as_json:
        OUT.out(json.dumps(bill_tables.facts(offer, bills), indent=2))
        return 0
    known = bill_tables.tables(offer, bills)
    names = table or ["lines" if len(bills) == 1 else "services", "summary", "goal", "choices"]
    if unknown := set(names) - set(known):
        raise BadParameter(f"there is no table {min(unknown)}; there are {', '.join(known)}")
    texts = [
        each.markdown() if as_markdown else each.text()
        for each in (known[name]() for name in names)
    ]
    if "summary" in names:
        texts.append(bill_tables.break_even_words(offer))
    OUT.out("\n\n".join(texts))
    return 0


def _offer(
    stage: str | None,
    assume: list[str],
    prices: Path | None,
    vnd_per_usd: float | None,
    *,
    snap_start: bool | None,
    domain: bool | None,
) -> Offer:
    from ops.costs.margin import VND_PER_USD
    from ops.costs.offer import Offer
    from ops.costs.prices import BadPrices, read_prices
    from ops.costs.usage import BadAssumption, read_usage
    from ops.stages import configured

    config = configured(stage)
    try:
        return Offer(
            config=config,
            usage=read_usage().assuming(assume),
            prices=read_prices(prices),
            vnd_per_usd=vnd_per_usd or VND_PER_USD,
            snap_start=config.snap_start if snap_start is None else snap_start,
            domain=config.domain is not None if domain is None else domain,
        )
    except (BadPrices, BadAssumption) as error:
        raise BadParameter(str(error)) from error
