"""A merchant API on loopback that answers whatever a test wants, byte for byte."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HANGS_AT_MOST = 5.0
"""A server that says nothing lets go then, so that a gateway that waits is seen to have waited."""


@dataclass(frozen=True)
class Heard:
    """A request as it came."""

    method: str
    path: str
    content_type: str
    content: bytes
    send: Callable[[bytes], object]
    """More of an answer, at once."""

    @property
    def fields(self) -> dict[str, str]:
        fields: dict[str, str] = json.loads(self.content)
        return fields


@dataclass
class Vnpay:
    """What the server answers, byte for byte, and what it has heard."""

    url: str
    heard: list[Heard] = field(default_factory=list)
    answer: Callable[[Heard], bytes] = lambda _heard: b""
    hung_up: threading.Event = field(default_factory=threading.Event)
    """Set when a connection has ended."""
    over: threading.Event = field(default_factory=threading.Event)
    """Set at the end of the test."""

    def answers(self, content: bytes | dict[str, Any], status: str = "200 OK") -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.answer = lambda _heard: http(body, status)


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@contextmanager
def serving() -> Iterator[Vnpay]:
    """A server while the test lasts."""

    connections: list[socket.socket] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = HANGS_AT_MOST

        def setup(self) -> None:
            super().setup()
            connections.append(self.connection)

        def handle(self) -> None:
            with suppress(ConnectionError):  # a gateway that hangs up is what some tests want
                super().handle()

        def _do(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            kind = self.headers.get("Content-Type", "")
            heard = Heard(self.command, self.path, kind, content, self.wfile.write)
            there.heard.append(heard)
            answer = there.answer(heard)
            self.wfile.write(answer)
            self.close_connection = b"Content-Length" not in answer

        do_GET = do_POST = _do  # noqa: N815 - the server looks for these names

        def finish(self) -> None:
            super().finish()
            there.hung_up.set()

        def log_message(self, *_args: object) -> None:
            """Nothing to stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False  # so that closing waits for them
    there = Vnpay(f"http://127.0.0.1:{server.server_port}/merchant_webapi/api/transaction")
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    try:
        yield there
    finally:
        there.over.set()
        for connection in connections:
            with suppress(OSError):  # it has ended by itself
                connection.shutdown(socket.SHUT_RDWR)
        server.shutdown()
        thread.join()
        server.server_close()
