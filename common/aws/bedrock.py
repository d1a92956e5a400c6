"""Image models on Bedrock, called once per invoke, each error sorted by what to do next."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from common.aws.errors import error_code
from common.errors import (
    ContentRefused,
    ImagifyError,
    ModelFailed,
    ModelRejected,
    ModelThrottled,
    ModelTimedOut,
)
from common.models.answers import tells_of_filter
from common.routes import Route

if TYPE_CHECKING:
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient

IMAGE_MAYBE_MADE = (ReadTimeoutError, ResponseStreamingError, IncompleteReadError)
"""The request was taken, so the image may have been made and charged."""
KINDS: Mapping[str, type[ImagifyError]] = {
    "ThrottlingException": ModelThrottled,
    "ModelNotReadyException": ModelThrottled,
    "ServiceQuotaExceededException": ModelThrottled,
    "ModelTimeoutException": ModelTimedOut,
    "ValidationException": ModelRejected,
    "AccessDeniedException": ModelRejected,
    "ResourceNotFoundException": ModelRejected,
    "UnrecognizedClientException": ModelRejected,
}
"""What an error code means; any other is worth another try."""
THROTTLED_RETRY_AFTER_SECONDS = 5.0


BEFORE_SEND = "before-send.bedrock-runtime.InvokeModel"
"""botocore's last event before the bytes go out."""


class BedrockModels:
    """InvokeModel in each route's own region."""

    def __init__(self, clients: Mapping[str, BedrockRuntimeClient]) -> None:
        """`clients` by region, made beforehand, so that no start is late for its client."""
        self._clients = clients
        self._wait: ContextVar[Callable[[], None]] = ContextVar("wait")
        for client in clients.values():
            client.meta.events.register(BEFORE_SEND, self._before_send)

    def _before_send(self, **_request: Any) -> None:
        """The request is signed and ready: wait here, so that none of that delays the start."""
        self._wait.get()()

    def invoke(
        self, route: Route, body: Mapping[str, Any], *, wait: Callable[[], None]
    ) -> Mapping[str, Any]:
        """Send the body to the route's model and read its answer."""
        self._wait.set(wait)
        try:
            answer = self._clients[route.region].invoke_model(
                modelId=route.model,
                body=json.dumps(body),
                contentType="application/json",
                accept="application/json",
            )
            content = answer["body"].read()
        except (ClientError, BotoCoreError) as error:
            raise model_error(error) from error
        try:
            values = json.loads(content)
        except ValueError as error:
            raise ModelFailed("The model's answer is no JSON.") from error
        if not isinstance(values, dict):
            raise ModelFailed("The model's answer is no JSON object.")
        return values


def model_error(error: ClientError | BotoCoreError) -> ImagifyError:
    """What a failed InvokeModel means; whatever is not known is worth another try."""
    if isinstance(error, IMAGE_MAYBE_MADE):
        return ModelTimedOut("The model's answer did not arrive in time, or not whole.")
    if not isinstance(error, ClientError):
        return ModelFailed(f"The model could not be reached: {type(error).__name__}.")
    code = error_code(error)
    kind = KINDS.get(code, ModelFailed)
    said = f"The model's service answered {code}."
    if kind is ModelThrottled:
        return ModelThrottled(said, retry_after_seconds=THROTTLED_RETRY_AFTER_SECONDS)
    if kind is ModelRejected and tells_of_filter(str(error)):
        return ContentRefused("The model's content filter refused the prompt.")
    return kind(said)
