"""What `imagify status` reads from the worker's log: starts, and jobs that failed."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from ops.commands.status import recent_sentences
from ops.watching.recent import FAILURES_MAX, FAILURES_MINUTES, STARTS_MINUTES, Recent, Use, recent
from sandbox.clients import client_settings
from tests.fakes import START
from tests.world import CORE, TITAN

MS = int(START.timestamp() * 1000)


def started(*failed: int, model: str = CORE.model, region: str = CORE.region) -> dict[str, Any]:
    line = {"_aws": {}, "service": "worker", "model": model, "region": region}
    return {"message": json.dumps({**line, "ModelErrors": list(failed)}), "timestamp": MS}


def ended(message: str, number: int, *, code: str = "model_failed", ago: int = 0) -> dict[str, Any]:
    line = {"level": "INFO", "message": message, "job_id": f"job_{number}", "code": code}
    return {"message": json.dumps(line), "timestamp": MS - ago * 1000}


def read(starts: list[dict[str, Any]], ends: list[dict[str, Any]]) -> Recent:
    logs = boto3.client("logs", **client_settings("http://127.0.0.1:1"))
    with Stubber(logs) as stubber:
        for events, pattern, minutes in (
            (starts, '"ModelErrors"', STARTS_MINUTES),
            (ends, '"job_id" "code"', FAILURES_MINUTES),
        ):
            stubber.add_response(
                "filter_log_events",
                {"events": events},
                {
                    "logGroupName": "group",
                    "startTime": MS - minutes * 60_000,
                    "filterPattern": pattern,
                },
            )
        return recent(logs, "group", routes=(CORE, TITAN), now=START)


def test_starts_are_counted_by_route_and_compared_with_the_quota() -> None:
    junk = [{"message": text, "timestamp": MS} for text in ('"ModelErrors"', "no json", "{}")]
    found = read([started(0), started(1, 1, 0), started(0, region="eu-west-1"), *junk], [])
    assert found.use == [
        Use(route=CORE.name, starts=4, starts_max=600),
        Use(route=TITAN.name, starts=0, starts_max=600),
    ]
    assert found.use[0].percent == 1


def test_the_latest_failures_are_told_first_and_only_a_few() -> None:
    told = [
        ended("failed", 0, ago=900),
        ended("attempt failed", 1, ago=800),
        ended("put off", 2, ago=700),
        *(ended("stalled", number, ago=600 - number) for number in range(3, 9)),
        ended("failed", 9, code="content_refused"),
    ]
    found = read([], told)
    assert [failure.job_id for failure in found.failures] == [
        f"job_{number}" for number in (9, 8, 7, 6, 5)
    ]
    assert len(found.failures) == FAILURES_MAX
    first, second, *_rest = found.failures
    assert (first.status, first.code, first.age_seconds) == ("failed", "content_refused", 0)
    assert (second.status, second.code, second.age_seconds) == ("stalled", "model_failed", 592)


@pytest.mark.parametrize(
    ("ends", "name", "said"),
    [
        ([], "failures", "none in 60 minutes"),
        (
            [ended("stalled", 4, ago=75)],
            "failure 1",
            "job_4: stalled, model_failed, 1 min 15 s ago",
        ),
    ],
    ids=["none", "one"],
)
def test_people_are_told_in_words(ends: list[dict[str, Any]], name: str, said: str) -> None:
    told = recent_sentences(read([started(0, 0, 0)], ends))
    assert told["used 1"] == "0% of the quota: 3 of 600 starts in 5 minutes"
    assert told[name] == said
