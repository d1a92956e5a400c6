"""The server: the gateway's pages, its merchant API and the control API on one loopback port."""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.loopback import quiet_server, served_in_thread
from sandbox.vnpay.behaviour import Behaviour
from sandbox.vnpay.bodies import BodyTooLarge, too_large
from sandbox.vnpay.control import Control
from sandbox.vnpay.gateway import Gateway
from sandbox.vnpay.merchant_api import MerchantApi
from sandbox.vnpay.notifier import Notifier
from sandbox.vnpay.pay_request import Merchant
from sandbox.vnpay.state import State
from sandbox.vnpay.times import now_utc


def make_app(state: State) -> Starlette:
    """The ASGI application of one simulator."""
    notifier = Notifier(state)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await notifier.close()

    return Starlette(
        routes=[
            *Gateway(state, notifier).routes(),
            *MerchantApi(state).routes(),
            *Control(state, notifier).routes(),
        ],
        lifespan=lifespan,
        exception_handlers={404: _nothing_here, 405: _nothing_here, BodyTooLarge: too_large},
    )


def make_server(
    merchant: Merchant,
    behaviour: Behaviour,
    *,
    rng: random.Random,
    now: Callable[[], datetime] = now_utc,
) -> uvicorn.Server:
    """A server of one simulator; run it on the socket of `listen`."""
    return quiet_server(make_app(State(merchant, behaviour, rng=rng, now=now)))


@contextlib.contextmanager
def simulator_in_thread(
    merchant: Merchant,
    behaviour: Behaviour,
    *,
    seed: int = 0,
    now: Callable[[], datetime] = now_utc,
) -> Iterator[str]:
    """A simulator on a free port in a thread of this process, for tests; gives its URL.

    `now` is the gateway's clock: what has expired, may be queried again or is refunded goes by it.
    Delays and timeouts of IPNs are waited for in earnest.
    """
    rng = random.Random(seed)  # noqa: S311  # not for secrets
    with served_in_thread(make_server(merchant, behaviour, rng=rng, now=now)) as url:
        yield url


async def _nothing_here(request: Request, _: Exception) -> Response:
    message = f"There is no {request.method} {request.url.path} here."
    return JSONResponse({"message": message}, status_code=404)
