"""The server: the simulator and its control API on one loopback port."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from sandbox.bedrock.behaviour import Behaviour
from sandbox.bedrock.control import Control
from sandbox.bedrock.painter import Painter
from sandbox.bedrock.simulator import Simulator

HOST = "127.0.0.1"
BACKLOG = 512
KEEP_ALIVE_SECONDS = 75
"""Longer than a client pools a connection between two jobs, so none is reused as it closes."""
GRACE_SECONDS = 1
"""How long calls in flight may still take when the server is told to stop."""


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
            *Control(simulator).routes(),
        ],
        lifespan=lifespan,
        exception_handlers={404: _unknown_operation, 405: _unknown_operation},
    )


def listen(port: int) -> socket.socket:
    """A listening socket on loopback, port 0 meaning any; raises OSError when it is taken."""
    # asyncio turns Nagle's delay off (40 ms an answer) only where TCP is named.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def make_server(behaviour: Behaviour, *, rng: random.Random) -> uvicorn.Server:
    """A server that logs nothing but disasters; run it on the socket of `listen`."""
    return uvicorn.Server(
        uvicorn.Config(
            make_app(behaviour, rng=rng),
            http=StampingProtocol,
            ws="none",
            lifespan="on",
            log_level="critical",
            access_log=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )


@contextlib.contextmanager
def simulator_in_thread(behaviour: Behaviour, *, seed: int = 0) -> Iterator[str]:
    """A simulator on a free port in a thread of this process, for tests; gives its URL."""
    listener = listen(0)
    server = make_server(behaviour, rng=random.Random(seed))  # noqa: S311  # not for secrets
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


async def _unknown_operation(request: Request, _: Exception) -> Response:
    return JSONResponse(
        {"message": f"There is no {request.method} {request.url.path} here."},
        status_code=404,
        headers={"x-amzn-errortype": "UnknownOperationException"},
    )
