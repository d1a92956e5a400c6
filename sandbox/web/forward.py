"""Handing a request on to the API, and its answer back."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

ANSWER_SECONDS_MAX = 35.0
"""API Gateway gives up after 30; whoever waits there gets its answer here."""
NOT_PASSED_ON = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te"),
        *("trailer", "transfer-encoding", "upgrade", "host", "content-length"),
        # The API knows none, and those of other programs on this machine's ports come along.
        *("cookie", "set-cookie"),
    }
)
"""Headers that concern one connection only, and cookies."""


class Forward:
    """What comes for the API goes to `api_url` and back as it is, redirects and errors included."""

    def __init__(self, api_url: str, http: httpx.AsyncClient) -> None:
        self._api_url = api_url.rstrip("/")
        self._http = http

    async def answer(self, request: Request) -> Response:
        """The API's answer, or 502 as problem+json where there is none."""
        # The path as it was sent: what is escaped in it stays so.
        path = request.scope["raw_path"].decode("ascii")
        if not path.startswith("/api/") or ".." in path.split("/"):
            return _problem(404, "not_found", "No such path.")
        path = path.removeprefix("/api")
        query = f"?{request.url.query}" if request.url.query else ""
        # Made by hand, as the client would add headers of its own.
        passed_on = httpx.Request(
            request.method,
            f"{self._api_url}{path}{query}",
            headers=_passed_on(request.headers.items()),
            content=await request.body() or None,
            extensions={"timeout": httpx.Timeout(ANSWER_SECONDS_MAX).as_dict()},
        )
        try:
            upstream = await self._http.send(passed_on, stream=True)
            try:
                content = b"".join([part async for part in upstream.aiter_raw()])
            finally:
                await upstream.aclose()
        except httpx.HTTPError as error:
            reason = f"The API does not answer ({type(error).__name__})."
            return _problem(502, "bad_gateway", reason)
        answer = Response(content, status_code=upstream.status_code)
        for name, value in _passed_on(upstream.headers.multi_items()):
            answer.headers.append(name, value)
        return answer


def client() -> httpx.AsyncClient:
    """What `Forward` calls the API with; to be closed."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=4)
    return httpx.AsyncClient(limits=limits, trust_env=False)


def _passed_on(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() not in NOT_PASSED_ON]


def _problem(status: int, code: str, detail: str) -> Response:
    title = HTTPStatus(status).phrase
    problem = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
    }
    return JSONResponse(problem, status, media_type="application/problem+json")
