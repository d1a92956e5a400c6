"""How long the line is that a job of the local run joins: only who runs the stack may look."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from common.aws.dynamo_lines import DynamoLines
from common.errors import ServiceFailed
from common.pacing import Line, interval_us
from common.routes import Route
from sandbox.clients import client_settings
from sandbox.state import Outputs

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_QUICK = Config(connect_timeout=1, read_timeout=1, retries={"total_max_attempts": 1}, proxies={})
"""A look that takes longer is not worth waiting for."""


class Backlog:
    """The queue and the routes' lines of a local run."""

    def __init__(self, emulator_url: str, outputs: Outputs, routes: Sequence[Route]) -> None:
        settings = client_settings(emulator_url) | {"config": _QUICK}
        self._sqs: SQSClient = boto3.client("sqs", **settings)
        self._lines = DynamoLines(
            boto3.client("dynamodb", **settings), routes_table=outputs.RoutesTable
        )
        self._queue_url = outputs.JobsQueueUrl
        self._routes = routes
        self._given_up = False

    def ahead(self) -> int | None:
        """About how many jobs would start before one submitted now; None when nobody can tell.

        A look that fails is the last: what it would say is not worth another second.
        """
        if self._given_up:
            return None
        try:
            answer = self._sqs.get_queue_attributes(
                QueueUrl=self._queue_url, AttributeNames=["ApproximateNumberOfMessages"]
            )
            waiting = int(answer["Attributes"]["ApproximateNumberOfMessages"])
            lines = self._lines.read(self._routes)
        except (BotoCoreError, ClientError, ServiceFailed, KeyError, ValueError):
            self._given_up = True
            return None
        return waiting + slots_taken(self._routes, lines, now_us=time.time_ns() // 1000)


def slots_taken(routes: Sequence[Route], lines: Mapping[str, Line], *, now_us: int) -> int:
    """How many starts have been given away that have not come yet, over all routes."""
    taken = 0
    for route in routes:
        line = lines[route.name]
        spacing_us = interval_us(route, line.slowdown_permille)
        taken += max(0, math.ceil((line.next_us - now_us) / spacing_us) - 1)
    return taken
