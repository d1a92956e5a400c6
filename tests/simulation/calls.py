"""Requests as API Gateway brings them, and their answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from tests.handlers.calls import event

FUNCTION_OF = {
    "post_jobs": "submit",
    **dict.fromkeys(("get_job", "get_jobs", "delete_job"), "status"),
    **dict.fromkeys(("get_me", "get_ledger"), "accounts"),
    "post_tickets": "feed",
    **dict.fromkeys(
        ("post_payments", "get_payment", "get_payments", "get_ipn", "get_return"), "payments"
    ),
}


@dataclass(frozen=True)
class Seen:
    """An answer as a client sees it."""

    status: int
    headers: Mapping[str, str]
    text: str

    @cached_property
    def json(self) -> dict[str, Any]:
        """The body."""
        body: dict[str, Any] = json.loads(self.text)
        return body

    @property
    def everything(self) -> str:
        """All that it shows."""
        return f"{self.headers} {self.text}"


NOTHING = Seen(503, {}, "")
"""What API Gateway says when a function died, or a client when the network did."""


def read(given: Mapping[str, Any] | None) -> Seen:
    """A function's answer."""
    if given is None:
        return NOTHING
    return Seen(given["statusCode"], given["headers"], given["body"])


def request(
    name: str,
    *,
    user_id: str | None = None,
    body: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    path: tuple[str, str] | None = None,
    query: str = "",
) -> dict[str, Any]:
    """The event of that name, by that user; `path` is the parameter in it and its value."""
    sent = event(name)
    context = sent["requestContext"]
    if user_id is not None:
        context["authorizer"]["jwt"]["claims"]["user_id"] = user_id
    if body is not None:
        sent["body"] = json.dumps(body)
    if headers:
        sent["headers"].update(headers)
    if path is not None:
        parameter, value = path
        place = "/jobs/" if parameter == "job_id" else "/payments/"
        sent["rawPath"] = context["http"]["path"] = place + value
        sent["pathParameters"] = {parameter: value}
    if query:
        sent["rawQueryString"] = query
        sent["queryStringParameters"] = dict(parse_qsl(query))
    return sent
