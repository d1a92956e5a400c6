from __future__ import annotations

import pytest

from common import observability
from functions.accounts import handler as accounts
from functions.feed import handler as feed
from functions.payments import handler as payments
from functions.push import handler as push
from functions.status import handler as status
from functions.submit import handler as submit
from functions.sweep import handler as sweep
from functions.worker import handler as worker
from tests.handlers.calls import Api
from tests.handlers.wired import calls, user_id
from tests.world import CORE, TITAN, World

__all__ = ["api", "calls", "user_id", "world"]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """A world that the handlers work in, with one signed-in user and two models."""
    # What use cases counted in other tests is no invocation's.
    observability._apart.clear()
    observability.metrics.clear_metrics()
    world = World(routes=(CORE, TITAN))
    world.person()
    for module, services in (
        (submit, world.submit_services),
        (worker, world.worker_services),
        (status, world.status_services),
        (accounts, world.accounts_services),
        (payments, world.payments_services),
        (sweep, world.sweep_services),
        (feed, world.feed_services),
        (push, world.push_services),
    ):
        monkeypatch.setattr(module, "services", services)
    return world


@pytest.fixture
def api(world: World) -> Api:
    """The HTTP API in that world."""
    looking = ("get_job", "get_jobs", "delete_job", "get_models", "get_health")
    paying = ("post_payments", "get_payment", "get_payments", "get_packages")
    return Api(
        world,
        {
            "post_jobs": submit.handler,
            "post_tickets": feed.handler,
            **dict.fromkeys((*looking, "get_openapi", "get_docs"), status.handler),
            **dict.fromkeys(("get_me", "get_ledger"), accounts.handler),
            **dict.fromkeys((*paying, "get_ipn", "get_return"), payments.handler),
        },
    )
