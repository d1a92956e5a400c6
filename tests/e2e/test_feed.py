"""The feed on the deployed stack: tickets, sockets, and who is told what."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest
from websockets.exceptions import InvalidStatus

from common import credits as ledger
from common.aws.dynamo_ledger import DynamoLedger
from common.feed import ticket_digest
from common.wall_clock import utc_now
from sandbox.clients import client_settings
from tests.browser.backstage import Backstage
from tests.e2e.listener import Listener, feed_url, knock, ticket
from tests.product import Sandbox, SignedIn

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PROMPT = {"prompt": "a heron in the reeds"}
OpenApi = Callable[[SignedIn | None], httpx.Client]


@pytest.fixture
def dynamodb(sandbox: Sandbox) -> DynamoDBClient:
    client: DynamoDBClient = boto3.client("dynamodb", **client_settings(sandbox.state.emulator_url))
    return client


@pytest.fixture
def connections(dynamodb: DynamoDBClient) -> str:
    """The table's name."""
    (name,) = (each for each in dynamodb.list_tables()["TableNames"] if "Connections" in each)
    return name


def submit(api: httpx.Client, **headers: str) -> dict[str, Any]:
    answer = api.post("/jobs", json=PROMPT, headers=headers)
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    return job


def test_each_change_of_a_job_is_pushed_with_what_a_look_says(
    sandbox: Sandbox, api: httpx.Client
) -> None:
    with Listener(sandbox, api) as listener:
        job_id = submit(api)["job_id"]
        listener.until(lambda: listener.ended(job_id))
    told = listener.of_job(job_id)
    assert [job["status"] for job in told] == ["queued", "generating", "succeeded"]
    assert [job["version"] for job in told] == [1, 2, 3]
    assert told[0]["queue"]["position"] >= 1
    assert 0 <= told[1]["progress"]["percent"] < 100
    assert told[2]["charge"] == {"held": 0, "settled": 2, "released": 0}
    looked = api.get(f"/jobs/{job_id}").json()
    for snapshot in (looked, told[2]):
        assert httpx.get(snapshot["image"].pop("url"), trust_env=False).is_success
        del snapshot["image"]["expires_at"]
    assert told[2] == looked


def test_the_balance_is_pushed_whoever_moves_it(
    sandbox: Sandbox, api: httpx.Client, dynamodb: DynamoDBClient
) -> None:
    outputs = sandbox.outputs
    books = DynamoLedger(dynamodb, users_table=outputs.UsersTable, ledger_table=outputs.LedgerTable)
    user_id = api.get("/me").json()["user_id"]
    gift = ledger.grant(user_id, amount=5, cause="feed", reason="a test", now=utc_now())
    with Listener(sandbox, api) as listener:
        books.add(gift)
        listener.until(lambda: {"available": 15, "held": 0} in listener.balances())
        job_id = submit(api)["job_id"]
        listener.until(lambda: listener.balances()[-1] == {"available": 13, "held": 0})
    assert {"available": 13, "held": 2} in listener.balances()
    assert listener.ended(job_id)


def test_a_cancel_is_pushed(sandbox: Sandbox, api: httpx.Client) -> None:
    with Backstage(sandbox).workers_stopped(), Listener(sandbox, api) as listener:
        job_id = submit(api)["job_id"]
        assert api.delete(f"/jobs/{job_id}").status_code == 200
        listener.until(lambda: listener.ended(job_id))
        listener.until(lambda: listener.balances()[-1:] == [{"available": 10, "held": 0}])
    assert [job["status"] for job in listener.of_job(job_id)] == ["queued", "canceled"]


def test_a_refresh_tells_the_active_jobs_the_balance_and_that_this_is_all(
    sandbox: Sandbox, api: httpx.Client, control: httpx.Client
) -> None:
    control.post("/settings", json={"latency_seconds": 3}).raise_for_status()
    ended = submit(api, Prefer="wait=20")
    assert ended["status"] == "succeeded"
    active = [submit(api)["job_id"] for _ in range(2)]
    with Listener(sandbox, api) as listener:
        told = listener.refresh()
        listener.until(lambda: listener.balances()[-1:] == [{"available": 4, "held": 4}])
    # What happened just before may still be pushed in between.
    shown = {each["job"]["job_id"] for each in told if each["type"] == "job"}
    assert shown - {ended["job_id"]} == set(active)
    assert any(each["type"] == "balance" for each in told)
    assert told[-1]["type"] == "refreshed"
    assert set(told[-1]["active"]) == set(active)


def test_nobody_elses_socket_is_told_anything(
    sandbox: Sandbox, open_api: OpenApi, new_person: Callable[[], SignedIn]
) -> None:
    ann, ben = open_api(new_person()), open_api(new_person())
    with Listener(sandbox, ann) as of_ann, Listener(sandbox, ben) as of_ben:
        job_id = submit(ann)["job_id"]
        of_ann.until(lambda: of_ann.ended(job_id))
        told = of_ben.refresh()
    assert told[-1] == {"type": "refreshed", "active": []}
    assert {each["type"] for each in of_ben.messages} == {"balance", "refreshed"}
    assert {"available": 10, "held": 0} in of_ben.balances()
    assert all(balance["held"] == 0 for balance in of_ben.balances())
    assert ben.get(f"/jobs/{job_id}").status_code == 404


def test_a_ticket_opens_one_socket(sandbox: Sandbox, api: httpx.Client) -> None:
    url, secret = feed_url(sandbox), ticket(api)
    with knock(url, f"?ticket={secret}"):
        pass
    with pytest.raises(InvalidStatus) as refused, knock(url, f"?ticket={secret}"):
        pass
    assert refused.value.response.status_code in (401, 403)


@pytest.mark.parametrize("query", ["", "?ticket=", "?ticket=guessed"])
def test_a_socket_needs_a_ticket(sandbox: Sandbox, query: str) -> None:
    with pytest.raises(InvalidStatus) as refused, knock(feed_url(sandbox), query):
        pass
    assert refused.value.response.status_code in (401, 403)


def test_a_ticket_that_has_expired_opens_nothing(
    sandbox: Sandbox, api: httpx.Client, dynamodb: DynamoDBClient, connections: str
) -> None:
    secret = ticket(api)
    dynamodb.update_item(
        TableName=connections,
        Key={"connection_id": {"S": f"ticket#{ticket_digest(secret)}"}},
        UpdateExpression="SET expires_at = :now",
        ExpressionAttributeValues={":now": {"N": str(int(time.time()))}},
    )
    url = feed_url(sandbox)
    with pytest.raises(InvalidStatus), knock(url, f"?ticket={secret}"):
        pass


def test_only_who_is_signed_in_gets_a_ticket(open_api: OpenApi) -> None:
    assert open_api(None).post("/feed/tickets").status_code == 401


def test_a_socket_that_is_gone_is_forgotten_and_holds_nothing_up(
    sandbox: Sandbox, api: httpx.Client, dynamodb: DynamoDBClient, connections: str
) -> None:
    user_id = api.get("/me").json()["user_id"]
    gone = {"connection_id": {"S": "long-gone"}}
    item = {
        **gone,
        "user_id": {"S": user_id},
        "opened_at": {"S": "2026-11-01T00:00:00Z"},
        "expires_at": {"N": str(int(time.time()) + 600)},
    }
    dynamodb.put_item(TableName=connections, Item=item)
    with Listener(sandbox, api) as listener:
        job_id = submit(api)["job_id"]
        listener.until(lambda: listener.ended(job_id))
    assert "Item" not in dynamodb.get_item(TableName=connections, Key=gone, ConsistentRead=True)


def test_a_socket_that_closes_is_forgotten(
    sandbox: Sandbox, api: httpx.Client, dynamodb: DynamoDBClient, connections: str
) -> None:
    user_id = api.get("/me").json()["user_id"]

    def sockets() -> int:
        items = dynamodb.scan(TableName=connections, ConsistentRead=True)["Items"]
        return sum(item.get("user_id") == {"S": user_id} for item in items)

    with Listener(sandbox, api):
        assert sockets() == 1
    deadline = time.monotonic() + 20
    while sockets() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert sockets() == 0


def test_long_polling_answers_as_soon_as_the_job_ends(api: httpx.Client) -> None:
    job = submit(api)
    answer = api.get(f"/jobs/{job['job_id']}", headers={"Prefer": "wait=20"})
    assert answer.json()["status"] == "succeeded"
    assert answer.headers["Preference-Applied"] == "wait=20"
    again = api.get(
        f"/jobs/{job['job_id']}",
        headers={"Prefer": "wait=20", "If-None-Match": answer.headers["ETag"]},
    )
    assert again.status_code == 304
