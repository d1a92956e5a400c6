"""The errors of Bedrock's runtime, as they look on the wire.

Status codes and members are those of botocore's service model for bedrock-runtime; the error's
type travels in a header, followed by a namespace that clients cut off.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from starlette.responses import Response

_NAMESPACE = "http://internal.amazon.com/coral/com.amazon.bedrock/"

STATUSES: Mapping[str, int] = {
    "AccessDeniedException": 403,
    "InternalServerException": 500,
    "ModelErrorException": 424,
    "ModelNotReadyException": 429,
    "ModelTimeoutException": 408,
    "ResourceNotFoundException": 404,
    "ServiceUnavailableException": 503,
    "ThrottlingException": 429,
    "ValidationException": 400,
}
"""Each error and its HTTP status."""

_MEMBERS: Mapping[str, Mapping[str, object]] = {
    "ModelErrorException": {"originalStatusCode": 500, "resourceName": "model"},
}
"""What an error says beside its message."""


class BedrockError(Exception):
    """An answer that a client raises as the botocore exception called `code`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def response(self) -> Response:
        """The error as Bedrock sends it."""
        return Response(
            json.dumps(
                {"message": self.message, **_MEMBERS.get(self.code, {})}, ensure_ascii=False
            ),
            status_code=STATUSES[self.code],
            media_type="application/json",
            headers={"x-amzn-errortype": f"{self.code}:{_NAMESPACE}"},
        )


def malformed(problem: str) -> BedrockError:
    """Bedrock's answer to a body that breaks the model's schema."""
    return BedrockError(
        "ValidationException",
        f"Malformed input request: {problem}, please reformat your input and try again.",
    )


def throttled() -> BedrockError:
    """Bedrock's answer to one call too many."""
    return BedrockError(
        "ThrottlingException",
        "Too many requests, please wait before trying again.",
    )
