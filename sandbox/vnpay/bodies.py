"""Reading what is posted, up to a limit."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

BODY_BYTES_MAX = 16_384


class BodyTooLarge(Exception):
    """More was posted than anybody needs to."""


async def read_body(request: Request) -> bytes:
    """The whole body; raises BodyTooLarge when it does not end in time."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise BodyTooLarge
    return body


async def too_large(_: Request, __: Exception) -> Response:
    """The answer to BodyTooLarge."""
    message = f"The body is over {BODY_BYTES_MAX} bytes."
    return JSONResponse({"message": message}, status_code=413)
