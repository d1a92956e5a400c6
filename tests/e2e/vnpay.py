"""A customer on the simulated pay page, and the simulator's controls."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

import httpx

TOKEN = re.compile(r'name="token" value="(\w+)"')


class Vnpay:
    """The gateway as a customer and as its operator."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._http = httpx.Client(timeout=40, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def choose(self, pay_url: str, outcome: str) -> str:
        """Open the pay page and press a button; answers where the customer is sent back to."""
        page = self._http.get(pay_url)
        token = TOKEN.search(page.text)
        assert token is not None, page.text
        action = re.search(r'action="([^"]+)"', page.text)
        assert action is not None
        answer = self._http.post(
            urljoin(pay_url, action[1]), data={"token": token[1], "outcome": outcome}
        )
        assert answer.status_code in (302, 303), answer.text
        return answer.headers["location"]

    def misbehave(self, kind: str, **told: object) -> None:
        self._control("POST", "behaviour", json={"kind": kind, **told})

    def settings(self, **changed: object) -> None:
        self._control("POST", "settings", json=changed)

    def behave(self) -> None:
        self._control("DELETE", "behaviour")

    def notification(self, txn_ref: str) -> str:
        """The signed query that the payment's IPN carries."""
        query: str = self._control("GET", f"transactions/{txn_ref}/notification")["query"]
        return query

    def notify(self, txn_ref: str) -> Mapping[str, Any]:
        """Send the payment's IPN now; answers how it was answered."""
        return self._control("POST", f"transactions/{txn_ref}/notify")

    def ipn_calls(self, txn_ref: str) -> list[Mapping[str, Any]]:
        """The calls made for a payment, with their answers."""
        calls: list[Mapping[str, Any]] = self._control("GET", "state")["ipn_calls"]
        return [call for call in calls if call["txn_ref"] == txn_ref]

    def _control(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        answer = self._http.request(method, f"{self._url}/_control/{path}", **body)
        answer.raise_for_status()
        said: dict[str, Any] = answer.json()
        return said
