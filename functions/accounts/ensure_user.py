"""Find or create the user behind an e-mail address, once per sign-in.

Cognito's own ids have been seen to differ for one person, so a person is known by an address that
Cognito has verified. Everything after sign-in works with our id, which the ID token carries.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from common.credits import Balance, apply, grant
from common.email_address import normalised
from common.errors import InvalidRequest
from common.users import User

if TYPE_CHECKING:
    from common.ports import UserStore

WELCOME = "welcome"


def ensure_user(
    email: str,
    *,
    verified: bool,
    users: UserStore,
    welcome_credits: int,
    new_id: str,
    now: datetime,
) -> str:
    """The id of the user with that address, created with a welcome grant if there is none.

    Raises InvalidRequest for an address that is not verified or is none. Two sign-ins at once give
    one user: the one who comes second gets the first one's id.
    """
    if not verified:
        raise InvalidRequest("The e-mail address is not verified.", code="email_not_verified")
    address = normalised(email)
    known = users.find_by_email(address)
    if known is not None:
        return known
    user_id = f"usr_{new_id}"
    welcome = None
    balance = Balance()
    if welcome_credits:
        welcome = grant(user_id, amount=welcome_credits, cause=WELCOME, reason=WELCOME, now=now)
        balance = apply(balance, welcome, active_jobs_max=None)
    user = User(user_id=user_id, email=address, created_at=now, balance=balance)
    return users.create(user, welcome)
