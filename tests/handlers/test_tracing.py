"""A job is one trace, from its submit through the queue to its worker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from common.observability import about
from functions.sweep.handler import handler as sweep
from sandbox.places import REPOSITORY
from tests.handlers.calls import Api, Context, event
from tests.handlers.test_worker import delivered
from tests.world import World

ROOT = "1-6926a3f0-0123456789abcdef01234567"
FUNCTIONS_OWN = "0123456789abcdef"
IN_LAMBDA = """
from common.aws import clients
from common.aws.sqs_queue import SqsJobQueue

def answer(request, **_rest):
    raise SystemExit(request.headers["X-Amzn-Trace-Id"].decode())

client = clients.sqs("ap-southeast-1")
client.meta.events.register("before-send.sqs.SendMessage", answer)
SqsJobQueue(client, queue_url="https://sqs.test/1/jobs").send("job_1", "usr_1", sending=1)
"""
"""What a function does in Lambda, up to the bytes that would go to SQS."""


def test_a_message_is_sent_with_the_trace_of_its_sender() -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(REPOSITORY),
        "AWS_LAMBDA_FUNCTION_NAME": "submit",
        "_X_AMZN_TRACE_ID": f"Root={ROOT};Parent={FUNCTIONS_OWN};Sampled=1",
        "POWERTOOLS_SERVICE_NAME": "submit",
        "POWERTOOLS_METRICS_NAMESPACE": "Imagify",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    done = subprocess.run(
        [sys.executable, "-c", IN_LAMBDA],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    header = done.stderr.strip().splitlines()[-1]
    said = dict(part.split("=") for part in header.split(";"))
    assert said == {"Root": ROOT, "Parent": FUNCTIONS_OWN, "Sampled": "1"}


def test_a_submits_lines_name_its_job_and_its_owner(api: Api, written: Callable[[], str]) -> None:
    job = api.call("post_jobs").json
    (line,) = [each for each in written().splitlines() if '"submitted"' in each]
    assert {"job_id": job["job_id"], "user_id": "usr_ann"}.items() <= json.loads(line).items()


def test_a_workers_lines_name_its_job_and_the_trace(
    world: World, written: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", f"Root={ROOT};Parent={FUNCTIONS_OWN};Sampled=1")
    job = world.submitted()
    delivered(world.next_message())
    (line,) = [each for each in written().splitlines() if '"succeeded"' in each]
    assert {"job_id": job.job_id, "xray_trace_id": ROOT}.items() <= json.loads(line).items()


@pytest.mark.usefixtures("world")
def test_ids_stay_on_the_lines_of_one_invocation_alone(written: Callable[[], str]) -> None:
    about(job_id="job_of_before")
    sweep(event("sweep"), Context(seconds_left=55))
    logged = written()
    assert "swept" in logged
    assert "job_of_before" not in logged
