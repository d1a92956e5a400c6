"""GET /me/ledger."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from common.credits import LedgerEntry, grant
from common.errors import ServiceFailed
from common.pages import Page
from ops.money.acts import give
from tests.fakes_money import MemoryLedger
from tests.handlers.calls import Api, event
from tests.vnpay_by_hand import ipn
from tests.world import CREDITS, SMALL

TXN_REF = "IMG7ec604411831fb51717972182068d936"
JOB_ID = "job_5e247afc3034f9f6653987e996f3283d"


@pytest.fixture
def story(api: Api) -> Api:
    """A welcome, a purchase, an image, and a gift, a second apart."""
    world = api.world
    world.clock.advance(1)
    api.call("get_ipn", query=ipn(world.buy()))
    world.clock.advance(1)
    world.submit()
    world.clock.advance(1)
    world.work_until_terminal(JOB_ID)
    world.clock.advance(1)
    world.ledger.add(gift(api))
    return api


def gift(api: Api) -> LedgerEntry:
    return grant(
        "usr_ann",
        amount=3,
        cause="late",
        reason="For the wait.",
        now=api.world.clock(),
        by="eve@example.com",
    )


def test_the_ledger_tells_each_move_its_cause_and_the_balance_after_it(story: Api) -> None:
    answer = story.call("get_ledger")
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json["next_cursor"] is None
    entries = answer.json["entries"]
    told = [
        (
            entry["kind"],
            (entry["amount"]["available"], entry["amount"]["held"]),
            (entry["balance_after"]["available"], entry["balance_after"]["held"]),
        )
        for entry in entries
    ]
    bought = CREDITS + SMALL.credits
    assert told == [
        ("grant", (3, 0), (bought + 1, 0)),
        ("settle", (0, -2), (bought - 2, 0)),
        ("hold", (-2, 2), (bought - 2, 2)),
        ("top_up", (SMALL.credits, 0), (bought, 0)),
        ("grant", (CREDITS, 0), (CREDITS, 0)),
    ]
    assert [entry["txn_ref"] for entry in entries] == [None, None, None, TXN_REF, None]
    assert [entry["job_id"] for entry in entries] == [None, JOB_ID, JOB_ID, None, None]
    assert len({entry["entry_id"] for entry in entries}) == 5
    balance = story.call("get_me").json["balance"]
    assert balance == entries[0]["balance_after"], "the newest is what there is"


def test_a_move_by_hand_says_why_and_not_who(story: Api) -> None:
    answer = story.call("get_ledger")
    assert answer.json["entries"][0] == {
        "entry_id": "grant#late",
        "kind": "grant",
        "job_id": None,
        "txn_ref": None,
        "reason": "For the wait.",
        "created_at": answer.json["entries"][0]["created_at"],
        "amount": {"available": 3, "held": 0},
        "balance_after": {"available": CREDITS + SMALL.credits + 1, "held": 0},
    }
    assert "eve" not in answer.text


def read_all(api: Api, limit: int) -> list[dict[str, Any]]:
    """The entries on all pages."""
    found: list[dict[str, Any]] = []
    query = {"limit": str(limit)}
    for _page in range(20):
        answer = api.call("get_ledger", query=query)
        assert answer.status == 200, answer.text
        page = answer.json
        assert len(page["entries"]) <= limit
        found += page["entries"]
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 200])
def test_pages_tell_the_same_as_one(story: Api, limit: int) -> None:
    assert read_all(story, limit) == story.call("get_ledger").json["entries"]


def test_the_longest_entries_have_cursors_that_are_read_again(api: Api) -> None:
    """A cursor is refused when it is too long to be ours, so ours may not get that long."""
    api.world.person("usr_rich", available=2_000_000_000)
    for number in range(3):
        api.world.clock.advance(1)
        entry = LedgerEntry(
            user_id="usr_rich",
            entry_id=f"payment#{TXN_REF}#refund_undone#{1000 + number}",
            kind=gift(api).kind,
            created_at=api.world.clock(),
            available=1,
        )
        api.world.ledger.add(entry)
    first = api.call("get_ledger", user_id="usr_rich", query={"limit": "1"})
    query = {"limit": "9", "cursor": first.json["next_cursor"]}
    assert len(api.call("get_ledger", user_id="usr_rich", query=query).json["entries"]) == 3


def test_a_ledger_is_its_owners_alone(story: Api) -> None:
    story.world.person("usr_ben", available=7)
    entries = story.call("get_ledger", user_id="usr_ben").json["entries"]
    assert [entry["amount"]["available"] for entry in entries] == [7]
    anns = story.call("get_ledger", query={"limit": "2"}).json["next_cursor"]
    answer = story.call("get_ledger", user_id="usr_ben", query={"cursor": anns})
    ids = {entry["entry_id"] for entry in answer.json["entries"]}
    assert ids <= {entry["entry_id"] for entry in entries}, "another's cursor opens nothing"


def test_a_token_without_our_user_id_is_401(api: Api) -> None:
    assert api.call("get_ledger", user_id=None).problem == (401, "unauthenticated")
    assert api.call("get_ledger", user_id="usr_gone").problem == (401, "unauthenticated")
    sent = event("get_ledger")
    del sent["requestContext"]["authorizer"]
    assert api.send("get_ledger", sent).problem == (401, "unauthenticated")


@pytest.mark.parametrize("limit", ["0", "201", "-1", "x", ""])
def test_a_bad_limit_is_refused(api: Api, limit: str) -> None:
    answer = api.call("get_ledger", query={"limit": limit})
    assert answer.problem == (400, "invalid_limit")


@pytest.mark.parametrize(
    "position",
    [["a", "b"], ["a", "b", "1"], ["a", "b", "x", "1"], ["a", "b", "1", "1.5"], "abcd", 7],
)
def test_a_cursor_that_is_not_ours_is_refused(api: Api, position: object) -> None:
    cursor = base64.urlsafe_b64encode(json.dumps(position).encode()).decode()
    answer = api.call("get_ledger", query={"cursor": cursor})
    assert answer.problem == (400, "invalid_cursor")


class Restless(MemoryLedger):
    """A ledger that is written to at every look."""

    def page(
        self, user_id: str, *, limit: int, after: tuple[str, str] | None = None
    ) -> Page[LedgerEntry]:
        number = len(self._tables.ledger)
        now = next(iter(self._tables.ledger.values())).created_at
        self.add(grant(user_id, amount=1, cause=f"more-{number}", reason="", now=now))
        return super().page(user_id, limit=limit, after=after)


class Broken(MemoryLedger):
    """A ledger that does not answer."""

    def page(self, *_args: object, **_named: object) -> Page[LedgerEntry]:
        raise ServiceFailed("Reading the ledger did not work: arn:aws:dynamodb:secret.")


@pytest.mark.parametrize("ledger", [Restless, Broken])
def test_a_ledger_that_cannot_be_told_just_now_is_503(api: Api, ledger: type[MemoryLedger]) -> None:
    api.world.ledger = ledger(api.world.tables)
    answer = api.call("get_ledger")
    assert answer.problem == (503, "try_again")
    assert int(answer.headers["Retry-After"]) > 0
    assert "arn" not in answer.text


@pytest.mark.parametrize("key", ["k" * 64, "goodwill/2026-11,(ticket_4711)", '"' * 64])
def test_a_gift_under_any_key_does_not_end_the_pages(api: Api, key: str) -> None:
    """An operator may name a gift as they like, and a page may end with it."""
    api.world.clock.advance(1)
    ann = api.world.tables.users["usr_ann"]
    now = api.world.clock()
    give(ann, 1, key=key, by="eve", reason="", ledger=api.world.ledger, now=now)
    assert [told["entry_id"] for told in read_all(api, 1)] == [f"grant#{key}", "grant#welcome"]
