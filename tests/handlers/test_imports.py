"""What a handler's import loads is what a cold start waits for: here is what it must not load."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sandbox.environment import clean
from sandbox.places import REPOSITORY

HEAVY = {
    "boto3": "botocore makes the same clients",
    "s3transfer": "images are put and signed, not transferred in parts",
    "asyncio": "nothing waits for two things at once",
    "multiprocessing": "it comes with boto3",
    "aws_xray_sdk": "Lambda traces invocations itself",
    "aws_lambda_powertools.event_handler": "it loads the resolvers of every kind of API",
    "aws_lambda_powertools.utilities.data_classes": "they describe every kind of event",
    "aws_lambda_powertools.utilities.parameters": "it loads boto3, and more stores than ours",
    "common.config": "it is the stack's",
    "common.ports": "it is for the type checker",
    "common.openapi": "it is loaded for those who read the description",
    "common.vnpay_gateway": "only the sweep asks VNPAY",
    "common.aws.bedrock": "only the worker calls models",
    "tenacity": "it is for writes that meet others",
}
"""Modules that no function which people wait for loads, and why."""
MONEY = (
    "common.vnpay",
    "common.vnpay_codes",
    "common.payments",
    "common.packages",
    "common.api_money",
    "common.settings.money",
    "common.aws.ssm_merchant",
)
OTHERS = {
    "submit": MONEY,
    "status": MONEY,
    "feed": MONEY,
    "accounts": ("common.vnpay", "common.aws.s3_images", "common.aws.dynamo_jobs"),
    "payments": ("common.aws.s3_images", "common.aws.dynamo_jobs", "common.aws.sqs_queue"),
}
"""Modules that others need."""
LIST = "import functions.{}.handler, sys; print(*sys.modules)"


def loaded(name: str) -> set[str]:
    """The modules that a process has which imported the handler and nothing else."""
    done = subprocess.run(
        [sys.executable, "-c", LIST.format(name)],
        cwd=REPOSITORY,
        env=clean(os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("name", OTHERS)
def test_a_handler_loads_nothing_that_its_requests_do_not_need(name: str) -> None:
    unwanted = (*HEAVY, *OTHERS[name])
    found = {
        module
        for module in loaded(name)
        for each in unwanted
        if module == each or module.startswith(f"{each}.")
    }
    assert found == set()
