"""Each command of docs/RUNBOOK.md is run as it stands, in the state that its section is about."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from itertools import dropwhile, takewhile

import boto3
import httpx
import pytest

from sandbox.clients import client_settings
from sandbox.places import REPOSITORY
from tests.e2e.runbook import Section, sections
from tests.e2e.shop import buy, wait_for
from tests.e2e.stalling import leave_stalled
from tests.e2e.terminal import imagify
from tests.e2e.test_money import COST, audit, bought
from tests.e2e.test_pipeline import follow, submit
from tests.e2e.vnpay import Vnpay
from tests.product import Sandbox, SignedIn

LETTERS_BEGIN = "A job has been queued for long"
"""The first thing that people write in for; alarms come before."""


class Night:
    """A night with everything in it that the page is about, and an operator."""

    def __init__(self, sandbox: Sandbox, person: SignedIn, api: httpx.Client) -> None:
        self._sandbox = sandbox
        self.api = api
        self.names = {"EMAIL": person.person.email}
        """What the names in the commands stand for."""

    def draw(self, prompt: str) -> str:
        """A job that succeeds."""
        job = follow(self.api, submit(self.api, prompt).json()["job_id"])
        assert job["status"] == "succeeded"
        return str(job["job_id"])

    def run(self, section: Section) -> str:
        """Type the section's commands, one after the other; what they print."""
        printed = ""
        for command in section.commands:
            done = subprocess.run(
                ["bash", "-euc", command],
                cwd=REPOSITORY,
                env={
                    **os.environ,
                    **self.names,
                    "IMAGIFY_STATE_DIR": str(self._sandbox.places.home),
                },
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            said = f"{done.stdout}{done.stderr}"
            assert done.returncode == 0, f"{section.title}: {command}\n{said}"
            printed += said
        return printed


def put_by_hand(sandbox: Sandbox) -> str:
    """A message in the dead-letter queue that is no job of ours; its id."""
    sqs = boto3.client("sqs", **client_settings(sandbox.state.emulator_url))
    queue_url = sandbox.outputs.DeadLetterQueueUrl
    return sqs.send_message(QueueUrl=queue_url, MessageBody="hello?")["MessageId"]


def in_review(sandbox: Sandbox, api: httpx.Client, vnpay: Vnpay) -> tuple[str, str]:
    """A payment that VNPAY suspects: its reference, and VNPAY's number of it."""
    payment = buy(api)
    vnpay.misbehave("suspected", txn_ref=payment["txn_ref"])
    vnpay.choose(payment["urls"]["pay"], "pay")
    wait_for(api, payment, "review")
    tables = boto3.client("dynamodb", **client_settings(sandbox.state.emulator_url))
    item = tables.get_item(
        TableName=sandbox.outputs.PaymentsTable, Key={"txn_ref": {"S": payment["txn_ref"]}}
    )["Item"]
    return payment["txn_ref"], item["transaction_no"]["S"]


@pytest.fixture
def night(
    sandbox: Sandbox,
    new_person: Callable[[], SignedIn],
    open_api: Callable[[SignedIn | None], httpx.Client],
    vnpay: Vnpay,
) -> Night:
    """An image, a message that is no job, one payment in review and one that is paid."""
    person = new_person()
    night = Night(sandbox, person, open_api(person))
    night.names["JOB"] = night.draw("a calm")
    night.names["MESSAGE"] = put_by_hand(sandbox)
    night.names["PAYMENT"], night.names["TRANSACTION"] = in_review(sandbox, night.api, vnpay)
    night.names["PAID"] = bought(night.api, vnpay)["txn_ref"]
    return night


def test_an_operator_does_what_the_page_says_about_each_alarm(
    sandbox: Sandbox, night: Night, control: httpx.Client
) -> None:
    control.post("/behaviour", json={"kind": "internal", "calls": 1}).raise_for_status()
    night.draw("after a failure")
    for name in ("JOB", "OTHER_JOB"):
        night.names[name] = leave_stalled(sandbox, night.api)
    for section in takewhile(lambda each: each.title != LETTERS_BEGIN, sections()):
        said = night.run(section)
        if section.title == "first":
            assert "everything adds up" in said
            assert "stability.stable-image-core-v1:1@us-west-2: in order" in said
        elif section.title == "StalledJobs":
            assert "model_failed" in said
            assert follow(night.api, night.names["JOB"])["status"] == "succeeded"
        elif section.title == "DeadLetters":
            assert night.names["MESSAGE"] not in imagify(sandbox, "dlq", "list").stdout
        elif section.title == "ModelAway":
            assert "The model's service answered InternalServerException." in said
        elif section.title == "SweepFails":
            assert "swept" in said
        elif section.title == "MoneyThatDoesNotFitPayments":
            payment = night.api.get(f"/payments/{night.names['PAYMENT']}").json()
            assert (payment["status"], payment["error"]["code"]) == ("failed", "closed")

    discarded = night.api.get(f"/jobs/{night.names['OTHER_JOB']}").json()
    assert (discarded["status"], discarded["error"]["code"]) == ("failed", "discarded")
    assert discarded["charge"]["released"] == COST
    assert audit(sandbox) == []


def test_an_operator_does_what_the_page_says_about_what_people_write(
    sandbox: Sandbox, night: Night
) -> None:
    stalled = leave_stalled(sandbox, night.api)
    for section in dropwhile(lambda each: each.title != LETTERS_BEGIN, sections()):
        if section.title == "The dead-letter queue was purged":
            sqs = boto3.client("sqs", **client_settings(sandbox.state.emulator_url))
            sqs.purge_queue(QueueUrl=sandbox.outputs.DeadLetterQueueUrl)
            assert stalled in night.run(section)
            assert follow(night.api, stalled)["status"] == "succeeded"
        else:
            night.run(section)

    refunded = night.api.get(f"/payments/{night.names['PAID']}").json()
    assert refunded["status"] in ("refunding", "refunded")
    ledger = night.api.get("/me/ledger").json()["entries"]
    assert [each.get("reason") for each in ledger].count("a poor image") == 1
    assert audit(sandbox) == []


def test_each_section_says_what_it_means_what_to_do_and_how_one_sees_that_it_worked() -> None:
    _first, *others = sections()
    for section in others:
        assert section.commands, section.title
        assert "**Means** " in section.text, section.title
        assert "**It worked** when " in section.text, section.title
