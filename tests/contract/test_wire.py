"""Speaking on sockets that are closed: the wire says so, and closing them again is no error."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from common.aws import clients
from common.aws.api_gateway_wire import ApiGatewayWire
from common.errors import ServiceFailed, SocketGone
from common.ports import Wire
from tests.contract.backends import EMULATOR, MEMORY, REGION, Endpoint
from tests.fakes_feed import MemoryWire

if TYPE_CHECKING:
    from mypy_boto3_apigatewaymanagementapi import ApiGatewayManagementApiClient

CLOSED = "Zm9yZ290dGVu="
VARIABLE = "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"


@contextmanager
def client_at(
    monkeypatch: pytest.MonkeyPatch, url: str | None
) -> Iterator[ApiGatewayManagementApiClient]:
    """The client that the functions use, on the emulator or on AWS itself."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    if url is None:
        monkeypatch.delenv(VARIABLE, raising=False)
    else:
        monkeypatch.setenv(VARIABLE, f"{url}/_aws/execute-api")
    for made in (clients._session, clients.sockets):
        made.cache_clear()
    client = clients.sockets(REGION, api_id="feed000000", stage="live")
    yield client
    client.close()
    for made in (clients._session, clients.sockets):
        made.cache_clear()


@pytest.fixture(params=[MEMORY, pytest.param(EMULATOR, marks=pytest.mark.emulator)])
def wire(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """A wire whose every socket is closed; moto's are always open."""
    if request.param == MEMORY:
        memory = MemoryWire()
        memory.gone.add(CLOSED)
        yield memory
        return
    emulator: Endpoint = request.getfixturevalue("emulator")
    with client_at(monkeypatch, emulator.url) as client:
        yield ApiGatewayWire(client)


def test_who_speaks_on_a_closed_socket_learns_that_it_is(wire: Wire) -> None:
    with pytest.raises(SocketGone):
        wire.send(CLOSED, "{}")


def test_a_closed_socket_can_be_closed_again(wire: Wire) -> None:
    wire.close(CLOSED)
    with pytest.raises(SocketGone):
        wire.send(CLOSED, "{}")


Answering = Callable[..., tuple[ApiGatewayWire, list[Any]]]


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answering]:
    """A wire to AWS; takes what AWS answers, or what keeps it from answering, and gives the wire
    and what was asked."""
    with client_at(monkeypatch, None) as client:

        def answer(
            status: int, error: str = "", *, raises: Exception | None = None
        ) -> tuple[ApiGatewayWire, list[Any]]:
            asked: list[Any] = []

            def give(request: Any, **_rest: object) -> AWSResponse:
                asked.append(request)
                if raises is not None:
                    raise raises
                headers = {"x-amzn-ErrorType": error} if error else {}
                body = json.dumps({"message": "no"}).encode() if error else b""
                return AWSResponse(request.url, status, HTTPHeaders.from_dict(headers), Raw(body))

            events: Any = client.meta.events  # the types do not know that a hook may answer
            events.register("before-send.apigatewaymanagementapi", give)
            return ApiGatewayWire(client), asked

        yield answer


class Raw(io.BytesIO):
    """A body as urllib3 streams it."""

    def stream(self, **_how: object) -> Iterator[bytes]:
        yield self.getvalue()


def test_a_text_is_posted_once_to_the_socket_of_the_stage(answering: Answering) -> None:
    wire, asked = answering(200)
    wire.send("c/1=", '{"é": 1}')
    (request,) = asked
    assert request.method == "POST"
    assert request.url == (
        f"https://feed000000.execute-api.{REGION}.amazonaws.com/live/@connections/c%2F1%3D"
    )
    assert request.body == '{"é": 1}'.encode()


def test_closing_deletes_the_connection(answering: Answering) -> None:
    wire, asked = answering(204)
    wire.close("c1")
    assert [(request.method, request.url.rpartition("/")[2]) for request in asked] == [
        ("DELETE", "c1")
    ]


@pytest.mark.parametrize("error", ["GoneException", ""])
def test_gone_is_understood_with_and_without_a_name(answering: Answering, error: str) -> None:
    wire, _asked = answering(410, error)
    with pytest.raises(SocketGone):
        wire.send("c1", "{}")
    wire.close("c1")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (403, "ForbiddenException"),
        (413, "PayloadTooLargeException"),
        (429, "LimitExceededException"),
        (500, ""),
        (503, ""),
    ],
)
def test_any_other_refusal_is_a_failure_and_is_not_tried_again(
    answering: Answering, status: int, error: str
) -> None:
    wire, asked = answering(status, error)
    with pytest.raises(ServiceFailed) as sending:
        wire.send("c1", "{}")
    with pytest.raises(ServiceFailed) as closing:
        wire.close("c1")
    assert SocketGone not in {type(sending.value), type(closing.value)}
    assert len(asked) == 2


@pytest.mark.parametrize(
    "error",
    [
        ConnectTimeoutError(endpoint_url="https://feed"),
        ReadTimeoutError(endpoint_url="https://feed"),
    ],
    ids=["connect", "read"],
)
def test_an_answer_that_does_not_come_is_a_failure(answering: Answering, error: Exception) -> None:
    wire, asked = answering(0, raises=error)
    with pytest.raises(ServiceFailed):
        wire.send("c1", "{}")
    assert len(asked) == 1
