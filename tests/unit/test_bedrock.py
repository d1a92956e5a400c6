"""What Bedrock's errors mean: botocore reads them from a server of ours, on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import (
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from common.aws import clients
from common.aws.bedrock import THROTTLED_RETRY_AFTER_SECONDS, BedrockModels, model_error
from common.errors import (
    ContentRefused,
    ImagifyError,
    ModelFailed,
    ModelRejected,
    ModelThrottled,
    ModelTimedOut,
    NoFreeSlot,
)
from tests.world import CORE

if TYPE_CHECKING:
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient

READ_SECONDS = 0.3

MEANT: dict[str, tuple[int, type[ImagifyError]]] = {
    "ThrottlingException": (429, ModelThrottled),
    "ModelNotReadyException": (429, ModelThrottled),
    "ServiceQuotaExceededException": (400, ModelThrottled),
    "ServiceUnavailableException": (503, ModelFailed),
    "InternalServerException": (500, ModelFailed),
    "ModelErrorException": (424, ModelFailed),
    "ModelTimeoutException": (408, ModelTimedOut),
    "ValidationException": (400, ModelRejected),
    "AccessDeniedException": (403, ModelRejected),
    "ResourceNotFoundException": (404, ModelRejected),
    "UnrecognizedClientException": (403, ModelRejected),
    "SomethingNewException": (500, ModelFailed),
}


@cache
def session() -> boto3.session.Session:
    """One for all tests: reading Bedrock's description is what makes a client slow to make."""
    return boto3.session.Session()


def at_once() -> None:
    """No wait."""


@dataclass
class Said:
    """What the server answers, and how often it was asked."""

    status: int = 200
    code: str | None = None
    body: bytes = b"{}"
    hang: threading.Event | None = None
    half: bool = False
    """Promise more bytes than come."""
    requests: list[bytes] = field(default_factory=list)


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def models(said: Said) -> Iterator[BedrockModels]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said.requests.append(self.rfile.read(int(self.headers["Content-Length"])))
            if said.hang is not None:
                said.hang.wait(5)
            self.send_response(said.status)
            if said.code is not None:
                self.send_header("x-amzn-errortype", said.code)
            self.send_header("Content-Length", str(len(said.body) * (2 if said.half else 1)))
            self.end_headers()
            self.wfile.write(said.body)

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    client: BedrockRuntimeClient = session().client(
        "bedrock-runtime",
        region_name=CORE.region,
        endpoint_url=f"http://127.0.0.1:{server.server_port}",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 1},
            proxies={},
        ),
    )
    yield BedrockModels({CORE.region: client})
    if said.hang is not None:
        said.hang.set()
    client.close()
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_answer_is_read(models: BedrockModels, said: Said) -> None:
    said.body = b'{"images": ["x"]}'
    assert models.invoke(CORE, {"prompt": "a cat"}, wait=at_once) == {"images": ["x"]}
    assert [json.loads(request) for request in said.requests] == [{"prompt": "a cat"}]


def test_a_request_is_sent_when_its_wait_is_over_and_not_before(
    models: BedrockModels, said: Said
) -> None:
    sent_before: list[int] = []
    models.invoke(CORE, {}, wait=lambda: sent_before.append(len(said.requests)))
    assert (sent_before, len(said.requests)) == ([0], 1)


def test_a_wait_that_gives_up_sends_nothing(models: BedrockModels, said: Said) -> None:
    def give_up() -> None:
        raise NoFreeSlot("Too far away.", retry_after_seconds=9)

    with pytest.raises(NoFreeSlot) as raised:
        models.invoke(CORE, {}, wait=give_up)
    assert raised.value.retry_after_seconds == 9
    assert said.requests == []
    assert models.invoke(CORE, {}, wait=at_once) == {}


@pytest.mark.parametrize("code", MEANT)
def test_an_error_means_what_to_do_next_and_is_met_once(
    models: BedrockModels, said: Said, code: str
) -> None:
    said.status, kind = MEANT[code]
    said.code, said.body = code, b'{"message": "It cannot be done."}'
    with pytest.raises(kind) as raised:
        models.invoke(CORE, {}, wait=at_once)
    assert type(raised.value) is kind
    assert len(said.requests) == 1
    if isinstance(raised.value, ModelThrottled):
        assert raised.value.retry_after_seconds == THROTTLED_RETRY_AFTER_SECONDS


def test_the_end_of_a_models_life_is_for_ever(models: BedrockModels, said: Said) -> None:
    said.status, said.code = 404, "ResourceNotFoundException"
    said.body = b'{"message": "This model version has reached the end of its life."}'
    with pytest.raises(ModelRejected):
        models.invoke(CORE, {}, wait=at_once)


@pytest.mark.parametrize(
    "message",
    [
        "This request has been blocked by our content filters.",
        "Your request was flagged by our moderation system.",
    ],
)
def test_a_filter_that_refuses_in_an_error_is_a_refusal(
    models: BedrockModels, said: Said, message: str
) -> None:
    said.status, said.code = 400, "ValidationException"
    said.body = json.dumps({"message": message}).encode()
    with pytest.raises(ContentRefused):
        models.invoke(CORE, {}, wait=at_once)


def test_a_model_that_does_not_answer_is_asked_once(models: BedrockModels, said: Said) -> None:
    """A second request would pay for the same image again."""
    said.hang = threading.Event()
    with pytest.raises(ModelTimedOut):
        models.invoke(CORE, {}, wait=at_once)
    assert len(said.requests) == 1


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b"null", b'"text"', b"\xff\xfe"])
def test_an_answer_that_makes_no_sense_is_the_models_fault(
    models: BedrockModels, said: Said, body: bytes
) -> None:
    said.body = body
    with pytest.raises(ModelFailed):
        models.invoke(CORE, {}, wait=at_once)


def test_half_an_answer_is_worth_another_try(models: BedrockModels, said: Said) -> None:
    said.body, said.half = b'{"images": ["x"]}', True
    with pytest.raises((ModelFailed, ModelTimedOut)):
        models.invoke(CORE, {}, wait=at_once)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ReadTimeoutError(endpoint_url="x"), ModelTimedOut),
        (ConnectTimeoutError(endpoint_url="x"), ModelFailed),
        (EndpointConnectionError(endpoint_url="x"), ModelFailed),
        (NoCredentialsError(), ModelFailed),
    ],
)
def test_what_does_not_reach_the_model_is_worth_another_try(
    error: ReadTimeoutError, kind: type[ImagifyError]
) -> None:
    assert type(model_error(error)) is kind


def test_the_workers_client_tries_once_and_waits_as_long_as_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    client = clients.bedrock_runtime.__wrapped__(CORE.region, 60)
    config: Any = client.meta.config
    assert client.meta.region_name == CORE.region
    assert config.read_timeout == 60
    assert config.retries == {"mode": "standard", "total_max_attempts": 1}
    client.close()


def test_the_wait_comes_when_only_the_sending_is_left(models: BedrockModels, said: Said) -> None:
    said.body = b'{"images": ["x"]}'
    asked_before: list[int] = []

    def wait() -> None:
        asked_before.append(len(said.requests))

    models.invoke(CORE, {}, wait=wait)
    assert (asked_before, len(said.requests)) == ([0], 1)


def test_what_the_wait_raises_keeps_the_request_back(models: BedrockModels, said: Said) -> None:
    def wait() -> None:
        raise NoFreeSlot("too far", retry_after_seconds=30)

    with pytest.raises(NoFreeSlot):
        models.invoke(CORE, {}, wait=wait)
    assert said.requests == []
