from __future__ import annotations

import pytest

from common.lines import FAILURES_MAX, Line
from common.routes import Route
from functions.sweep.watch_models import watch_models
from tests.world import CORE, ULTRA, World

EAST = CORE.model_copy(update={"region": "us-east-1"})
OUT = Line(failures=FAILURES_MAX, retry_us=1)


@pytest.mark.parametrize(
    ("routes", "out", "away"),
    [
        ((CORE,), (), 0),
        ((CORE,), (CORE,), 1),
        ((CORE, EAST), (CORE,), 0),
        ((CORE, EAST), (CORE, EAST), 1),
        ((CORE, ULTRA), (CORE,), 1),
        ((CORE, ULTRA), (CORE, ULTRA), 2),
    ],
)
def test_a_model_is_away_when_none_of_its_routes_is_in_order(
    routes: tuple[Route, ...], out: tuple[Route, ...], away: int
) -> None:
    world = World(routes=routes)
    for route in out:
        world.lines._lines[route.name] = OUT
    assert watch_models(world.sweep_services()) == away
