"""What several functions are told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from common.routes import ROUTES, Route

Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1)]


class Settings(BaseModel):
    """Settings read from environment variables named after the fields."""

    # Built when it is first read, which those that others build on never are.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    home_region: Text
    """Where the tables, the queue and the bucket are."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read the fields' variables from `env`; raises pydantic's ValidationError."""
        return cls.model_validate(
            {field: env[name] for field, name in cls.variables().items() if name in env}
        )

    @classmethod
    def variables(cls) -> dict[str, str]:
        """Each field's environment variable."""
        return {field: field.upper() for field in cls.model_fields}


class JobSettings(Settings):
    """Where jobs, their credits and their images are."""

    jobs_table: Text
    users_table: Text
    ledger_table: Text
    images_bucket: Text


class RoutedSettings(JobSettings):
    """Job settings, and the routes that models are called on."""

    routes: Annotated[tuple[Route, ...], Field(min_length=1)]
    """JSON: `[{"model", "region", "rate_per_second", "p95_seconds"}, …]`; the first is default."""

    @model_validator(mode="before")
    @classmethod
    def _read_routes(cls, values: dict[str, Any]) -> dict[str, Any]:
        if isinstance(values.get("routes"), str):
            return {**values, "routes": ROUTES.validate_json(values["routes"])}
        return values
