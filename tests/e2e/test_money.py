"""The whole journey of a person's money, and what operators do with it at a terminal."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.e2e.shop import SMALL_CREDITS, SMALL_VND, Sweep, buy, entries, top_ups, wait_for
from tests.e2e.terminal import imagify, imagify_on_aws
from tests.e2e.test_pipeline import WELCOME_CREDITS, balance, follow, submit
from tests.e2e.vnpay import Vnpay
from tests.product import Sandbox, SignedIn

COST = 2


def audit(sandbox: Sandbox) -> list[dict[str, Any]]:
    """What does not add up."""
    done = imagify(sandbox, "audit", "--json")
    found: list[dict[str, Any]] = json.loads(done.stdout)["discrepancies"]
    assert done.returncode == (1 if found else 0)
    return found


@pytest.fixture
def buyer(
    new_person: Callable[[], SignedIn], open_api: Callable[[SignedIn | None], httpx.Client]
) -> tuple[str, httpx.Client]:
    """A person's address, and the API as they use it."""
    person = new_person()
    return person.person.email, open_api(person)


def bought(api: httpx.Client, vnpay: Vnpay) -> dict[str, Any]:
    """A payment that is paid."""
    payment = buy(api)
    vnpay.choose(payment["urls"]["pay"], "pay")
    return wait_for(api, payment, "paid")


def test_from_no_credits_to_an_image_that_is_paid_for(
    sandbox: Sandbox, api: httpx.Client, vnpay: Vnpay
) -> None:
    spent = [submit(api, f"lantern {number}") for number in range(WELCOME_CREDITS // COST)]
    assert [answer.status_code for answer in spent] == [202] * len(spent)
    broke = submit(api, "one more lantern")
    assert (broke.status_code, broke.json()["code"]) == (402, "insufficient_credits")
    for answer in spent:
        assert follow(api, answer.json()["job_id"])["status"] == "succeeded"

    payment = bought(api, vnpay)
    assert balance(api) == {"available": SMALL_CREDITS, "held": 0}
    job = follow(api, submit(api, "one more lantern").json()["job_id"])

    assert job["charge"] == {"held": 0, "settled": COST, "released": 0}
    settle, hold, top_up = entries(api)[:3]
    assert [settle["kind"], hold["kind"], top_up["kind"]] == ["settle", "hold", "top_up"]
    assert settle["job_id"] == hold["job_id"] == job["job_id"]
    assert top_up["txn_ref"] == payment["txn_ref"]
    assert [each["balance_after"] for each in (settle, hold, top_up)] == [
        {"available": SMALL_CREDITS - COST, "held": 0},
        {"available": SMALL_CREDITS - COST, "held": COST},
        {"available": SMALL_CREDITS, "held": 0},
    ]
    assert entries(api)[-1]["balance_after"] == {"available": WELCOME_CREDITS, "held": 0}
    assert audit(sandbox) == []


def test_a_grant_counts_once_for_a_key_and_says_why(
    sandbox: Sandbox, buyer: tuple[str, httpx.Client]
) -> None:
    email, api = buyer
    key = uuid.uuid4().hex
    grant = ("grant", email.upper(), "7", "--reason", "a broken night", "--key", key)

    tried = imagify(sandbox, *grant, "--dry-run")
    assert (tried.returncode, balance(api)["available"]) == (0, WELCOME_CREDITS)
    assert imagify(sandbox, *grant).returncode == 0
    assert imagify_on_aws(sandbox, *grant).returncode == 0
    other = imagify(sandbox, "grant", email, "8", "--reason", "more", "--key", key)

    assert other.returncode == 1
    assert balance(api)["available"] == WELCOME_CREDITS + 7
    entry = entries(api)[0]
    assert (entry["kind"], entry["reason"]) == ("grant", "a broken night")
    assert imagify(sandbox, "grant", "no@example.com", "1", "--reason", "x").returncode == 1


def test_a_refund_takes_the_credits_back_and_ends_with_the_banks_word(
    sandbox: Sandbox, api: httpx.Client, vnpay: Vnpay, sweep: Sweep
) -> None:
    txn_ref = bought(api, vnpay)["txn_ref"]
    refund = ("payments", "refund", txn_ref, "--reason", "never used")

    tried = imagify_on_aws(sandbox, *refund, "--dry-run")
    assert tried.returncode == 0, tried.stderr
    assert f"{SMALL_VND:,} VND" in tried.stderr
    assert balance(api)["available"] == WELCOME_CREDITS + SMALL_CREDITS
    done = imagify_on_aws(sandbox, *refund)
    again = imagify_on_aws(sandbox, *refund)

    assert (done.returncode, again.returncode) == (0, 1), done.stderr
    assert balance(api)["available"] == WELCOME_CREDITS
    wait_for(api, {"urls": {"self": f"/payments/{txn_ref}"}}, "refunding")
    sweep.make_due(txn_ref)
    sweep.run()
    found = wait_for(api, {"urls": {"self": f"/payments/{txn_ref}"}}, "refunded")
    assert found["refund"] == {"credits": SMALL_CREDITS, "amount_vnd": SMALL_VND}
    assert audit(sandbox) == []


def test_a_refund_that_vnpay_refuses_gives_the_credits_back(
    sandbox: Sandbox, api: httpx.Client, vnpay: Vnpay, sweep: Sweep
) -> None:
    txn_ref = bought(api, vnpay)["txn_ref"]
    vnpay.misbehave("refuse", code="93", command="refund")
    at_once = imagify(sandbox, "payments", "refund", txn_ref, "--reason", "x", "--json")

    assert at_once.returncode == 1
    assert json.loads(at_once.stdout)["status"] == "paid"
    assert balance(api)["available"] == WELCOME_CREDITS + SMALL_CREDITS

    vnpay.misbehave("refund_refused")
    assert imagify(sandbox, "payments", "refund", txn_ref, "--reason", "x").returncode == 0
    assert balance(api)["available"] == WELCOME_CREDITS
    sweep.make_due(txn_ref)
    sweep.run()
    wait_for(api, {"urls": {"self": f"/payments/{txn_ref}"}}, "paid")
    assert balance(api)["available"] == WELCOME_CREDITS + SMALL_CREDITS
    kinds = [entry["kind"] for entry in entries(api)]
    assert kinds[:4] == ["refund_undone", "refund", "refund_undone", "refund"]
    assert audit(sandbox) == []


@pytest.mark.parametrize("kind", ["lost", "unsigned", "error500"])
def test_a_refund_without_an_answer_waits_with_the_credits_taken_until_asking_tells(
    sandbox: Sandbox, api: httpx.Client, vnpay: Vnpay, sweep: Sweep, kind: str
) -> None:
    txn_ref = bought(api, vnpay)["txn_ref"]
    vnpay.misbehave(kind, command="refund")

    done = imagify(sandbox, "payments", "refund", txn_ref, "--reason", "x")

    assert done.returncode == 4, done.stderr
    assert balance(api)["available"] == WELCOME_CREDITS
    assert audit(sandbox) == []
    sweep.make_due(txn_ref)
    sweep.run()
    found = wait_for(api, {"urls": {"self": f"/payments/{txn_ref}"}}, "refunded", "refunding")
    assert found["status"] == ("refunding" if kind == "error500" else "refunded")


def test_credits_that_are_spent_are_not_refunded(
    sandbox: Sandbox, api: httpx.Client, vnpay: Vnpay
) -> None:
    txn_ref = bought(api, vnpay)["txn_ref"]
    for number in range((WELCOME_CREDITS + COST) // COST):
        follow(api, submit(api, f"buoy {number}").json()["job_id"])

    whole = imagify(sandbox, "payments", "refund", txn_ref, "--reason", "x")
    part = imagify(sandbox, "payments", "refund", txn_ref, "--reason", "x", "--credits=18")

    assert whole.returncode == 1
    assert "--credits" in whole.stderr
    assert part.returncode == 0, part.stderr
    assert balance(api) == {"available": 0, "held": 0}
    payment = api.get(f"/payments/{txn_ref}").json()
    assert payment["refund"] == {"credits": 18, "amount_vnd": SMALL_VND * 18 // SMALL_CREDITS}


def test_an_operator_confirms_what_they_saw_or_closes_a_review(
    sandbox: Sandbox, api: httpx.Client, vnpay: Vnpay
) -> None:
    suspected, other = buy(api), buy(api)
    vnpay.misbehave("suspected", txn_ref=suspected["txn_ref"])
    vnpay.misbehave("wrong_amount", txn_ref=other["txn_ref"], amount_vnd=20_000)
    for payment in (suspected, other):
        vnpay.choose(payment["urls"]["pay"], "pay")
        wait_for(api, payment, "review")
    listed = imagify(sandbox, "payments", "list", "--status", "review", "--json")
    assert {suspected["txn_ref"], other["txn_ref"]} <= {
        each["txn_ref"] for each in json.loads(listed.stdout)
    }
    shown = json.loads(imagify(sandbox, "payments", "show", suspected["txn_ref"], "--json").stdout)
    seen = ("--transaction-no", shown["transaction_no"], "--reason", "seen in the portal")

    wrong = imagify(sandbox, "payments", "confirm", other["txn_ref"], "--amount-vnd=20000", *seen)
    right = imagify(
        sandbox, "payments", "confirm", suspected["txn_ref"], f"--amount-vnd={SMALL_VND}", *seen
    )
    closed = imagify(sandbox, "payments", "close", other["txn_ref"], "--reason", "paid back")

    assert (wrong.returncode, right.returncode, closed.returncode) == (1, 0, 0)
    assert top_ups(api) == [SMALL_CREDITS]
    assert entries(api)[0]["reason"] == "seen in the portal"
    assert api.get(other["urls"]["self"]).json()["error"] == {
        "code": "closed",
        "message": "paid back",
    }
    assert audit(sandbox) == []
