"""The people of one run, and their credits."""

from __future__ import annotations

import uuid

import boto3
import httpx

from common.aws.dynamo_ledger import DynamoLedger
from common.aws.dynamo_users import DynamoUserStore
from common.wall_clock import utc_now
from ops.money.acts import find_user, give
from sandbox.clients import client_settings
from sandbox.people import local_people, stranger
from sandbox.state import State
from tests.chaos.course import Course
from tests.chaos.customers import Customer
from tests.chaos.followers import Follower
from tests.chaos.plan import Plan

IMAGE_CREDITS = 2
"""What an image of the local run's model costs."""


def gather(state: State, plan: Plan, course: Course) -> list[Customer]:
    """Make the people, sign them in, and grant them what their orders cost."""
    assert state.outputs is not None
    pool = local_people(state.emulator_url, state.outputs)
    dynamodb = boto3.client("dynamodb", **client_settings(state.emulator_url))
    users_table, ledger_table = state.outputs.UsersTable, state.outputs.LedgerTable
    users = DynamoUserStore(dynamodb, users_table=users_table, ledger_table=ledger_table)
    ledger = DynamoLedger(dynamodb, users_table=users_table, ledger_table=ledger_table)
    customers = []
    for orders in plan.people:
        person = stranger()
        pool.create(person)
        token = pool.sign_in(person)
        give(
            find_user(person.email, users),
            len(orders) * IMAGE_CREDITS,
            key=uuid.uuid4().hex,
            by="tests.chaos",
            reason="for the storm",
            ledger=ledger,
            now=utc_now(),
        )
        customers.append(
            Customer(
                name=person.email,
                api_url=state.api_url or "",
                token=token,
                credits_given=find_user(person.email, users).balance.available,
                orders=orders,
                course=course,
            )
        )
    return customers


def followers(
    state: State, customers: list[Customer], plan: Plan, course: Course
) -> list[Follower]:
    """Those of them who listen to the feed."""
    answer = httpx.get(f"{state.page_url}config.json", trust_env=False).raise_for_status()
    feed_url: str = answer.json()["feed"]
    return [
        Follower(customer, feed_url=feed_url, course=course, seed=f"{plan.seed} {number}")
        for number, customer in enumerate(customers[: plan.listeners])
    ]
