from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from common.credits import Balance, grant
from common.errors import StaleWrite
from common.users import User
from tests.contract.backends import Stores, at_once, on_threads, raised
from tests.fakes import START

Fresh = Callable[[str], str]
WELCOME = 10


def person(user_id: str, email: str, *, available: int = WELCOME) -> User:
    return User(
        user_id=user_id, email=email, created_at=START, balance=Balance(available=available)
    )


def create(stores: Stores, user: User) -> str:
    available = user.balance.available
    welcome = grant(user.user_id, amount=available, cause="welcome", reason="Welcome", now=START)
    return stores.users.create(user, welcome if available else None)


def test_a_created_user_is_found_by_id_and_by_email(stores: Stores, fresh: Fresh) -> None:
    ann = person(fresh("ann"), f"{fresh('ann')}@example.com")
    assert create(stores, ann) == ann.user_id
    assert stores.users.get(ann.user_id) == ann
    assert stores.users.find_by_email(ann.email) == ann.user_id


def test_the_welcome_is_in_the_ledger(stores: Stores, fresh: Fresh) -> None:
    ann = person(fresh("ann"), f"{fresh('ann')}@example.com")
    create(stores, ann)
    assert [
        (entry.kind, entry.available, entry.held, entry.active_jobs, entry.reason)
        for entry in stores.ledger(ann.user_id)
    ] == [("grant", WELCOME, 0, 0, "Welcome")]


def test_without_a_welcome_nothing_is_in_the_ledger(stores: Stores, fresh: Fresh) -> None:
    ann = person(fresh("ann"), f"{fresh('ann')}@example.com", available=0)
    create(stores, ann)
    assert stores.users.get(ann.user_id) == ann
    assert stores.ledger(ann.user_id) == []


def test_nobody_is_nobody(stores: Stores, fresh: Fresh) -> None:
    assert stores.users.get(fresh("nobody")) is None
    assert stores.users.find_by_email(f"{fresh('nobody')}@example.com") is None


def test_a_taken_address_stays_with_its_owner(stores: Stores, fresh: Fresh) -> None:
    ann = person(fresh("ann"), f"{fresh('ann')}@example.com")
    create(stores, ann)
    bob = person(fresh("bob"), ann.email)
    assert create(stores, bob) == ann.user_id
    assert stores.users.get(bob.user_id) is None
    assert stores.ledger(bob.user_id) == []
    assert stores.users.find_by_email(ann.email) == ann.user_id


def test_creating_the_same_user_again_grants_nothing(stores: Stores, fresh: Fresh) -> None:
    ann = person(fresh("ann"), f"{fresh('ann')}@example.com")
    for _ in range(2):
        assert create(stores, ann) == ann.user_id
    assert stores.users.get(ann.user_id) == ann
    assert len(stores.ledger(ann.user_id)) == 1


def test_an_id_is_not_given_a_second_address(stores: Stores, fresh: Fresh) -> None:
    ann = person(fresh("ann"), f"{fresh('ann')}@example.com")
    create(stores, ann)
    other = f"{fresh('other')}@example.com"
    with pytest.raises(StaleWrite):
        create(stores, person(ann.user_id, other))
    assert stores.users.get(ann.user_id) == ann
    assert stores.users.find_by_email(other) is None
    assert create(stores, person(fresh("bob"), other)) == fresh("bob")


def test_what_guards_an_address_is_no_user(stores: Stores, fresh: Fresh) -> None:
    ann = person(fresh("ann"), f"{fresh('ann')}@example.com")
    create(stores, ann)
    assert stores.users.get(f"email#{ann.email}") is None


@on_threads
def test_of_many_first_sign_ins_at_once_one_makes_the_user(stores: Stores, fresh: Fresh) -> None:
    email = f"{fresh('ann')}@example.com"
    rivals = [person(fresh(f"ann{number}"), email) for number in range(10)]
    answers = at_once([partial(create, stores, rival) for rival in rivals])
    assert raised(answers) == []
    owner = stores.users.find_by_email(email)
    assert set(answers) == {owner}
    there = [rival.user_id for rival in rivals if stores.users.get(rival.user_id)]
    assert there == [owner]
    assert sum(len(stores.ledger(rival.user_id)) for rival in rivals) == 1
