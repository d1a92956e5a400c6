"""Payments'."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from common.packages import PACKAGES, Package
from common.settings.money import MoneySettings


class PaymentsSettings(MoneySettings):
    """What `functions/payments` needs."""

    packages: tuple[Package, ...]
    """JSON: `[{"package", "credits", "price_vnd"}, …]`."""
    page_url: str
    """Where people go after paying; empty: to a plain page of ours."""

    @model_validator(mode="before")
    @classmethod
    def _read_packages(cls, values: dict[str, Any]) -> dict[str, Any]:
        if isinstance(values.get("packages"), str):
            return {**values, "packages": PACKAGES.validate_json(values["packages"])}
        return values
