"""Cognito's pre-token-generation trigger, and GET /me."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response

from common import http, wiring
from common.api import me_view
from common.errors import Unauthenticated
from common.observability import logger, observed
from functions.accounts.ensure_user import ensure_user

services = wiring.accounts_services
app = http.resolver()


@app.get("/me")
def get_me() -> Response[str]:
    """The user who asks, and what they have."""
    user = services().users.get(http.user_id(app.current_event))
    if user is None:
        raise Unauthenticated("There is no such user any more; sign in again.")
    return http.answer(HTTPStatus.OK, me_view(user))


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
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Lambda's entry point, for both."""
    if "triggerSource" in event:
        return sign_in(event)
    return app.resolve(event, context)
