"""What a delivery counts of its model's starts, and of how its job ended."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable

import pytest

from common.errors import ContentRefused, ModelFailed, ModelRejected, ModelThrottled, ModelTimedOut
from common.models.catalogue import find
from tests.fakes_model import FakeModel
from tests.handlers.test_worker import delivered
from tests.world import CORE, World

THROTTLED = ModelThrottled("Too many.", retry_after_seconds=5)
FAILED = ModelFailed("It broke.")
ENDS = {"JobsSucceeded", "JobsRefused", "JobsFailed"}
MADE = (0, 0, 1)
"""A start's errors, its throttles, and its image, if it made one."""


def values(logged: str) -> dict[str, list[float]]:
    """All values of each metric, however many lines they are on."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for line in map(json.loads, logged.splitlines()):
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", ()):
            for metric in directive["Metrics"]:
                found[metric["Name"]] += line[metric["Name"]]
    found.pop("ColdStarts", None)
    return found


@pytest.mark.parametrize(
    ("answers", "starts", "ended"),
    [
        ((), [MADE], "JobsSucceeded"),
        ((THROTTLED,), [(0, 1), MADE], "JobsSucceeded"),
        ((FAILED,), [(1, 0), MADE], "JobsSucceeded"),
        ((FAILED, FAILED, FAILED), [(1, 0)] * 3, None),
        ((ModelTimedOut("No answer."),), [(1, 0)], None),
        ((ContentRefused("No."),), [(0, 0)], "JobsRefused"),
        ((ModelRejected("No access."),), [(0, 0)], "JobsFailed"),
    ],
    ids=["made", "throttled", "failed", "failed thrice", "timed out", "refused", "rejected"],
)
def test_each_start_counts_by_how_it_ended_and_each_job_once(
    world: World,
    written: Callable[[], str],
    answers: tuple[Exception, ...],
    starts: list[tuple[int, ...]],
    ended: str | None,
) -> None:
    world.model = FakeModel(*answers)
    world.submitted()
    delivered(world.next_message())
    found = values(written())
    assert found["ModelErrors"] == [errors for errors, *_rest in starts]
    assert found["ModelThrottles"] == [throttles for _errors, throttles, *_rest in starts]
    spec = find(CORE.model)
    assert spec is not None
    images = starts.count(MADE)
    assert found["ModelUsd"] == [spec.usd_per_image] * images
    assert len(found["ModelLatency"]) == images
    assert {*found} & ENDS == ({ended} if ended else set())
