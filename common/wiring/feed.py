"""The feed's services."""

from __future__ import annotations

import os
import secrets
from functools import cache

from common.aws import clients
from common.aws.dynamo_users import DynamoUserStore
from common.services.feed import FeedServices
from common.settings.feed import FeedSettings
from common.wall_clock import utc_now
from common.wiring import feed_parts, parts


@cache
def services() -> FeedServices:
    """Made once, from the environment."""
    settings = FeedSettings.from_env(os.environ)
    connections = feed_parts.connections(settings)
    return FeedServices(
        tickets=connections,
        sockets=connections,
        wire=feed_parts.wire(settings),
        jobs=parts.jobs(settings),
        users=DynamoUserStore(
            clients.dynamodb(settings.home_region),
            users_table=settings.users_table,
            ledger_table=settings.ledger_table,
        ),
        snapshots=parts.snapshots(settings),
        now=utc_now,
        new_secret=secrets.token_urlsafe,
    )
