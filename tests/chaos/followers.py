"""People who listen to the feed, whose sockets break again and again.

They do what `web/imagify.js` does: after each handshake they ask how things are, and look at each
job of theirs that the answer does not count among the active ones.
"""

from __future__ import annotations

import json
import random
import socket
from collections import Counter
from contextlib import suppress
from typing import Any

import httpx
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection

from tests.chaos.course import Course
from tests.chaos.customers import Customer
from tests.e2e.listener import knock

OPEN_SECONDS = (3.0, 15.0)
"""How long a socket lasts."""
ANSWER_SECONDS = 20.0
"""How long the answer to a refresh is waited for before another socket is tried."""
RECEIVE_SECONDS = 0.5
FINAL_TRIES = 5
BROKEN = (WebSocketException, OSError, TimeoutError, httpx.HTTPError)


class Follower:
    """One person's client of the feed."""

    def __init__(self, customer: Customer, *, feed_url: str, course: Course, seed: str) -> None:
        self.customer = customer
        self.ends: dict[str, str] = {}
        """The status of each job that is known to be over."""
        self.learnt: Counter[str] = Counter()
        """How: by a push, by the answer to a refresh, by a look."""
        self.sockets = 0
        self.cuts = 0
        self.refused = 0
        """Sockets that did not come to be, or broke by themselves."""
        self._feed_url = feed_url
        self._course = course
        self._rng = random.Random(seed)
        self._refreshed = False

    def listen(self) -> None:
        """Listen, be cut off, come back."""
        while not self._course.settled.is_set():
            try:
                self._one_socket(self._rng.uniform(*OPEN_SECONDS))
            except BROKEN:
                self.refused += 1
                self._course.pause(1.0)

    def learn_the_rest(self) -> None:
        """Connect once more, when nothing breaks any more, and learn what was missed."""
        for _try in range(FINAL_TRIES):
            with suppress(*BROKEN):
                self._one_socket(ANSWER_SECONDS, only_refresh=True)
                if self._refreshed:
                    return

    def missed(self) -> set[str]:
        """Jobs of the person's whose end is not known here."""
        return set(self.customer.accepted.values()) - self.ends.keys()

    def _one_socket(self, seconds: float, *, only_refresh: bool = False) -> None:
        self._refreshed = False
        with knock(self._feed_url, f"?ticket={self.customer.ticket()}") as connection:
            self.sockets += 1
            connection.send(json.dumps({"action": "refresh"}))
            give_up = self._course.seconds + seconds
            while self._course.seconds < give_up:
                try:
                    text = connection.recv(timeout=RECEIVE_SECONDS)
                except TimeoutError:
                    continue
                self._note(_parsed(text))
                if only_refresh and self._refreshed:
                    return
                if self._course.over.is_set():
                    return
            self._cut(connection)

    def _cut(self, connection: ClientConnection) -> None:
        """Half of the time as a cable is cut, else as a tab is closed."""
        self.cuts += 1
        if self._rng.random() < 0.5:
            with suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)

    def _note(self, message: dict[str, Any]) -> None:
        if message.get("type") == "job":
            self._learn(message["job"], "push" if self._refreshed else "refresh")
        elif message.get("type") == "refreshed":
            self._refreshed = True
            for job_id in self.missed() - set(message["active"]):
                self._learn(self.customer.look(job_id), "look")

    def _learn(self, job: dict[str, Any], how: str) -> None:
        if job["terminal"] and job["job_id"] not in self.ends:
            self.ends[job["job_id"]] = job["status"]
            self.learnt[how] += 1


def _parsed(text: str | bytes) -> dict[str, Any]:
    """A message of the feed; empty for none, such as follows when `feed` is killed at it."""
    try:
        message = json.loads(text)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}
