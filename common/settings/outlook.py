"""What those functions are told that show jobs."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from common.settings.base import Count, RoutedSettings, Text


class ImageLinks(BaseModel):
    """How CloudFront hands out images."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    origin: Text
    """Where, such as `https://imagify.example.com`; the path there is the image's key."""
    key_pair_id: Text
    """CloudFront's name of the public key."""
    key_parameter: Text
    """The name of the SecureString in Parameter Store that holds the private key, as PEM."""


class OutlookSettings(RoutedSettings):
    """What it takes to show a job."""

    routes_table: Text
    """The pacing lines, an item a route."""
    workers: Count
    """How many jobs are worked on at once, at most."""
    image_url_seconds: Count = 900
    """How long a signed image URL works."""
    image_links: ImageLinks | None = None
    """JSON: `{"origin", "key_pair_id", "key_parameter"}`; empty: S3 hands images out itself."""

    @field_validator("image_links", mode="before")
    @classmethod
    def _read_links(cls, value: Any) -> Any:
        if isinstance(value, str):
            return ImageLinks.model_validate_json(value) if value else None
        return value
