"""What things cost: AWS's prices from `ops/costs/prices.toml`, the models' from the catalogue."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from common.models.catalogue import MODELS

PRICES = Path(__file__).with_name("prices.toml")
MODEL_SERVICE = "Model"


class BadPrices(Exception):
    """A price file that cannot be used; the message says what is wrong with it."""


class Price(BaseModel):
    """What AWS takes for one kind of thing."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    service: str
    """What the bill lists it under."""
    usd: Annotated[float, Field(ge=0)]
    """For `per` of `unit`."""
    per: Annotated[int, Field(gt=0)] = 1
    unit: str
    region: str
    free: Annotated[float, Field(ge=0)] = 0
    """How many of `unit` are free each month, for ever, in an account."""
    source: str
    as_of: date
    confirmed: bool
    """Whether AWS says so of this region; else `source` says what the figure follows from."""

    @property
    def usd_each(self) -> float:
        """USD for one of `unit`."""
        return self.usd / self.per


Prices = Mapping[str, Price]
_PRICES = TypeAdapter(dict[str, Price])


def read_prices(other: Path | None = None) -> Prices:
    """All prices by their names, a model's by its id; those in `other` go before.

    Raises BadPrices for a file that cannot be read, and for a price that is none or not known.
    """
    raw = {**_model_prices(), **_read(PRICES)}
    for name, given in (_read(other) if other else {}).items():
        if name not in raw:
            raise BadPrices(f"{other}: there is no price {name}; there are {', '.join(raw)}.")
        if not isinstance(given, dict):
            raise BadPrices(f"{other}: {name} is no table, such as [{name}] with usd = 0.1.")
        raw[name] = {**raw[name], **given}
    try:
        return _PRICES.validate_python(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadPrices(f"{other or PRICES}: {where}: {first['msg']}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadPrices(f"{path} cannot be read: {error}") from error


def _model_prices() -> dict[str, dict[str, Any]]:
    return {
        spec.model_id: {
            "service": MODEL_SERVICE,
            "usd": spec.usd_per_image,
            "unit": "images",
            "region": ", ".join(spec.regions) or "nowhere",
            "source": "common/models/catalogue.py: third-party price lists",
            "as_of": date(2026, 11, 1),
            "confirmed": False,
        }
        for spec in MODELS
    }
