"""Routes: which model is called in which region, how often, and how slow it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class Route(BaseModel):
    """One model in one region, with the quota that the account has there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Annotated[str, Field(min_length=1)]
    """A model id of the catalogue, such as `stability.stable-image-core-v1:1`."""
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
    """Where the model is called, always explicit."""
    rate_per_second: Annotated[float, Field(gt=0, le=100)] = 2.0
    """The account's quota there, in starts a second (the seed's default is 2)."""
    p95_seconds: Annotated[float, Field(gt=0, le=120)] = 14.0
    """The 95th percentile of one call's latency (the seed measured 14 s)."""

    @property
    def name(self) -> str:
        """The key of the route's pacing line: `model@region`."""
        return f"{self.model}@{self.region}"


ROUTES = TypeAdapter(tuple[Route, ...])
"""Reads and writes a list of routes as JSON."""


def serving(routes: Sequence[Route], model: str) -> tuple[Route, ...]:
    """The routes that can generate with `model`."""
    return tuple(route for route in routes if route.model == model)
