from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.retries import redelivery_seconds
from common.routes import ROUTES, Route, serving
from common.sizing import CONCURRENCY_MIN, TIMEOUTS, Timeouts, worker_concurrency
from functions.worker.generate_image import RETRY_SECONDS_MAX


def route(rate: float, p95: float, *, model: str = "core", region: str = "us-west-2") -> Route:
    return Route(model=model, region=region, rate_per_second=rate, p95_seconds=p95)


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ([route(2, 14)], 28),
        ([route(2, 14), route(1.5, 9)], 42),
        ([route(2, 14.1)], 29),
        ([route(0.1, 3)], CONCURRENCY_MIN),
        ([route(20, 14)], 280),
        ([route(1.1, 10)], 11),  # 11.000000000000002 as a float
        ([route(0.1, 30)], 3),  # 3.0000000000000004
    ],
)
def test_concurrency_is_littles_law(routes: list[Route], expected: int) -> None:
    assert worker_concurrency(routes) == expected


@given(st.lists(st.builds(route, st.floats(0.1, 50), st.floats(1, 60)), min_size=1, max_size=4))
def test_there_are_enough_workers_for_the_rate_and_not_one_more(routes: list[Route]) -> None:
    needed = sum(one.rate_per_second * one.p95_seconds for one in routes)
    workers = worker_concurrency(routes)
    assert workers >= needed - 1e-6
    assert workers < needed + 1 or workers == CONCURRENCY_MIN


def test_the_timeouts_nest() -> None:
    assert (
        TIMEOUTS.slot_wait_seconds_max + TIMEOUTS.model_read_seconds
        < TIMEOUTS.function_seconds
        < TIMEOUTS.lease_seconds
        < TIMEOUTS.visibility_seconds
    )


def test_the_last_retry_of_a_model_still_fits_into_the_function() -> None:
    """It begins by RETRY_SECONDS_MAX and a second of rest, waits for its slot and is answered."""
    last_ends = RETRY_SECONDS_MAX + 1 + TIMEOUTS.slot_wait_seconds_max + TIMEOUTS.model_read_seconds
    assert last_ends + 10 < TIMEOUTS.function_seconds, "ten seconds to store and settle"


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Timeouts)])
def test_timeouts_that_do_not_nest_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="must nest"):
        Timeouts(**{name: 1000 if name != "visibility_seconds" else 1})


def test_a_job_rests_no_longer_than_a_message_may_be_hidden() -> None:
    assert all(redelivery_seconds(attempts) <= 900 for attempts in range(1, 50))


def test_a_route_is_named_by_its_model_and_region() -> None:
    assert route(2, 14).name == "core@us-west-2"


def test_a_model_is_served_by_its_own_routes() -> None:
    routes = [route(2, 14), route(2, 14, model="ultra"), route(2, 14, region="us-east-1")]
    assert serving(routes, "core") == (routes[0], routes[2])
    assert serving(routes, "titan") == ()


def test_routes_are_written_as_they_are_read() -> None:
    routes = (route(2, 14), route(0.5, 9.5, region="ap-southeast-1"))
    assert ROUTES.validate_json(ROUTES.dump_json(routes)) == routes
