"""Cognito's pre-token-generation trigger, GET /me and GET /me/ledger."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from common import http
from common.api import me_view
from common.api_money import EntryList, entry_view
from common.errors import InvalidRequest, Unauthenticated
from common.observability import logger, observed
from common.resolver import Response
from common.wiring.accounts import services
from common.wiring.snap_start import starts_from_snapshot
from functions.accounts.ensure_user import ensure_user
from functions.accounts.read_ledger import Place, read_ledger

PAGE_DEFAULT = 50
PAGE_MAX = 200

app = http.resolver()
starts_from_snapshot(services)


@app.get("/me")
def get_me() -> Response:
    """The user who asks, and what they have."""
    user = services().users.get(http.user_id(app.current_event))
    if user is None:
        raise Unauthenticated("There is no such user any more; sign in again.")
    return http.answer(HTTPStatus.OK, me_view(user))


@app.get("/me/ledger")
def get_ledger() -> Response:
    """Every move of the user's credits, newest first."""
    event = app.current_event
    given = services()
    page = read_ledger(
        http.user_id(event),
        limit=http.query_limit(event, default=PAGE_DEFAULT, most=PAGE_MAX),
        after=_read_place(http.query_text(event, "cursor")),
        users=given.users,
        ledger=given.ledger,
    )
    views = [
        entry_view(row.entry, available_after=row.available_after, held_after=row.held_after)
        for row in page.rows
    ]
    return http.answer(
        HTTPStatus.OK, EntryList(entries=views, next_cursor=_write_place(page.next_place))
    )


def _write_place(place: Place | None) -> str | None:
    if place is None:
        return None
    return http.write_cursor((*place.key, str(place.available), str(place.held)))


def _read_place(cursor: str | None) -> Place | None:
    parts = http.read_long_cursor(cursor, parts=4)
    if parts is None:
        return None
    created_at, entry_id, available, held = parts
    try:
        return Place((created_at, entry_id), int(available), int(held))
    except ValueError:
        raise InvalidRequest("The cursor is not one of ours.", code="invalid_cursor") from None


def sign_in(event: dict[str, Any]) -> dict[str, Any]:
    """Put our `user_id` into the ID token; an error refuses the sign-in."""
    given = services()
    attributes = event["request"]["userAttributes"]
    user_id = ensure_user(
        attributes.get("email", ""),
        verified=attributes.get("email_verified") == "true",
        users=given.users,
        welcome_credits=given.settings.welcome_credits,
        new_id=given.new_id(),
        now=given.now(),
    )
    logger.info("signed in", user_id=user_id)
    event["response"] = {"claimsOverrideDetails": {"claimsToAddOrOverride": {"user_id": user_id}}}
    return event


@observed
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Lambda's entry point, for both."""
    if "triggerSource" in event:
        return sign_in(event)
    return app.resolve(event)
