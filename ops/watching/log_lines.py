"""What the functions of a stack have logged."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from common.aws.errors import service_errors
from common.errors import NotFound

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_logs import CloudWatchLogsClient

GROUP = re.compile(r"(?:Functions|Feed)([A-Z][a-z]+)Logs[0-9A-F]{8}")
"""What the stack calls a function's log group."""
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
TELLING = ("level", "message", "timestamp", "location", "service", "xray_trace_id")
"""What a line has beside the facts in it."""
BROKEN = re.compile(r"Task timed out|^\[ERROR\]|Runtime\.\w+|^Traceback\b")
"""How Lambda tells that an invocation did not end by itself: it ran out of time or of memory, could
not be imported, or raised."""
LAMBDAS = re.compile(
    r"cold_start|function_(?:name|memory_size|arn|request_id)|exception_name|stack_trace"
)
"""What Lambda adds to each line, and what only programs read of an exception."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line that a function has logged."""

    at: datetime
    level: str
    message: str
    facts: Mapping[str, Any]
    """Ids and codes, such as `job_id`."""


def log_groups(cloudformation: CloudFormationClient, stack: str) -> dict[str, str]:
    """Each function's log group, by the function's name. Raises ServiceFailed."""
    found = {}
    with service_errors("Looking for logs"):
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
        for page in pages:
            for resource in page["StackResourceSummaries"]:
                named = GROUP.fullmatch(resource["LogicalResourceId"])
                if named:
                    found[named[1].lower()] = resource["PhysicalResourceId"]
    return found


def log_lines(
    logs: CloudWatchLogsClient,
    group: str,
    *,
    since: datetime,
    level: str,
    about: str | None,
    terms: Sequence[str] = (),
) -> Iterator[LogLine]:
    """Lines of at least that level since then, the oldest first; `about` has to be in them.

    With `terms` the service itself leaves out lines that lack one of these words. Raises
    ServiceFailed.
    """
    least = LEVELS.index(level)
    pattern = " ".join(f'"{term}"' for term in terms)
    with service_errors("Reading logs"):
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=group,
            startTime=int(since.timestamp() * 1000),
            filterPattern=pattern,  # an empty one lets all through
        )
        for page in pages:
            for event in page["events"]:
                line = _line(event["message"], event["timestamp"])
                wanted = about is None or about in event["message"]
                if line is not None and wanted and LEVELS.index(line.level) >= least:
                    yield line


def group_of(service: str, groups: Mapping[str, str]) -> str:
    """The service's group. Raises NotFound, naming those that there are."""
    if service not in groups:
        raise NotFound(f"There is no {service}; there is {', '.join(sorted(groups))}.")
    return groups[service]


def _line(text: str, timestamp_ms: int) -> LogLine | None:
    """The line, if it is one of ours, or Lambda's word on how an invocation failed.

    What Lambda says of each invocation, and metrics, are none.
    """
    at = datetime.fromtimestamp(timestamp_ms / 1000, UTC)
    try:
        values = json.loads(text)
    except ValueError:
        if BROKEN.search(text):
            return LogLine(at=at, level="ERROR", message=" ".join(text.split()), facts={})
        return None
    if not isinstance(values, dict) or values.get("level") not in LEVELS:
        return None
    facts = {
        name: value
        for name, value in values.items()
        if name not in TELLING and not LAMBDAS.fullmatch(name)
    }
    return LogLine(
        at=at,
        level=values["level"],
        message=str(values.get("message")),
        facts=facts,
    )
