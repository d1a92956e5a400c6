"""The pacing lines in DynamoDB, one item a route.

Taking a slot is one conditional update: DynamoDB puts all workers' updates of an item in order, so
no two get the same slot and nobody has to try again for having lost a race. On a busy line it is
one call; on an idle one, or after a throttle, the first try says how the line is and the second
takes the slot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from common.aws.errors import ConditionFailed, service_errors
from common.aws.records import from_item, to_item
from common.errors import ServiceFailed
from common.lines import UNSLOWED, Line, Slot, interval_us, probed
from common.routes import Route

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LATENCY = "latency_ms_"
"""How the attributes begin that keep latencies, each named after its place."""
MANNER_KEPT = (
    "slowdown_permille = if_not_exists(slowdown_permille, :unslowed), "
    "calm_at_us = if_not_exists(calm_at_us, :none), "
    "failures = if_not_exists(failures, :none), "
    "retry_us = if_not_exists(retry_us, :none)"
)
"""Leaves the line as slow and as much in order as it is, and says so where nothing does yet."""
IN_ORDER = "attribute_not_exists(retry_us) OR retry_us = :none"
TRIES_MAX = 20
"""Looks at a line before something must be wrong with it."""


class DynamoLines:
    """The Routes table."""

    def __init__(self, client: DynamoDBClient, *, routes_table: str) -> None:
        self._client = client
        self._table = routes_table

    def read(self, routes: Sequence[Route]) -> Mapping[str, Line]:
        """Read the lines, consistently."""
        keys = [to_item({"route": route.name}) for route in routes]
        with service_errors("Reading the lines"):
            answer = self._client.batch_get_item(
                RequestItems={self._table: {"Keys": keys, "ConsistentRead": True}}
            )
        if answer.get("UnprocessedKeys"):
            raise ServiceFailed("Not all lines could be read.")
        items = [from_item(item) for item in answer["Responses"][self._table]]
        known = {str(item["route"]): _line(item) for item in items}
        return {route.name: known.get(route.name, Line()) for route in routes}

    def take(self, route: Route, *, earliest_us: int, latest_us: int) -> Slot | Line:
        """Take the next slot of a line that is busy, or else of one that is idle."""
        line = Line(next_us=earliest_us)
        for _try in range(TRIES_MAX):
            if line.next_us > latest_us or not line.in_order:
                return line
            met = self._take_if(route, line, earliest_us=earliest_us, latest_us=latest_us)
            if isinstance(met, Slot):
                return met
            line = met
        raise ServiceFailed(f"{route.name}'s line cannot be taken from.")

    def probe(self, route: Route, *, seen: Line, earliest_us: int, until_us: int) -> Slot | Line:
        """Take the next slot, if nobody else has begun to probe since `seen`."""
        start_us, after = probed(seen, route, earliest_us=earliest_us, until_us=until_us)
        try:
            line = self._update(
                route,
                "SET next_us = :next, retry_us = :until, probing = :probing",
                "retry_us = :seen AND next_us = :seen_next",
                {
                    ":next": after.next_us,
                    ":until": after.retry_us,
                    ":probing": after.probing,
                    ":seen": seen.retry_us,
                    ":seen_next": seen.next_us,
                },
            )
        except ConditionFailed as failed:
            return _line(from_item(failed.item))
        return Slot(
            route=route,
            start_us=start_us,
            push_us=line.push_us,
            slowdown_permille=line.slowdown_permille,
            probe=True,
        )

    def push(self, route: Route, *, by_us: int) -> None:
        """Add to the line's push and to its next slot."""
        with service_errors("Pushing a line"):
            self._client.update_item(
                TableName=self._table,
                Key=to_item({"route": route.name}),
                UpdateExpression=f"SET {MANNER_KEPT} ADD next_us :by, push_us :by",
                ExpressionAttributeValues=to_item(
                    {":by": by_us, ":unslowed": UNSLOWED, ":none": 0}
                ),
            )

    def adapt(self, route: Route, *, seen: Line, wanted: Line) -> bool:
        """Change how the line is, if nobody has since `seen`."""
        try:
            self._update(
                route,
                "SET slowdown_permille = :slowdown, calm_at_us = :calm, "
                "failures = :failures, retry_us = :retry, probing = :probing, "
                "next_us = if_not_exists(next_us, :none) + :by, "
                "push_us = if_not_exists(push_us, :none) + :by",
                "attribute_not_exists(retry_us) "
                "OR (slowdown_permille = :seen_slowdown AND calm_at_us = :seen_calm "
                "AND failures = :seen_failures AND retry_us = :seen_retry)",
                {
                    ":none": 0,
                    ":slowdown": wanted.slowdown_permille,
                    ":calm": wanted.calm_at_us,
                    ":failures": wanted.failures,
                    ":retry": wanted.retry_us,
                    ":probing": wanted.probing,
                    ":by": wanted.push_us - seen.push_us,
                    ":seen_slowdown": seen.slowdown_permille,
                    ":seen_calm": seen.calm_at_us,
                    ":seen_failures": seen.failures,
                    ":seen_retry": seen.retry_us,
                },
            )
        except ConditionFailed:
            return False
        return True

    def observe(self, route: Route, *, place: int, latency_ms: int) -> None:
        """Keep the latency in an attribute of its own, so that no two workers undo each other."""
        with suppress(ConditionFailed):
            self._update(
                route,
                f"SET {LATENCY}{place} = :ms, failures = :none",
                IN_ORDER,
                {":ms": latency_ms, ":none": 0},
            )

    def _take_if(
        self, route: Route, line: Line, *, earliest_us: int, latest_us: int
    ) -> Slot | Line:
        """Take the slot if the line is as `line` says, busy or idle, and as slow; else say how."""
        interval = interval_us(route, line.slowdown_permille)
        values = {
            ":interval": interval,
            ":earliest": earliest_us,
            ":slowdown": line.slowdown_permille,
            ":none": 0,
        }
        try:
            if line.next_us >= earliest_us:
                after = self._update(
                    route,
                    "SET next_us = next_us + :interval",
                    "next_us BETWEEN :earliest AND :latest "
                    f"AND slowdown_permille = :slowdown AND ({IN_ORDER})",
                    {**values, ":latest": latest_us},
                )
            else:
                after = self._update(
                    route,
                    f"SET next_us = :earliest + :interval, {MANNER_KEPT}, "
                    "push_us = if_not_exists(push_us, :none)",
                    "attribute_not_exists(next_us) OR (next_us < :earliest "
                    f"AND slowdown_permille = :slowdown AND ({IN_ORDER}))",
                    {**values, ":unslowed": UNSLOWED},
                )
        except ConditionFailed as failed:
            return _line(from_item(failed.item))
        return Slot(
            route=route,
            start_us=after.next_us - interval,
            push_us=after.push_us,
            slowdown_permille=after.slowdown_permille,
        )

    def _update(self, route: Route, update: str, condition: str, values: Mapping[str, int]) -> Line:
        """Update the line on a condition; raises ConditionFailed with what was met."""
        with service_errors("Updating a line"):
            answer = self._client.update_item(
                TableName=self._table,
                Key=to_item({"route": route.name}),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeValues=to_item(values),
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        return _line(from_item(answer["Attributes"]))


def _line(values: Mapping[str, Any]) -> Line:
    fresh = Line()
    return Line(
        next_us=int(values.get("next_us", fresh.next_us)),
        push_us=int(values.get("push_us", fresh.push_us)),
        slowdown_permille=int(values.get("slowdown_permille", fresh.slowdown_permille)),
        calm_at_us=int(values.get("calm_at_us", fresh.calm_at_us)),
        failures=int(values.get("failures", fresh.failures)),
        retry_us=int(values.get("retry_us", fresh.retry_us)),
        probing=bool(values.get("probing", fresh.probing)),
        latencies_ms=tuple(int(values[name]) for name in values if name.startswith(LATENCY)),
    )
