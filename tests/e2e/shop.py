"""Buying as a person does, and running the sweep as if time had passed."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest

from common.aws.records import time_text, to_item
from sandbox.clients import client_settings
from sandbox.state import State

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient

WAIT_SECONDS_MAX = 30
SMALL_CREDITS, SMALL_VND = 20, 26_000
SWEEP = "functions.sweep.handler.handler"


class Sweep:
    """The deployed sweep."""

    def __init__(self, state: State) -> None:
        assert state.outputs is not None
        settings = client_settings(state.emulator_url)
        self._lambda: LambdaClient = boto3.client("lambda", **settings)
        self._dynamodb: DynamoDBClient = boto3.client("dynamodb", **settings)
        self._table = state.outputs.PaymentsTable
        functions = self._lambda.list_functions()["Functions"]
        (self._name,) = [each["FunctionName"] for each in functions if each["Handler"] == SWEEP]

    def run(self) -> int:
        """Sweep now; answers how many payments were asked after."""
        answer = self._lambda.invoke(FunctionName=self._name)
        said = httpx.Response(200, content=answer["Payload"].read()).json()
        assert "FunctionError" not in answer, said
        return int(said["payments_asked"])

    def age(self, txn_ref: str, by: timedelta) -> None:
        """Make a payment as old as if so much time had passed since it was begun."""
        expiry = datetime.now(UTC) - by + timedelta(minutes=15)
        self._set(txn_ref, expires_at=time_text(expiry), due_at=time_text(expiry))

    def make_due(self, txn_ref: str) -> None:
        """Have the payment be asked after at the next sweep."""
        self._set(txn_ref, due_at=time_text(datetime.now(UTC)))

    def _set(self, txn_ref: str, **values: str) -> None:
        self._dynamodb.update_item(
            TableName=self._table,
            Key=to_item({"txn_ref": txn_ref}),
            UpdateExpression="SET " + ", ".join(f"{name} = :{name}" for name in values),
            ExpressionAttributeValues=to_item({f":{name}": each for name, each in values.items()}),
        )


def buy(api: httpx.Client, package: str = "small") -> dict[str, Any]:
    """Begin a payment."""
    answer = api.post(
        "/payments", json={"package": package}, headers={"Idempotency-Key": uuid.uuid4().hex}
    )
    assert answer.status_code == 201, answer.text
    payment: dict[str, Any] = answer.json()
    return payment


def wait_for(api: httpx.Client, payment: dict[str, Any], *status: str) -> dict[str, Any]:
    """The payment once it is in one of the states."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while time.monotonic() < deadline:
        found: dict[str, Any] = api.get(payment["urls"]["self"]).raise_for_status().json()
        if found["status"] in status:
            return found
        time.sleep(0.2)
    pytest.fail(f"{found} is not {status} after {WAIT_SECONDS_MAX} s")


def entries(api: httpx.Client) -> list[dict[str, Any]]:
    """The person's ledger, newest first."""
    found: list[dict[str, Any]] = api.get("/me/ledger").raise_for_status().json()["entries"]
    return found


def top_ups(api: httpx.Client) -> list[int]:
    """What each top-up of the person added, newest first."""
    return [each["amount"]["available"] for each in entries(api) if each["kind"] == "top_up"]
