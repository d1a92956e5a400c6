"""How our own programs reach the emulator: as the account's root, and nothing but the emulator."""

from __future__ import annotations

from typing import TypedDict

from botocore.config import Config

from sandbox.environment import ACCOUNT, HOME_REGION, SECRET


class ClientSettings(TypedDict):
    """What `boto3.client` is told beside the service's name."""

    endpoint_url: str
    region_name: str
    aws_access_key_id: str
    aws_secret_access_key: str
    config: Config


def client_settings(endpoint: str) -> ClientSettings:
    """Settings for a client of the emulator; proxies have no say on loopback."""
    return {
        "endpoint_url": endpoint,
        "region_name": HOME_REGION,
        "aws_access_key_id": ACCOUNT,
        "aws_secret_access_key": SECRET,
        "config": Config(
            connect_timeout=5,
            read_timeout=30,
            retries={"mode": "standard", "total_max_attempts": 3},
            proxies={},
        ),
    }
