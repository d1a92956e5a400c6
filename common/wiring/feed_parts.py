"""What the feed and the push are made of: sockets, and how to speak on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.aws import clients
from common.aws.api_gateway_wire import ApiGatewayWire
from common.aws.dynamo_connections import DynamoConnections

if TYPE_CHECKING:
    from common.settings.feed import FeedSettings


def connections(settings: FeedSettings) -> DynamoConnections:
    """The open sockets and the tickets to them."""
    return DynamoConnections(
        clients.dynamodb(settings.home_region), connections_table=settings.connections_table
    )


def wire(settings: FeedSettings) -> ApiGatewayWire:
    """What is said on a socket goes here."""
    client = clients.sockets(
        settings.home_region, api_id=settings.feed_api_id, stage=settings.feed_stage
    )
    return ApiGatewayWire(client)
