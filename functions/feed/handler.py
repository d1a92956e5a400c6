"""POST /feed/tickets, and the WebSocket API's $connect, $disconnect and messages."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from common import http
from common.api_feed import TicketView
from common.errors import ServiceFailed, Unauthenticated
from common.feed import HAND_OVER_SECONDS, KEEP_ALIVE_SECONDS
from common.metrics import SOCKETS_OPENED
from common.observability import count, logger, observed
from common.resolver import Response
from common.wiring.feed import services
from common.wiring.snap_start import starts_from_snapshot
from functions.feed.open_socket import give_ticket, open_socket
from functions.feed.refresh import refresh

MESSAGE_CHARS_MAX = 1024
"""No message that a client may send is longer."""

app = http.resolver()
starts_from_snapshot(services)


@app.post("/feed/tickets")
def post_ticket() -> Response:
    """A ticket for the signed-in user: 201."""
    given = services()
    secret = given.new_secret()
    ticket = give_ticket(
        secret, user_id=http.user_id(app.current_event), tickets=given.tickets, now=given.now()
    )
    view = TicketView(
        ticket=secret,
        expires_at=ticket.expires_at,
        keep_alive_seconds=KEEP_ALIVE_SECONDS,
        hand_over_seconds=HAND_OVER_SECONDS,
    )
    return http.answer(HTTPStatus.CREATED, view)


@observed
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Lambda's entry point, for both APIs."""
    if "connectionId" not in event["requestContext"]:
        return app.resolve(event)
    return {"statusCode": _socket_event(event)}


def _socket_event(event: dict[str, Any]) -> HTTPStatus:
    """What happened on a socket; the answer matters to $connect alone, which it lets in or not."""
    given = services()
    connection_id: str = event["requestContext"]["connectionId"]
    try:
        match event["requestContext"]["eventType"]:
            case "CONNECT":
                secret = (event.get("queryStringParameters") or {}).get("ticket", "")
                socket = open_socket(
                    connection_id,
                    secret,
                    tickets=given.tickets,
                    sockets=given.sockets,
                    wire=given.wire,
                    now=given.now(),
                )
                logger.info("socket opened", user_id=socket.user_id)
                count(SOCKETS_OPENED)
            case "DISCONNECT":
                given.sockets.remove(connection_id)
            case _ if _asks_to_refresh(event.get("body") or ""):
                refresh(connection_id, given)
    except Unauthenticated:
        return HTTPStatus.UNAUTHORIZED
    except ServiceFailed as error:
        logger.warning("try again", connection_id=connection_id, reason=error.message)
        return HTTPStatus.SERVICE_UNAVAILABLE
    return HTTPStatus.OK


def _asks_to_refresh(text: str) -> bool:
    """Whether a message says `{"action": "refresh"}`; whatever else it says only keeps alive."""
    try:
        said = json.loads(text) if len(text) <= MESSAGE_CHARS_MAX else None
    except (ValueError, RecursionError):  # a thousand brackets are too deep for the parser
        return False
    return isinstance(said, dict) and said.get("action") == "refresh"
