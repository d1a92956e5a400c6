"""The server: the simulator and its control API on one loopback port."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from sandbox.bedrock.behaviour import Behaviour
from sandbox.bedrock.catalogue import Catalogue
from sandbox.bedrock.control import Control
from sandbox.bedrock.painter import Painter
from sandbox.bedrock.simulator import Simulator
from sandbox.loopback import quiet_server, served_in_thread


class StampingProtocol(H11Protocol):
    """HTTP that notes when a request's bytes came in, and lets a handler cut the connection."""

    def data_received(self, data: bytes) -> None:
        """Stamp before parsing; the request that these bytes begin takes the stamp with it."""
        self.app_state = {"arrived_ns": time.monotonic_ns(), "transport": self.transport}
        super().data_received(data)


def make_app(behaviour: Behaviour, *, rng: random.Random) -> Starlette:
    """The ASGI application; it must be served by `StampingProtocol`."""
    painter = Painter()
    simulator = Simulator(behaviour, rng=rng, painter=painter)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        painter.start()
        try:
            yield
        finally:
            await asyncio.to_thread(painter.close)

    return Starlette(
        routes=[
            Route("/model/{model_id:path}/invoke", simulator.invoke, methods=["POST"]),
            *Catalogue(simulator).routes(),
            *Control(simulator).routes(),
        ],
        lifespan=lifespan,
        exception_handlers={404: _unknown_operation, 405: _unknown_operation},
    )


def make_server(behaviour: Behaviour, *, rng: random.Random) -> uvicorn.Server:
    """A server of one simulator; run it on the socket of `listen`."""
    return quiet_server(make_app(behaviour, rng=rng), StampingProtocol)


@contextlib.contextmanager
def simulator_in_thread(behaviour: Behaviour, *, seed: int = 0) -> Iterator[str]:
    """A simulator on a free port in a thread of this process, for tests; gives its URL."""
    rng = random.Random(seed)  # noqa: S311  # not for secrets
    with served_in_thread(make_server(behaviour, rng=rng)) as url:
        yield url


async def _unknown_operation(request: Request, _: Exception) -> Response:
    return JSONResponse(
        {"message": f"There is no {request.method} {request.url.path} here."},
        status_code=404,
        headers={"x-amzn-errortype": "UnknownOperationException"},
    )
