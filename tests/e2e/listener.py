"""A plain client of the feed: a ticket, a socket, and what came on it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from threading import Thread
from typing import Any, Self

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.product import Sandbox

PATIENCE_SECONDS = 30.0
Message = dict[str, Any]


def feed_url(sandbox: Sandbox) -> str:
    """Where the feed is, as the page is told."""
    answer = httpx.get(f"{sandbox.state.page_url}config.json", trust_env=False)
    url: str = answer.raise_for_status().json()["feed"]
    return url


def ticket(api: httpx.Client) -> str:
    """A new ticket of the person's."""
    answer = api.post("/feed/tickets")
    assert answer.status_code == 201
    secret: str = answer.json()["ticket"]
    return secret


def knock(url: str, query: str) -> AbstractContextManager[ClientConnection]:
    """A context with an open socket; entering it raises websockets' InvalidStatus if refused."""
    return connect(f"{url}{query}", proxy=None)


class Listener(ExitStack):
    """A context with an open socket; `messages` grows as they come."""

    def __init__(self, sandbox: Sandbox, api: httpx.Client) -> None:
        super().__init__()
        self._url = feed_url(sandbox)
        self._api = api
        self.messages: list[Message] = []

    def __enter__(self) -> Self:
        super().__enter__()
        thread = Thread(target=self._listen)
        self.callback(thread.join)
        self.socket = self.enter_context(knock(self._url, f"?ticket={ticket(self._api)}"))
        thread.start()
        return self

    def refresh(self) -> list[Message]:
        """Ask how things are; everything up to the end of the answer."""
        begun = len(self.messages)
        self.socket.send(json.dumps({"action": "refresh"}))
        self.until(lambda: any(each["type"] == "refreshed" for each in self.messages[begun:]))
        return self.messages[begun:]

    def until(self, happened: Callable[[], bool]) -> None:
        """Wait for something to have come."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not happened():
            assert time.monotonic() < deadline, f"it never came; there are {self.messages}"
            time.sleep(0.02)

    def of_job(self, job_id: str) -> list[Message]:
        """The snapshots of a job, in the order in which they came."""
        told = [each["job"] for each in self.messages if each["type"] == "job"]
        return [job for job in told if job["job_id"] == job_id]

    def ended(self, job_id: str) -> bool:
        """Whether the job's end was told."""
        return any(job["terminal"] for job in self.of_job(job_id))

    def balances(self) -> list[Message]:
        """What was told of the balance."""
        return [each["balance"] for each in self.messages if each["type"] == "balance"]

    def _listen(self) -> None:
        try:
            for text in self.socket:
                self.messages.append(json.loads(text))
        except ConnectionClosed:
            return
