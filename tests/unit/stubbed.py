"""AWS as a script: each call must be the next of those that are expected."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import boto3
from botocore.stub import Stubber

REGION = "ap-southeast-1"


class Scripted:
    """A session whose clients answer what they are told to."""

    def __init__(self, *services: str) -> None:
        session: Any = boto3.session.Session(
            aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION
        )
        self._clients = {name: session.client(name) for name in services}
        self._stubbers = {name: Stubber(client) for name, client in self._clients.items()}

    def client(self, service: str) -> Any:
        return self._clients[service]

    def answers(self, service: str, call: str, answer: dict[str, Any], **asked: Any) -> None:
        self._stubbers[service].add_response(call, answer, asked or None)

    def fails(self, service: str, call: str, code: str, message: str = "") -> None:
        self._stubbers[service].add_client_error(call, code, message)

    @contextmanager
    def playing(self) -> Iterator[None]:
        """Everything that is expected has been called at the end."""
        with ExitStack() as stack:
            for stubber in self._stubbers.values():
                stack.enter_context(stubber)
            yield
        for stubber in self._stubbers.values():
            stubber.assert_no_pending_responses()
