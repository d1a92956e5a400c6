"""People who order over HTTP, and repeat what was not answered, with the same key."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import httpx

from tests.chaos.course import Course
from tests.chaos.plan import Order

REQUEST_SECONDS = 20.0
"""How long a client waits for an answer."""
AGAIN_SECONDS = (0.5, 2.5)
PAGE = 50


class Unexpected(Exception):
    """An answer that no client should ever get."""


class Customer:
    """One person, who orders one job after another."""

    def __init__(
        self,
        *,
        name: str,
        api_url: str,
        token: str,
        credits_given: int,
        orders: tuple[Order, ...],
        course: Course,
    ) -> None:
        self.name = name
        self.credits_given = credits_given
        self.accepted: dict[str, str] = {}
        """Each key's job."""
        self.unanswered: Counter[str] = Counter()
        """Why a request was sent once more."""
        self.repeated = 0
        """Submits that were sent once more though they had been taken."""
        self.canceled = 0
        """Cancels that were taken."""
        self.broken: list[str] = []
        """What the service has done to this person that it promises not to do."""
        self._orders = orders
        self._course = course
        self._rng = random.Random(orders[0].key)
        self._http = httpx.Client(
            base_url=api_url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=REQUEST_SECONDS,
            trust_env=False,
        )

    def order(self) -> None:
        """Order everything, at its time or as soon as there is room."""
        for order in self._orders:
            if not self._course.until(order.at_seconds):
                return
            self._try_to_order(order)

    def close(self) -> None:
        """No more requests."""
        self._http.close()

    def order_first(self) -> None:
        """Order the first thing right away."""
        first, *rest = self._orders
        self._orders = tuple(rest)
        self._try_to_order(first)

    def look(self, job_id: str) -> dict[str, Any]:
        """How a job is."""
        return self._asked("GET", f"/jobs/{job_id}")

    def look_at_all(self) -> Iterator[dict[str, Any]]:
        """Every job that the person has, whether its submit was answered or not."""
        cursor: str | None = None
        while True:
            params = {"limit": str(PAGE), **({"cursor": cursor} if cursor else {})}
            page = self._asked("GET", "/jobs", params=params)
            yield from page["jobs"]
            cursor = page.get("next_cursor")
            if not cursor:
                return

    def balance(self) -> dict[str, int]:
        """The person's credits."""
        found: dict[str, int] = self._asked("GET", "/me")["balance"]
        return found

    def ticket(self) -> str:
        """A ticket to the feed. Raises httpx's errors: whoever listens comes again anyway."""
        answer = self._http.post("/feed/tickets").raise_for_status()
        ticket: str = answer.json()["ticket"]
        return ticket

    def _try_to_order(self, order: Order) -> None:
        try:
            self._order(order)
        except Unexpected as error:
            self.broken.append(str(error))

    def _order(self, order: Order) -> None:
        job_id = self._submit(order)
        self.accepted[order.key] = job_id
        if order.repeated:
            again = self._submit(order)
            self.repeated += 1
            if again != job_id:
                self.broken.append(f"A repeated submit of {job_id} became another job, {again}.")
        if order.cancel_after_seconds is not None:
            self._course.pause(order.cancel_after_seconds)
            answer = self._send("DELETE", f"/jobs/{job_id}")
            if answer.status_code == HTTPStatus.OK:
                self.canceled += 1
            elif answer.status_code != HTTPStatus.CONFLICT:
                raise Unexpected(f"A cancel of {job_id} was answered {_said(answer)}.")

    def _submit(self, order: Order) -> str:
        body: dict[str, Any] = {"prompt": order.prompt}
        if order.allow_cached:
            body["allow_cached"] = True
        headers = {"Idempotency-Key": order.key}
        answer = self._send("POST", "/jobs", json=body, headers=headers)
        if answer.status_code != HTTPStatus.ACCEPTED:
            raise Unexpected(f"A submit was answered {_said(answer)}.")
        job_id: str = answer.json()["job_id"]
        return job_id

    def _asked(self, method: str, path: str, **what: Any) -> dict[str, Any]:
        answer = self._send(method, path, **what)
        if answer.status_code != HTTPStatus.OK:
            raise Unexpected(f"{method} {path} was answered {_said(answer)}.")
        found: dict[str, Any] = answer.json()
        return found

    def _send(self, method: str, path: str, **what: Any) -> httpx.Response:
        """Send until there is an answer that is worth one. Raises Unexpected when time is up."""
        last = "nothing"
        while not self._course.over.is_set():
            try:
                answer = self._http.request(method, path, **what)
            except httpx.TransportError as error:
                last = type(error).__name__
            else:
                if not _passes(answer):
                    return answer
                last = _why(answer)
            self.unanswered[last] += 1
            self._course.pause(self._rng.uniform(*AGAIN_SECONDS))
        raise Unexpected(f"{method} {path} was never answered but with: {last}.")


def _passes(answer: httpx.Response) -> bool:
    """Whether the same request may be answered better another time."""
    return (
        answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
        or answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
    )


def _why(answer: httpx.Response) -> str:
    try:
        code = answer.json().get("code")
    except (ValueError, AttributeError):
        code = None
    return f"{answer.status_code} {code}" if code else str(answer.status_code)


def _said(answer: httpx.Response) -> str:
    return f"{answer.status_code}: {answer.text[:200]}"
