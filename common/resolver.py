"""Which of a function's routines answers a request of API Gateway's HTTP API, and how that is said.

What a request says and what is answered are those of payload format 2.0:
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
Powertools has a resolver for eight kinds of APIs; to import it took as long as all of botocore.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import unquote

_NAME = re.compile(r"<(\w+)>")


class NoSuchPath(Exception):
    """Nothing answers that method on that path."""


class Event:
    """A request, as API Gateway tells of it."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self._raw = raw

    @property
    def _context(self) -> Mapping[str, Any]:
        context: Mapping[str, Any] = self._raw.get("requestContext") or {}
        return context

    @property
    def method(self) -> str:
        """In capitals."""
        return str(self._context["http"]["method"]).upper()

    @property
    def path(self) -> str:
        """Below the API's address; percent-encoded, if the caller did so."""
        return str(self._raw["rawPath"])

    @property
    def headers(self) -> Mapping[str, str]:
        """By their names in small letters, as API Gateway writes all of them."""
        return self._raw.get("headers") or {}

    @property
    def body(self) -> str | None:
        """As it came, or in base64."""
        return self._raw.get("body")

    @property
    def is_base64_encoded(self) -> bool:
        """Which of the two the body is."""
        return bool(self._raw.get("isBase64Encoded"))

    @property
    def query_string_parameters(self) -> Mapping[str, str]:
        """Decoded; the values of a repeated name are joined with commas."""
        return self._raw.get("queryStringParameters") or {}

    @property
    def raw_query_string(self) -> str:
        """As it came, without the question mark."""
        return str(self._raw.get("rawQueryString") or "")

    @property
    def claims(self) -> Mapping[str, Any]:
        """What the checked token says; nothing, where none is asked for."""
        authorizer = self._context.get("authorizer") or {}
        jwt = authorizer.get("jwt") or {}
        return jwt.get("claims") or {}

    @property
    def source_ip(self) -> str:
        """Where the request came from."""
        return str(self._context["http"]["sourceIp"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer in text."""

    status_code: int
    body: str
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def raw(self) -> dict[str, Any]:
        """As API Gateway takes it."""
        typed = {"Content-Type": self.content_type} if self.content_type else {}
        return {
            "statusCode": int(self.status_code),
            "body": self.body,
            "isBase64Encoded": False,
            "headers": {**self.headers, **typed},
        }


Routine = TypeVar("Routine", bound=Callable[..., Response])


class Resolver:
    """Calls the routine that was registered for a request's method and path."""

    current_event: Event
    """The request that is being answered: a process answers one at a time."""

    def __init__(self, answer_to: Callable[[Exception], Response]) -> None:
        """`answer_to` says what to answer to whatever a routine raises, and to NoSuchPath."""
        self._answer_to = answer_to
        self._routines: dict[tuple[str, str], tuple[re.Pattern[str], Callable[..., Response]]] = {}

    def get(self, path: str) -> Callable[[Routine], Routine]:
        """Register for GET; `<name>` in the path is one segment, given under that name."""
        return self._register("GET", path)

    def post(self, path: str) -> Callable[[Routine], Routine]:
        """Register for POST."""
        return self._register("POST", path)

    def delete(self, path: str) -> Callable[[Routine], Routine]:
        """Register for DELETE."""
        return self._register("DELETE", path)

    def resolve(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Answer the request."""
        self.current_event = Event(event)
        try:
            return self._call(self.current_event).raw()
        except Exception as error:  # noqa: BLE001 - every error has an answer
            return self._answer_to(error).raw()

    def served(self) -> set[tuple[str, str]]:
        """Each method and path that is answered."""
        return set(self._routines)

    def _register(self, method: str, path: str) -> Callable[[Routine], Routine]:
        pattern = re.compile(_NAME.sub(r"(?P<\1>[^/]+)", path))

        def register(routine: Routine) -> Routine:
            self._routines[method, path] = pattern, routine
            return routine

        return register

    def _call(self, event: Event) -> Response:
        for (method, _path), (pattern, routine) in self._routines.items():
            found = pattern.fullmatch(event.path) if method == event.method else None
            if found:
                return routine(**{name: unquote(text) for name, text in found.groupdict().items()})
        raise NoSuchPath(event.path)
