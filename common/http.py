"""From an HTTP API event to a use case, and from its result or error to an answer."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from http import HTTPStatus
from ipaddress import ip_address
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from common.api import FieldError, JobView, Problem
from common.errors import (
    ImagifyError,
    InvalidRequest,
    NotFound,
    PayloadTooLarge,
    Permanent,
    Rejected,
    Unauthenticated,
)
from common.jobs import JobStatus
from common.long_polling import WAIT_SECONDS_MAX
from common.metrics import UNEXPECTED_ERRORS
from common.observability import count, logger
from common.resolver import Event, NoSuchPath, Resolver, Response

BODY_BYTES_MAX = 256 * 1024
"""More than the longest prompt and negative prompt together, all escaped as JSON allows it."""
CURSOR_CHARS_MAX = 400
"""Ours have about 100, and at most some 300; a longer one is not worth decoding."""
MANUAL_SECONDS = 3600
"""How long a cache may keep the manual."""
JSON = "application/json"
NO_STORE = {"Cache-Control": "no-store"}
PROBLEM_JSON = "application/problem+json"
VIEWER_ADDRESS = "x-viewer-address"
"""Where CloudFront says who has called it (`infra/edge/api.js`)."""
RETRY_AFTER_SECONDS = 2
"""When to ask again after something that may work the next time."""
RETRY_AFTER_SECONDS_MAX = 30
"""The longest that a poller is told to wait: a place in line may be lost to nobody's knowledge."""
RETRY_AFTER_UNKNOWN_SECONDS = 15
"""When to look again at a queued job of which nobody knows where it is in line."""
LOOKS = 4
"""How many times sooner than the image is due a poller is told to look again."""
ETA_GRAINS = 8
"""A job is due at another time when that differs by about an eighth of the wait."""

_JOB_ID = re.compile(r"job_[0-9a-f]{32}")
_TXN_REF = re.compile(r"IMG[0-9a-f]{32}")
_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?([0-9]{1,4})\b", re.IGNORECASE)
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")

Model = TypeVar("Model", bound=BaseModel)


class BadBody(InvalidRequest):
    """A body with the things that are wrong with it."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("The request does not fit; see errors.")
        self.errors = errors


def resolver() -> Resolver:
    """A resolver whose every error is a problem+json answer."""
    return Resolver(problem_for)


def user_id(event: Event) -> str:
    """Our id of the signed-in user, which the ID token carries.

    Raises Unauthenticated for a token without one, such as an access token.
    """
    claimed = event.claims.get("user_id")
    if not isinstance(claimed, str) or not claimed:
        raise Unauthenticated("Sign in, and send the ID token.")
    return claimed


def read_body(model: type[Model], event: Event) -> Model:
    """The request's JSON body as `model`. Raises PayloadTooLarge, InvalidRequest or BadBody."""
    text = event.body or ""
    if len(text) > BODY_BYTES_MAX * (2 if event.is_base64_encoded else 1):
        raise PayloadTooLarge(f"A body has at most {BODY_BYTES_MAX} bytes.")
    try:
        content = (
            base64.b64decode(text, validate=True) if event.is_base64_encoded else text.encode()
        )
    except (binascii.Error, UnicodeEncodeError):
        raise InvalidRequest("The body is not text.", code="invalid_json") from None
    if len(content) > BODY_BYTES_MAX:
        raise PayloadTooLarge(f"A body has at most {BODY_BYTES_MAX} bytes.")
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
    if any(one["type"] == "json_invalid" for one in found):
        raise InvalidRequest("The body is not JSON.", code="invalid_json")
    raise BadBody(
        [
            FieldError(field=".".join(map(str, one["loc"])) or "body", message=one["msg"])
            for one in found
        ]
    )


def idempotency_key(event: Event) -> str | None:
    """The Idempotency-Key header: 1 to 255 visible ASCII characters, or None."""
    key = event.headers.get("idempotency-key")
    if key is None:
        return None
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        raise InvalidRequest(
            "Idempotency-Key takes 1 to 255 visible ASCII characters.",
            code="invalid_idempotency_key",
        )
    return key


def job_id(text: str) -> str:
    """The id in a path. Raises NotFound for what cannot be one, which no store need be asked."""
    if not _JOB_ID.fullmatch(text):
        raise NotFound("You have no job of that id.")
    return text


def txn_ref(text: str) -> str:
    """The payment's reference in a path. Raises NotFound for what cannot be one."""
    if not _TXN_REF.fullmatch(text):
        raise NotFound("You have no payment of that reference.")
    return text


def query_text(event: Event, name: str) -> str | None:
    """A query parameter's value, or None."""
    return event.query_string_parameters.get(name)


def query_limit(event: Event, *, default: int, most: int) -> int:
    """The `limit` of a page, from 1 to `most`."""
    text = query_text(event, "limit")
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= most:
        raise InvalidRequest(f"limit takes a number from 1 to {most}.", code="invalid_limit")
    return int(text)


def write_cursor(position: tuple[str, ...] | None) -> str | None:
    """A place in a list as one opaque word."""
    if position is None:
        return None
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def read_cursor(cursor: str | None) -> tuple[str, str] | None:
    """The place that a cursor of ours stands for. Raises InvalidRequest for any other."""
    position = read_long_cursor(cursor, parts=2)
    return None if position is None else (position[0], position[1])


def read_long_cursor(cursor: str | None, *, parts: int) -> tuple[str, ...] | None:
    """The same for a cursor of so many parts."""
    if cursor is None:
        return None
    position = None
    if len(cursor) <= CURSOR_CHARS_MAX:
        padded = cursor + "=" * (-len(cursor) % 4)
        with suppress(ValueError):
            position = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    if (
        isinstance(position, list)
        and len(position) == parts
        and all(isinstance(part, str) and part and part.isascii() for part in position)
    ):
        return tuple(position)
    raise InvalidRequest("The cursor is not one of ours.", code="invalid_cursor")


def answer(
    status: HTTPStatus, body: BaseModel, headers: Mapping[str, str] | None = None
) -> Response:
    """A JSON answer that no cache may keep."""
    return Response(
        status_code=status,
        content_type=JSON,
        body=body.model_dump_json(),
        headers={**NO_STORE, **(headers or {})},
    )


def if_none_match(event: Event) -> str | None:
    """The ETags that the caller has, as sent."""
    return event.headers.get("if-none-match")


def viewer_address(event: Event) -> str:
    """The caller's IP address: as CloudFront says, or as API Gateway sees whoever comes straight.

    Who comes straight can write that header too, and lies about nobody but himself: never let
    anybody in by this address.
    """
    said = event.headers.get(VIEWER_ADDRESS) or ""
    try:
        return ip_address(said.partition("%")[0]).compressed
    except ValueError:
        return event.source_ip


def wait_preferred(event: Event) -> int:
    """The seconds of `Prefer: wait=N` (RFC 7240), at most `WAIT_SECONDS_MAX`; 0 for none.

    A preference that cannot be read is none: the RFC has servers ignore those.
    """
    found = _WAIT.search(event.headers.get("prefer") or "")
    return min(int(found[1]), WAIT_SECONDS_MAX) if found else 0


def job_answer(
    status: HTTPStatus, view: JobView, *, now: datetime, seen: str | None = None, waited: int = 0
) -> Response:
    """A job with its ETag, and Retry-After while it may change; 304 when it is as `seen` says."""
    etag = _etag(view, now)
    headers = {"ETag": etag, "Location": view.urls.self, **NO_STORE}
    if waited:
        headers["Preference-Applied"] = f"wait={waited}"
    if not view.terminal:
        headers["Retry-After"] = str(_look_again_seconds(view))
    if seen is not None and {etag.removeprefix("W/"), "*"} & set(
        re.split(r"\s*,\s*", seen.replace("W/", ""))
    ):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers, body="")
    return answer(status, view, headers)


def _etag(view: JobView, now: datetime) -> str:
    """Changes with what the view says.

    A weak one while the image is awaited: that the clock went on, which the reader knows, makes no
    other view, but another place in line does, or that the image is due at another time.
    """
    if view.image:
        return f'"{view.version}-{int(view.image.expires_at.timestamp())}"'
    waits = view.queue or view.progress
    if waits is None:
        return f'"{view.version}"'
    place = view.queue.position if view.queue else 0
    # A power of two, so that it seldom changes while the wait gets shorter.
    grain = 1 << max(1, waits.eta_seconds // ETA_GRAINS).bit_length() - 1
    due = (now.timestamp() + waits.eta_seconds) // grain
    return f'W/"{view.version}-{place}-{grain}-{due:.0f}"'


def _look_again_seconds(view: JobView) -> int:
    """When to ask again: seldom while the image is far off, often when it is due."""
    waits = view.queue or view.progress
    if view.status is JobStatus.STALLED:
        return RETRY_AFTER_SECONDS_MAX
    if waits is None:
        # A line too long to be read is read the less for being asked about seldom.
        queued = view.status is JobStatus.QUEUED
        return RETRY_AFTER_UNKNOWN_SECONDS if queued else RETRY_AFTER_SECONDS
    return min(RETRY_AFTER_SECONDS_MAX, max(1, waits.eta_seconds // LOOKS))


def page(status: HTTPStatus, html: str, headers: Mapping[str, str]) -> Response:
    """A web page that no cache may keep."""
    return Response(
        status_code=status,
        content_type="text/html; charset=utf-8",
        body=html,
        headers={**NO_STORE, **headers},
    )


def see_other(url: str) -> Response:
    """Go and look there."""
    return Response(
        status_code=HTTPStatus.SEE_OTHER,
        content_type="text/plain",
        body="",
        headers={**NO_STORE, "Location": url},
    )


def manual(content_type: str, body: str) -> Response:
    """Something that is the same for everybody until the next deployment; caches may keep it."""
    return Response(
        status_code=HTTPStatus.OK,
        content_type=content_type,
        body=body,
        headers={"Cache-Control": f"public, max-age={MANUAL_SECONDS}"},
    )


def problem_for(error: Exception) -> Response:
    """The answer to an error: 4xx the caller's, 503 worth another try, 500 a bug."""
    if isinstance(error, Rejected):
        headers = {}
        if error.retry_after_seconds is not None:
            headers["Retry-After"] = str(error.retry_after_seconds)
        errors = error.errors if isinstance(error, BadBody) else None
        return _problem(error.status, error.code, error.message, errors=errors, headers=headers)
    if isinstance(error, ImagifyError) and not isinstance(error, Permanent):
        logger.warning("try again", code=error.code, reason=error.message)
        return _problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "try_again",
            "This did not work just now; please try again.",
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        )
    if isinstance(error, NoSuchPath):
        return _problem(HTTPStatus.NOT_FOUND, "not_found", "No such path.")
    logger.exception("unexpected error", exc_info=error)
    count(UNEXPECTED_ERRORS)
    return _problem(
        HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "Something is wrong on our side."
    )


def _problem(
    status: int,
    code: str,
    detail: str,
    *,
    errors: list[FieldError] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    body = Problem(
        title=HTTPStatus(status).phrase, status=status, code=code, detail=detail, errors=errors
    )
    return Response(
        status_code=status,
        content_type=PROBLEM_JSON,
        body=body.model_dump_json(exclude_none=True),
        headers={**NO_STORE, **(headers or {})},
    )
