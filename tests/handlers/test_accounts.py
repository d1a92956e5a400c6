"""GET /me and the pre-token-generation trigger."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from common.credits import EntryKind
from common.errors import InvalidRequest
from functions.accounts.handler import handler
from tests.fakes import MemoryUserStore
from tests.handlers.calls import Api, Context, event
from tests.world import CREDITS, World


def sign_in(**attributes: str | None) -> dict[str, Any]:
    """The trigger's answer; an attribute that is None is left out."""
    sent = event("sign_in")
    for name, value in attributes.items():
        sent["request"]["userAttributes"].pop(name)
        if value is not None:
            sent["request"]["userAttributes"][name] = value
    return handler(sent, Context())


def claimed(answer: dict[str, Any]) -> str:
    claims: dict[str, str] = answer["response"]["claimsOverrideDetails"]["claimsToAddOrOverride"]
    assert set(claims) == {"user_id"}
    return claims["user_id"]


def test_me_is_who_asks_and_what_they_have(api: Api) -> None:
    api.world.submit()
    answer = api.call("get_me")
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json == {
        "user_id": "usr_ann",
        "email": "usr_ann@example.com",
        "balance": {"available": CREDITS - 2, "held": 2},
        "created_at": "2026-11-01T12:00:00Z",
    }


def test_a_user_who_is_gone_is_to_sign_in_again(api: Api) -> None:
    assert api.call("get_me", user_id="usr_gone").problem == (401, "unauthenticated")


def test_a_first_sign_in_makes_a_user_with_a_welcome(world: World) -> None:
    sent = event("sign_in")
    answer = sign_in()
    user_id = claimed(answer)
    assert {**answer, "response": None} == {**sent, "response": None}, "the rest is as it was"
    user = world.tables.users[user_id]
    assert user.email == "ann@example.com"
    assert user.balance.available == CREDITS
    assert [entry.kind for entry in world.entries(user_id)] == [EntryKind.GRANT]
    world.audit()


@pytest.mark.parametrize(
    "spelling", ["ann@example.com", "ANN@EXAMPLE.COM", " Ann@Example.com ", "Ann@Example.COM"]
)
def test_every_later_sign_in_is_the_same_user(world: World, spelling: str) -> None:
    first = claimed(sign_in())
    assert claimed(sign_in(email=spelling, sub="another-cognito-id")) == first
    assert len(world.entries(first)) == 1, "one welcome"


@pytest.mark.usefixtures("world")
def test_two_ways_to_write_one_letter_are_one_address() -> None:
    first = claimed(sign_in(email="zo\u00eb@example.com"))
    assert claimed(sign_in(email="zoe\u0308@example.com")) == first


def test_addresses_that_only_look_alike_are_two_people(world: World) -> None:
    assert claimed(sign_in(email="straße@example.com")) != claimed(
        sign_in(email="strasse@example.com")
    )
    world.audit()


@pytest.mark.parametrize("verified", ["false", None, "", "False"])
def test_an_address_that_is_not_verified_is_refused(world: World, verified: str | None) -> None:
    before = dict(world.tables.users)
    with pytest.raises(InvalidRequest) as refused:
        sign_in(email_verified=verified)
    assert refused.value.code == "email_not_verified"
    assert world.tables.users == before


@pytest.mark.parametrize("email", [None, "", "ann", "@example.com", "ann@", "a" * 250 + "@b.cd"])
def test_what_is_no_address_is_refused(world: World, email: str | None) -> None:
    before = dict(world.tables.users)
    with pytest.raises(InvalidRequest) as refused:
        sign_in(email=email)
    assert refused.value.code == "invalid_email"
    assert world.tables.users == before


class LateIndex(MemoryUserStore):
    """An index that does not know of a user yet, as a GSI may not."""

    def find_by_email(self, email: str) -> str | None:  # noqa: ARG002 - the port's
        return None


def test_a_sign_in_that_the_index_does_not_know_of_makes_no_second_user(world: World) -> None:
    first = claimed(sign_in())
    world.users = LateIndex(world.tables)
    assert claimed(sign_in()) == first
    assert len(world.entries(first)) == 1
    world.audit()


def test_no_welcome_is_no_entry(world: World) -> None:
    world.accounts_settings = world.accounts_settings.model_copy(update={"welcome_credits": 0})
    user_id = claimed(sign_in())
    assert world.entries(user_id) == []
    assert world.tables.users[user_id].balance.available == 0


@pytest.mark.usefixtures("world")
def test_no_address_is_logged(written: Callable[[], str]) -> None:
    user_id = claimed(sign_in())
    sign_in()
    with pytest.raises(InvalidRequest):
        sign_in(email_verified="false")
    logged = written()
    assert user_id in logged
    assert "@" not in logged.lower().replace("@timestamp", "")
    assert "example" not in logged.lower()


@pytest.mark.usefixtures("world")
def test_the_answer_is_json() -> None:
    assert json.loads(json.dumps(sign_in()))
