"""What a stage can make, as tables for people and as facts for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from common.config import Config
from ops.costs.limits import DAY, HOUR, Capacity, capacity, changes
from ops.costs.tables import Table
from ops.costs.usage import Usage


def tables(config: Config, usage: Usage, account_concurrency: int) -> Sequence[Table]:
    """The limits, what would move them, and the seed's figures."""
    now = capacity(config, usage, account_concurrency=account_concurrency)
    return (
        _limits(config, now),
        _changes(config, usage, account_concurrency),
        _beside_seed(now),
    )


def _limits(config: Config, now: Capacity) -> Table:
    rows = [
        (
            limit.name,
            limit.why,
            f"{limit.images_per_second:,.1f}",
            f"{int(limit.images_per_second * HOUR):,}",
        )
        for limit in sorted(now.limits, key=lambda limit: limit.images_per_second)
    ]
    taken = now.submits_per_second * HOUR
    return Table(
        title=(
            f"{config.stage}: {now.images(HOUR):,} images an hour, {now.images(DAY):,} a day,"
            f" bound by {now.bottleneck.name}; up to {taken:,.0f} submits an hour are taken in and"
            " wait"
        ),
        head=("limit", "arithmetic", "images/s", "images/h"),
        rows=rows,
        words=2,
    )


def _changes(config: Config, usage: Usage, account_concurrency: int) -> Table:
    rows = []
    for change in changes(config, account_concurrency=account_concurrency):
        then = capacity(change.config, usage, account_concurrency=change.account_concurrency)
        remarks = [change.remark] if change.remark else []
        if not then.deploys:
            remarks.append(
                f"the deploy fails: it reserves {then.concurrency_reserved:,} of"
                f" {change.account_concurrency:,} (`reserve_concurrency`)"
            )
        rows.append(
            (
                change.name,
                then.bottleneck.name,
                "; ".join(remarks),
                f"{then.images(HOUR):,}",
                f"{then.images(DAY):,}",
            )
        )
    return Table(
        title="What would change it",
        head=("change", "bottleneck then", "and", "images/h", "images/day"),
        rows=rows,
        words=3,
    )


def _beside_seed(now: Capacity) -> Table:
    by_name = {limit.name: limit.images_per_second for limit in now.limits}
    account, line = by_name["the account's concurrency"], by_name["DynamoDB: a route's line"]
    asked = by_name["the API's throttle"] * HOUR
    made = f"{now.images(HOUR):,} an hour, {now.images(DAY):,} a day"
    rows = [
        ("the model at 2/s", "7,200 an hour, 172,800 a day", made, "The same rate."),
        (
            "Lambda, 1,000 at once",
            "71 a second, 250,000 an hour",
            f"{account:.0f} a second, {int(account * HOUR):,} an hour",
            "Requests and pushes run in the same account.",
        ),
        (
            "API Gateway",
            "36 million requests an hour, 25 million a day",
            f"{int(asked):,} images an hour",
            "10,000 a second are 864 million a day; ours has a throttle of its own.",
        ),
        (
            "DynamoDB",
            "unlimited",
            f"{line:,.0f} images a second",
            "A table is, one item is not: each start on a route writes to its line.",
        ),
        (
            "a day's load",
            "5,000 to 15,000; 50,000 with a higher quota",
            f"{now.images(DAY):,}",
            "It has no reason to stay below its bottleneck; a queue uses the rate day and night.",
        ),
        (
            "provisioned throughput",
            "half the latency",
            "half the latency, half the workers, as many images",
            "Latency does not raise a rate; that it is sold for these models is not known.",
        ),
    ]
    head = ("", "seed", "ours", "why they differ")
    return Table(title="Beside the seed's figures", head=head, rows=rows, words=4)


def facts(config: Config, usage: Usage, account_concurrency: int) -> dict[str, Any]:
    """All of it, for programs."""
    now = capacity(config, usage, account_concurrency=account_concurrency)
    return {
        "stage": config.stage,
        "account_concurrency": account_concurrency,
        **_told(now),
        "submits_per_second": now.submits_per_second,
        "limits": [asdict(limit) for limit in now.limits],
        "changes": [
            {
                "name": change.name,
                **_told(
                    capacity(change.config, usage, account_concurrency=change.account_concurrency)
                ),
            }
            for change in changes(config, account_concurrency=account_concurrency)
        ],
    }


def _told(of: Capacity) -> dict[str, Any]:
    return {
        "images_per_hour": of.images(HOUR),
        "images_per_day": of.images(DAY),
        "bottleneck": of.bottleneck.name,
        "workers": of.workers,
        "concurrency_reserved": of.concurrency_reserved,
        "deploys": of.deploys,
    }
