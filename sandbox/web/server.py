"""The server: the page's files, its configuration and the API, on one loopback port."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from common.page_headers import page_headers
from sandbox.loopback import quiet_server
from sandbox.web.backends import Backends
from sandbox.web.files import Files
from sandbox.web.forward import Forward, client

API_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def make_app(backends: Backends, *, root: Path) -> Starlette:
    """The ASGI application; the page's files are in the folder `root`."""
    files = Files(
        root,
        made={"config.json": json.dumps(backends.configuration()).encode()},
        headers=page_headers(
            connect=sorted({_origin(backends.feed), _origin(backends.cognito)}),
            images=[_origin(backends.images)],
        ),
    )

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with client() as app.state.http:
            yield

    async def forwarded(request: Request) -> Response:
        http: httpx.AsyncClient = request.app.state.http
        return await Forward(backends.api, http).answer(request)

    return Starlette(
        routes=[
            Route("/api/{path:path}", forwarded, methods=API_METHODS),
            Route("/{path:path}", files.answer, methods=["GET"]),
        ],
        lifespan=lifespan,
    )


def make_server(backends: Backends, *, root: Path) -> uvicorn.Server:
    """A server of the page; run it on the socket of `listen`."""
    return quiet_server(make_app(backends, root=root))


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
