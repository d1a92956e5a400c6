from __future__ import annotations

import pytest

from functions.accounts import handler as accounts
from functions.status import handler as status
from functions.submit import handler as submit
from functions.worker import handler as worker
from tests.handlers.calls import Api
from tests.world import CORE, TITAN, World


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """A world that the handlers work in, with one signed-in user and two models."""
    world = World(routes=(CORE, TITAN))
    world.person()
    for module, services in (
        (submit, world.submit_services),
        (worker, world.worker_services),
        (status, world.status_services),
        (accounts, world.accounts_services),
    ):
        monkeypatch.setattr(module, "services", services)
    return world


@pytest.fixture
def api(world: World) -> Api:
    """The HTTP API in that world."""
    looking = ("get_job", "get_jobs", "delete_job", "get_models", "get_health")
    return Api(
        world,
        {
            "post_jobs": submit.handler,
            **dict.fromkeys((*looking, "get_openapi", "get_docs"), status.handler),
            "get_me": accounts.handler,
        },
    )
