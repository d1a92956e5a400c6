"""What an image earns, and from how many a month on the service pays for itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from common.packages import Package

VND_PER_USD = 26_000
"""What `common/config.py` reckons its packages with."""
IMAGES_MAX = 10_000_000
"""Whoever loses money at so many a month does so at any number."""


def usd_per_image(packages: Sequence[Package], *, cost_credits: int, vnd_per_usd: float) -> float:
    """What is taken for an image whose credits came with the package that gives most for money.

    0 without packages. VNPAY's fee and taxes are not taken off.
    """
    vnd_per_credit = min((each.price_vnd / each.credits for each in packages), default=0)
    return cost_credits * vnd_per_credit / vnd_per_usd


def break_even(earned: float, cost: Callable[[int], float]) -> int | None:
    """The least number of images a month that earn what they cost; None when none does.

    `earned` is USD an image, `cost` USD of so many; each further image costs less than it earns, or
    none does.
    """

    def pays(images: int) -> bool:
        return images * earned >= cost(images)

    if not pays(IMAGES_MAX):
        return None
    least, enough = 0, IMAGES_MAX
    while enough - least > 1:
        middle = (least + enough) // 2
        least, enough = (least, middle) if pays(middle) else (middle, enough)
    return enough
