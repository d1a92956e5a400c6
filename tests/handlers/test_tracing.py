"""A job is one trace, from its submit through the queue to its worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from common import observability
from common.aws import clients
from common.observability import TRACE_VARIABLE, about
from functions.sweep.handler import handler as sweep
from tests.contract.backends import REGION
from tests.handlers.calls import Api, Context, event
from tests.handlers.test_worker import delivered
from tests.handlers.wired import call
from tests.world import World

HEADER = "Root=1-6926a3f0-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=1"


def sent_headers() -> list[str | None]:
    """The trace headers of the messages in the queue."""
    sqs = clients.sqs(REGION)
    (queue_url,) = sqs.list_queues()["QueueUrls"]
    found = sqs.receive_message(QueueUrl=queue_url, AttributeNames=["AWSTraceHeader"])
    return [message.get("Attributes", {}).get("AWSTraceHeader") for message in found["Messages"]]


@pytest.mark.usefixtures("calls")
def test_a_message_that_is_sent_in_a_trace_carries_it(
    user_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TRACE_VARIABLE, HEADER)
    assert call("post_jobs", user_id)["statusCode"] == 202
    assert sent_headers() == [HEADER]


@pytest.mark.usefixtures("calls")
def test_a_message_that_is_sent_outside_a_trace_carries_none(user_id: str) -> None:
    assert call("post_jobs", user_id)["statusCode"] == 202
    assert sent_headers() == [None]


@pytest.fixture
def annotated(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What is written on the trace of an invocation."""
    found: dict[str, Any] = {}
    monkeypatch.setattr(observability.tracer, "put_annotation", found.__setitem__)
    return found


def test_a_submits_trace_names_its_job_and_its_owner(api: Api, annotated: dict[str, Any]) -> None:
    job = api.call("post_jobs").json
    assert annotated == {"job_id": job["job_id"], "user_id": "usr_ann"}


def test_a_workers_trace_names_its_job(world: World, annotated: dict[str, Any]) -> None:
    job = world.submitted()
    delivered(world.next_message())
    assert annotated["job_id"] == job.job_id


@pytest.mark.usefixtures("world")
def test_ids_stay_on_the_lines_of_one_invocation_alone(written: Callable[[], str]) -> None:
    about(job_id="job_of_before")
    sweep(event("sweep"), Context(seconds_left=55))
    logged = written()
    assert "swept" in logged
    assert "job_of_before" not in logged
