"""What our local servers share: quiet serving on loopback, and answers that make sense."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
import threading
from collections.abc import Iterator

import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

HOST = "127.0.0.1"
PORT_MAX = 65_535
BACKLOG = 512
KEEP_ALIVE_SECONDS = 75
"""Longer than a client pools a connection between two calls, so none is reused as it closes."""
GRACE_SECONDS = 1
"""How long calls in flight may still take when the server is told to stop."""


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


def quiet_server(app: Starlette, http: type[asyncio.Protocol] = H11Protocol) -> uvicorn.Server:
    """A server that logs nothing but disasters; run it on the socket of `listen`."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=http,
            ws="none",
            lifespan="on",
            log_level="critical",
            access_log=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )


def give_up(name: str, sentence: str) -> int:
    """Say why a server does not start; the exit code."""
    print(f"{name}: {sentence}", file=sys.stderr)  # noqa: T201 - a program of its own
    return 2


def run(name: str, server: uvicorn.Server, *, port: int) -> int:
    """Serve on the port until SIGTERM or Ctrl-C, or say why not; the exit code."""
    if not 0 <= port <= PORT_MAX:
        return give_up(name, f"{port} is not a port.")
    try:
        listener = listen(port)
    except OSError as error:
        return give_up(name, f"Port {port} cannot be listened on: {error.strerror}.")
    print(f"{name} on http://{HOST}:{listener.getsockname()[1]}", flush=True)  # noqa: T201 - likewise
    serve(server, listener)
    return 0


def serve(server: uvicorn.Server, listener: socket.socket) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    # The server stops in order on these, then raises them again: by then they mean nothing more.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    with listener:
        server.run(sockets=[listener])


@contextlib.contextmanager
def served_in_thread(server: uvicorn.Server) -> Iterator[str]:
    """Serve on a free port in a thread of this process, for tests; gives the URL."""
    listener = listen(0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def not_understood(error: ValidationError) -> Response:
    """The first problem of a body, in a sentence."""
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"]))
    return refusal(f"{place}: {first['msg']}." if place else f"{first['msg']}.")


def refusal(message: str) -> Response:
    """A control call that asks for what cannot be."""
    return JSONResponse({"message": message}, status_code=422)


async def client_gone(receive: Receive) -> None:
    """Return when the client has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass


class Silence(Response):
    """No answer; the call ends when the client hangs up."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Wait, and send nothing."""
        await client_gone(receive)
