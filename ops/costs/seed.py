"""The seed's three tiers, which our bill is held against."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

SEED = Path(__file__).with_name("seed.toml")
TIERS = (1_000, 10_000, 100_000)
"""Images a month."""


class SeedLine(BaseModel):
    """What the seed reckoned for one service."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: str
    ours: tuple[str, ...]
    """The services of our bill that this is held against."""
    usd: tuple[float, float, float]
    """A month, in each tier."""
    why: str
    """Why ours differ."""


@cache
def seed_lines() -> tuple[SeedLine, ...]:
    """The seed's table."""
    read = tomllib.loads(SEED.read_text(encoding="utf-8"))
    return tuple(SeedLine.model_validate(line) for line in read["lines"])
