from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from common.errors import NotFound
from ops.watching.log_lines import group_of, log_groups, log_lines
from sandbox.clients import client_settings
from tests.fakes import START

MS = int(START.timestamp() * 1000)
CREDENTIALS = client_settings("http://127.0.0.1:1")


def logged(level: str, message: str, **facts: Any) -> dict[str, Any]:
    line = {
        "level": level,
        "location": "mend_jobs:1",
        "message": message,
        "timestamp": "2026-11-01 12:00:00,000+0000",
        "service": "sweep",
        "cold_start": True,
        "function_name": "f",
        "function_request_id": "r",
        **facts,
    }
    return {"message": json.dumps(line), "timestamp": MS}


def lines(*events: dict[str, Any], level: str, about: str | None = None) -> list[Any]:
    logs = boto3.client("logs", **CREDENTIALS)
    with Stubber(logs) as stubber:
        stubber.add_response(
            "filter_log_events",
            {"events": list(events)},
            {"logGroupName": "group", "startTime": MS, "filterPattern": ""},
        )
        return list(log_lines(logs, "group", since=START, level=level, about=about))


EVENTS = (
    {"message": "START RequestId: r Version: $LATEST", "timestamp": MS},
    {"message": '{"_aws": {}, "JobsSucceeded": [1.0]}', "timestamp": MS},
    {"message": '["WARNING"]', "timestamp": MS},
    logged("INFO", "swept", given_up=1),
    logged("WARNING", "not mended", job_id="job_1", code="service_failed"),
    logged("ERROR", "unexpected error", job_id="job_2", exception_name="E", stack_trace={}),
)


def test_warnings_and_errors_are_told_with_their_facts_and_nothing_of_lambdas() -> None:
    warned, failed = lines(*EVENTS, level="WARNING")

    assert (warned.at, warned.level, warned.message) == (START, "WARNING", "not mended")
    assert warned.facts == {"job_id": "job_1", "code": "service_failed"}
    assert (failed.message, failed.facts) == ("unexpected error", {"job_id": "job_2"})


def test_all_lines_of_ours_are_told_when_asked() -> None:
    found = lines(*EVENTS, level="INFO")
    assert [line.message for line in found] == ["swept", "not mended", "unexpected error"]


def test_lines_about_one_job_are_told_alone() -> None:
    (line,) = lines(*EVENTS, level="INFO", about="job_2")
    assert line.message == "unexpected error"


def test_each_functions_log_group_is_found_in_the_stack() -> None:
    cloudformation = boto3.client("cloudformation", **CREDENTIALS)
    named = {
        "FunctionsWorkerLogs81C46784": "w",
        "FeedPushLogs4CB8435E": "p",
        "FeedFeedLogs41456ED9": "f",
        "ApiAccessLogs50B185DB": "a",
        "FunctionsWorkerRole00000000": "r",
    }
    summaries = [
        {
            "LogicalResourceId": logical,
            "PhysicalResourceId": physical,
            "ResourceType": "AWS::Logs::LogGroup",
            "LastUpdatedTimestamp": START,
            "ResourceStatus": "CREATE_COMPLETE",
        }
        for logical, physical in named.items()
    ]
    with Stubber(cloudformation) as stubber:
        stubber.add_response("list_stack_resources", {"StackResourceSummaries": summaries})
        groups = log_groups(cloudformation, "Imagify")

    assert groups == {"worker": "w", "push": "p", "feed": "f"}
    assert group_of("push", groups) == "p"
    with pytest.raises(NotFound, match="There is no pusch; there is feed, push, worker"):
        group_of("pusch", groups)


@pytest.mark.parametrize(
    "said",
    [
        "2026-11-01T12:00:00Z 1f2e Task timed out after 55.00 seconds\n\n",
        "[ERROR] Runtime.ImportModuleError: Unable to import module 'functions.sweep.handler'",
        "[ERROR] KeyError: 'job_id'",
        'Traceback (most recent call last):\n  File "x.py", line 1',
        "RequestId: 1f2e Error: Runtime exited with error: signal: killed Runtime.ExitError",
    ],
)
def test_what_lambda_says_of_an_invocation_that_broke_is_an_error(said: str) -> None:
    (line,) = lines({"message": said, "timestamp": MS}, level="WARNING")
    assert line.level == "ERROR"
    assert line.message == " ".join(said.split())
