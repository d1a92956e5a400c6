"""Calling the handlers as Lambda does: an event from a file, changed here and there."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from tests.world import World

EVENTS = Path(__file__).parent / "events"
Handler = Callable[[dict[str, Any], object], dict[str, Any]]


@dataclass(frozen=True)
class Context:
    """What Lambda tells of an invocation."""

    function_name: str = "imagify"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:ap-southeast-1:111111111111:function:imagify"
    aws_request_id: str = "request-1"
    seconds_left: float = 10

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds_left * 1000)


@cache
def _read(name: str) -> str:
    return (EVENTS / f"{name}.json").read_text(encoding="utf-8")


def event(name: str) -> dict[str, Any]:
    """An event as AWS sends it, a new copy each time."""
    found: dict[str, Any] = json.loads(_read(name))
    return found


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, read."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> dict[str, Any]:
        assert self.headers["Content-Type"] in {"application/json", "application/problem+json"}
        body: dict[str, Any] = json.loads(self.text)
        return body

    @property
    def problem(self) -> tuple[int, str]:
        """The status and the code of a problem, which says both itself."""
        assert self.headers["Content-Type"] == "application/problem+json"
        assert self.headers["Cache-Control"] == "no-store"
        body = self.json
        assert body["status"] == self.status
        assert body["type"] == "about:blank"
        assert body["title"]
        assert body["detail"]
        return self.status, body["code"]


@dataclass(frozen=True)
class Api:
    """The handlers behind their paths, and the world that they work in."""

    world: World
    handlers: Mapping[str, Handler]

    def call(
        self,
        name: str,
        *,
        user_id: str | None = "usr_ann",
        body: object = None,
        raw: str | bytes | None = None,
        headers: Mapping[str, str | None] | None = None,
        job_id: str | None = None,
        txn_ref: str | None = None,
        query: Mapping[str, str] | str | None = None,
    ) -> Answer:
        """The answer to the event of that name, with what is given put in its place.

        `raw` is a body as it is, in base64 if it is bytes; a header that is None is left out; a
        query that is text is a query string as it is.
        """
        sent = event(name)
        _sign(sent, user_id)
        if body is not None:
            sent["body"] = json.dumps(body)
        if isinstance(raw, bytes):
            sent["body"], sent["isBase64Encoded"] = base64.b64encode(raw).decode(), True
        elif raw is not None:
            sent["body"] = raw
        for header, value in (headers or {}).items():
            sent["headers"].pop(header, None)
            if value is not None:
                sent["headers"][header] = value
        if job_id is not None:
            _go(sent, f"/jobs/{job_id}", {"job_id": job_id})
        if txn_ref is not None:
            _go(sent, f"/payments/{txn_ref}", {"txn_ref": txn_ref})
        if query is not None:
            _ask(sent, query)
        return self.send(name, sent)

    def send(self, name: str, sent: Mapping[str, Any]) -> Answer:
        """The answer to an event as it is."""
        given = self.handlers[name](copy.deepcopy(dict(sent)), Context())
        assert given["isBase64Encoded"] is False
        return Answer(given["statusCode"], given["headers"], given["body"])


def _go(sent: dict[str, Any], path: str, parameters: Mapping[str, str]) -> None:
    """Send the event to another path of the same route."""
    sent["rawPath"] = sent["requestContext"]["http"]["path"] = path
    sent["pathParameters"] = dict(parameters)


def _ask(sent: dict[str, Any], query: Mapping[str, str] | str) -> None:
    """Put the query in as API Gateway does: as it is, and read, with repeated names joined."""
    text = query if isinstance(query, str) else urlencode(query)
    read: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, errors="replace"):
        read[name] = f"{read[name]},{value}" if name in read else value
    sent["rawQueryString"] = text
    if read:
        sent["queryStringParameters"] = read


def _sign(sent: dict[str, Any], user_id: str | None) -> None:
    """Put the user into the event's token, if it has one; None leaves the token without a user."""
    authorizer = sent["requestContext"].get("authorizer")
    if authorizer is None:
        return
    authorizer["jwt"]["claims"].pop("user_id")
    if user_id is not None:
        authorizer["jwt"]["claims"]["user_id"] = user_id
