"""What the functions have counted and complained of, as CloudWatch Logs has it.

A process that is killed takes what it has not written yet along, so these are lower bounds.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3

from sandbox.clients import client_settings
from sandbox.state import State
from tests.chaos.functions import deployed, short_name

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

BUG = "UnexpectedErrors"
DIED = re.compile(r"ESM: Lambda (\S+) failed processing SQS batch")
HANDED_BACK = re.compile(r"ESM: Lambda \S+ processed \d+ SQS messages from \S+ \(\d+ partial")


class Counts:
    """One run's functions and what they wrote."""

    def __init__(self, state: State) -> None:
        self.metrics: Counter[str] = Counter()
        """Each metric's sum over all functions."""
        self.bugs: list[str] = []
        """Lines of functions that met what they had not expected."""
        logs: CloudWatchLogsClient = boto3.client("logs", **client_settings(state.emulator_url))
        for function in deployed(state):
            for line in _lines(logs, function["LoggingConfig"]["LogGroup"]):
                self._add(short_name(function["Handler"]), line)

    def _add(self, function: str, line: dict[str, Any]) -> None:
        told = line.get("_aws")
        if told is None:
            if line.get("level") in ("ERROR", "CRITICAL") and "exception" in line:
                exception = str(line["exception"]).strip().splitlines()[-1]
                self.bugs.append(f"{function}: {line.get('message')}: {exception}")
            return
        for directive in told["CloudWatchMetrics"]:
            for metric in directive["Metrics"]:
                if metric["Unit"] == "Count":
                    values = line[metric["Name"]]
                    self.metrics[metric["Name"]] += round(
                        sum(values) if isinstance(values, list) else values
                    )


def deliveries(emulator_log: str) -> dict[str, int]:
    """Messages that come again: their process died, or a worker has handed them back."""
    return {
        "deliveries_died": len(DIED.findall(emulator_log)),
        "deliveries_handed_back": len(HANDED_BACK.findall(emulator_log)),
    }


def _lines(logs: CloudWatchLogsClient, group: str) -> Iterator[dict[str, Any]]:
    for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group):
        for event in page["events"]:
            for text in event["message"].splitlines():
                if text.startswith("{"):
                    try:
                        line = json.loads(text)
                    except ValueError:
                        continue  # the half of a line, whose writer was killed
                    yield line
