"""What the page works with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Backends:
    """What the page works with, each by its URL."""

    api: str
    feed: str
    cognito: str
    client_id: str
    images: str
    """Where signed URLs of images lead; only its origin matters."""

    def configuration(self) -> dict[str, object]:
        """The page's `config.json`."""
        return {
            "api": "/api",
            "feed": self.feed,
            "cognito": {"endpoint": self.cognito, "client_id": self.client_id},
        }
