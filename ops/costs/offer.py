"""What a stage costs and earns at any volume, as it is configured."""

from __future__ import annotations

from dataclasses import dataclass

from common.config import Config
from common.models.catalogue import find
from ops.costs.bill import Bill, Plan, bill
from ops.costs.margin import break_even, usd_per_image
from ops.costs.prices import Prices
from ops.costs.usage import Usage

DAYS_A_MONTH = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One stage, and what it is reckoned with."""

    config: Config
    usage: Usage
    prices: Prices
    vnd_per_usd: float
    snap_start: bool
    domain: bool

    @property
    def model(self) -> str:
        """The model that is billed: the default one."""
        return self.config.routes[0].model

    @property
    def earned(self) -> float:
        """USD that an image brings in; 0 where nothing is sold."""
        spec = find(self.model)
        assert spec is not None, "the configuration was checked"
        return usd_per_image(
            self.config.packages, cost_credits=spec.cost_credits, vnd_per_usd=self.vnd_per_usd
        )

    def bill(self, images: int) -> Bill:
        """A month's bill for so many images."""
        plan = Plan(
            images=images,
            model=self.model,
            model_seconds=self.usage.assumptions.model_seconds or self.config.routes[0].p95_seconds,
            log_months=self.config.log_retention_days / DAYS_A_MONTH,
            snap_start=self.snap_start,
            domain=self.domain,
            routes=len(self.config.routes),
        )
        return bill(plan, self.usage, self.prices)

    def break_even(self, *, billed: bool) -> int | None:
        """The images a month from which on the stage pays for itself."""
        return break_even(self.earned, lambda images: self.bill(images).usd(billed=billed))
