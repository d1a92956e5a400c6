"""The pacing lines in DynamoDB, one item a route.

Taking a slot is one conditional update: DynamoDB puts all workers' updates of an item in order, so
no two get the same slot and nobody has to try again for having lost a race. On a busy line it is
one call; on an idle one, or after a throttle, the first try says how the line is and the second
takes the slot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from common.aws.errors import ConditionFailed, service_errors
from common.aws.records import from_item, to_item
from common.errors import ServiceFailed
from common.pacing import UNSLOWED, Line, Slot, interval_us
from common.routes import Route

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LATENCY = "latency_ms_"
"""How the attributes begin that keep latencies, each named after its place."""
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
            if line.next_us > latest_us:
                return line
            met = self._take_if(route, line, earliest_us=earliest_us, latest_us=latest_us)
            if isinstance(met, Slot):
                return met
            line = met
        raise ServiceFailed(f"{route.name}'s line cannot be taken from.")

    def push(self, route: Route, *, by_us: int) -> None:
        """Move the line later."""
        with service_errors("Pushing a line"):
            self._client.update_item(
                TableName=self._table,
                Key=to_item({"route": route.name}),
                UpdateExpression=(
                    "SET slowdown_permille = if_not_exists(slowdown_permille, :unslowed), "
                    "calm_at_us = if_not_exists(calm_at_us, :none) "
                    "ADD next_us :by, push_us :by"
                ),
                ExpressionAttributeValues=to_item(
                    {":by": by_us, ":unslowed": UNSLOWED, ":none": 0}
                ),
            )

    def adapt(self, route: Route, *, seen: Line, wanted: Line) -> bool:
        """Change the slowdown if nobody has since `seen`."""
        try:
            self._update(
                route,
                "SET slowdown_permille = :slowdown, calm_at_us = :calm, "
                "next_us = if_not_exists(next_us, :none) + :by, "
                "push_us = if_not_exists(push_us, :none) + :by",
                "attribute_not_exists(slowdown_permille) "
                "OR (slowdown_permille = :seen_slowdown AND calm_at_us = :seen_calm)",
                {
                    ":none": 0,
                    ":slowdown": wanted.slowdown_permille,
                    ":calm": wanted.calm_at_us,
                    ":by": wanted.push_us - seen.push_us,
                    ":seen_slowdown": seen.slowdown_permille,
                    ":seen_calm": seen.calm_at_us,
                },
            )
        except ConditionFailed:
            return False
        return True

    def observe(self, route: Route, *, place: int, latency_ms: int) -> None:
        """Keep the latency in an attribute of its own, so that no two workers undo each other."""
        with service_errors("Keeping a latency"):
            self._client.update_item(
                TableName=self._table,
                Key=to_item({"route": route.name}),
                UpdateExpression=f"SET {LATENCY}{place} = :ms",
                ExpressionAttributeValues=to_item({":ms": latency_ms}),
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
        }
        try:
            if line.next_us >= earliest_us:
                after = self._update(
                    route,
                    "SET next_us = next_us + :interval",
                    "next_us BETWEEN :earliest AND :latest AND slowdown_permille = :slowdown",
                    {**values, ":latest": latest_us},
                )
            else:
                after = self._update(
                    route,
                    "SET next_us = :earliest + :interval, slowdown_permille = :slowdown, "
                    "push_us = if_not_exists(push_us, :none), "
                    "calm_at_us = if_not_exists(calm_at_us, :none)",
                    "attribute_not_exists(next_us) "
                    "OR (next_us < :earliest AND slowdown_permille = :slowdown)",
                    {**values, ":none": 0},
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
        latencies_ms=tuple(int(values[name]) for name in values if name.startswith(LATENCY)),
    )
