"""What people buy."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from common.vnpay_codes import PRICE_VND_MAX, PRICE_VND_MIN


class Package(BaseModel):
    """Credits that can be bought."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    package: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$")]
    """Its name in the API."""
    credits: Annotated[int, Field(ge=1, le=1_000_000)]
    price_vnd: Annotated[int, Field(ge=PRICE_VND_MIN, le=PRICE_VND_MAX)]


PACKAGES = TypeAdapter(tuple[Package, ...], config=ConfigDict(defer_build=True))
"""Reads and writes a list of packages as JSON."""
