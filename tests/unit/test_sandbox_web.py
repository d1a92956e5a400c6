"""The page's server, with a folder of files and an API of this test's own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.loopback import quiet_server, served_in_thread
from sandbox.web.backends import Backends
from sandbox.web.forward import ANSWER_SECONDS_MAX
from sandbox.web.server import make_server

PASSED_ON = {
    "Authorization": "Bearer token",
    "Idempotency-Key": "one",
    "If-None-Match": '"7"',
    "Prefer": "wait=20",
}
ANSWERED = {
    "ETag": '"8"',
    "Location": "/jobs/job_1",
    "Preference-Applied": "wait=20",
    "Retry-After": "3",
}


class Api:
    """The API behind the page; `ANSWERED` come back with whatever is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.status = 200
        self.hold_seconds = 0.0

    async def answer(self, request: Request) -> Response:
        path = request.scope["raw_path"].decode()
        target = f"{path}?{request.url.query}" if request.url.query else path
        body = await request.body()
        self.asked.append((request.method, target, dict(request.headers), body))
        await asyncio.sleep(self.hold_seconds)
        if self.status == 304:
            return Response(status_code=304, headers=ANSWERED)
        return JSONResponse({"a": "ổ"}, self.status, headers={**ANSWERED, "Set-Cookie": "a=b"})

    def app(self) -> Starlette:
        methods = ["GET", "POST", "DELETE", "OPTIONS"]
        return Starlette(routes=[Route("/{path:path}", self.answer, methods=methods)])


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A page of two files, and some that are none of its business."""
    root = tmp_path / "web"
    (root / "app").mkdir(parents=True)
    (root / "index.html").write_text("<!doctype html>")
    (root / "app" / "main.js").write_text("export {};")
    (root / "notes.md").write_text("private")
    (tmp_path / "outside.txt").write_text("private")
    return root


@pytest.fixture
def page(root: Path, api: Api) -> Iterator[httpx.Client]:
    with served_in_thread(quiet_server(api.app())) as api_url, served(root, api_url) as client:
        yield client


@contextlib.contextmanager
def served(root: Path, api_url: str) -> Iterator[httpx.Client]:
    """A client of the page's server."""
    backends = Backends(
        api=f"{api_url}/base/",
        feed="ws://127.0.0.1:1/_aws/execute-api/f/live",
        cognito="http://127.0.0.1:1/",
        client_id="client",
        images="http://127.0.0.1:2/bucket",
    )
    with (
        served_in_thread(make_server(backends, root=root)) as url,
        httpx.Client(base_url=url, trust_env=False) as client,
    ):
        yield client


def test_the_page_is_served_with_its_types(page: httpx.Client) -> None:
    for path, kind in (
        ("/", "text/html; charset=utf-8"),
        ("/index.html", "text/html; charset=utf-8"),
        ("/app/main.js", "text/javascript; charset=utf-8"),
        ("/config.json", "application/json"),
    ):
        answer = page.get(path)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == kind
        assert answer.headers["Cache-Control"] == "no-cache"


def test_a_file_that_has_not_changed_is_not_sent_again(page: httpx.Client, root: Path) -> None:
    tag = page.get("/app/main.js").headers["ETag"]
    again = page.get("/app/main.js", headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)

    (root / "app" / "main.js").write_text("export { };")
    assert page.get("/app/main.js", headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/app",
        "/app/",
        "/nothing.js",
        "/notes.md",
        "/%2e%2e/outside.txt",
        "/..%2foutside.txt",
        "/app/%2e%2e/%2e%2e/outside.txt",
        "//etc/passwd",
        "/%00.js",
        f"/{'a' * 300}.js",
    ],
)
def test_nothing_but_the_pages_files_is_served(page: httpx.Client, path: str) -> None:
    answer = page.get(path)
    assert answer.status_code == 404
    assert "private" not in answer.text
    assert "Content-Security-Policy" in answer.headers


def test_a_link_out_of_the_folder_leads_nowhere(page: httpx.Client, root: Path) -> None:
    (root / "link.txt").symlink_to(root.parent / "outside.txt")
    assert page.get("/link.txt").status_code == 404


def test_the_page_learns_where_everything_is(page: httpx.Client) -> None:
    assert page.get("/config.json").json() == {
        "api": "/api",
        "feed": "ws://127.0.0.1:1/_aws/execute-api/f/live",
        "cognito": {"endpoint": "http://127.0.0.1:1/", "client_id": "client"},
    }


def test_the_page_may_reach_what_it_was_told_of(page: httpx.Client) -> None:
    policy = page.get("/").headers["Content-Security-Policy"].split("; ")
    assert "connect-src 'self' http://127.0.0.1:1 ws://127.0.0.1:1" in policy
    assert "img-src 'self' http://127.0.0.1:2" in policy


def test_the_api_gets_what_was_asked_and_the_page_what_was_answered(
    page: httpx.Client, api: Api
) -> None:
    answer = page.post(
        "/api/jobs/a%2Fb?status=queued&q=%E1%BB%95",
        headers={**PASSED_ON, "Cookie": "other=program"},
        content=b'{"prompt": "\xe1\xbb\x95"}',
    )

    ((method, target, headers, body),) = api.asked
    assert (method, target) == ("POST", "/base/jobs/a%2Fb?status=queued&q=%E1%BB%95")
    assert body == b'{"prompt": "\xe1\xbb\x95"}'
    assert {name: headers[name.lower()] for name in PASSED_ON} == PASSED_ON
    assert "cookie" not in headers
    assert headers["host"] != page.base_url.netloc.decode()
    assert (answer.status_code, answer.json()) == (200, {"a": "ổ"})
    assert {name: answer.headers[name] for name in ANSWERED} == ANSWERED
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("target", ["/api%2Fjobs", "/api/../other", "/api%2F@example.com/x"])
def test_nothing_but_the_api_is_asked(page: httpx.Client, api: Api, target: str) -> None:
    with socket.create_connection((page.base_url.host, page.base_url.port or 0)) as client:
        client.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: client.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 404")
    assert api.asked == []


@pytest.mark.parametrize("status", [201, 304, 402, 404, 500])
def test_every_status_comes_through(page: httpx.Client, api: Api, status: int) -> None:
    api.status = status
    answer = page.get("/api/jobs")
    assert answer.status_code == status
    assert answer.headers["ETag"] == ANSWERED["ETag"]


def test_methods_come_through(page: httpx.Client, api: Api) -> None:
    for method in ("GET", "POST", "DELETE", "OPTIONS"):
        assert page.request(method, "/api/jobs/job_1").status_code == 200
    assert [asked[0] for asked in api.asked] == ["GET", "POST", "DELETE", "OPTIONS"]


def test_redirects_are_the_browsers_to_follow(page: httpx.Client, api: Api) -> None:
    api.status = 303
    answer = page.get("/api/payments/vnpay/return?vnp_TxnRef=1")
    assert (answer.status_code, answer.headers["Location"]) == (303, ANSWERED["Location"])


def test_slow_answers_are_waited_for_side_by_side(page: httpx.Client, api: Api) -> None:
    api.hold_seconds = 0.5
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(page.get("/api/jobs/job_1").status_code))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 8
    assert ANSWER_SECONDS_MAX > 30, "API Gateway's own limit"


def test_an_api_that_is_down_is_a_502_that_programs_understand(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with served(root, f"http://127.0.0.1:{port}") as page:
        answer = page.get("/api/me")

    assert answer.status_code == 502
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "bad_gateway"
