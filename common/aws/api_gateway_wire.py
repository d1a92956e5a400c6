"""Speaking on sockets through API Gateway's management API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from common.aws.errors import error_code, service_errors
from common.errors import ServiceFailed, SocketGone

if TYPE_CHECKING:
    from mypy_boto3_apigatewaymanagementapi import ApiGatewayManagementApiClient

GONE = ("GoneException", "410")
"""What a closed connection is called; an answer without a body has only the number."""


class ApiGatewayWire:
    """The sockets of one stage of one WebSocket API."""

    def __init__(self, client: ApiGatewayManagementApiClient) -> None:
        self._client = client

    def send(self, connection_id: str, text: str) -> None:
        """Post the text, once: a client whose buffer is full does without it."""
        try:
            with service_errors("A push"):
                self._client.post_to_connection(ConnectionId=connection_id, Data=text.encode())
        except ServiceFailed as error:
            if _gone(error):
                raise SocketGone(f"{connection_id} is closed.") from error
            raise

    def close(self, connection_id: str) -> None:
        """Delete the connection; one that is gone is as it should be."""
        try:
            with service_errors("Closing a socket"):
                self._client.delete_connection(ConnectionId=connection_id)
        except ServiceFailed as error:
            if not _gone(error):
                raise


def _gone(error: ServiceFailed) -> bool:
    cause = error.__cause__
    return isinstance(cause, ClientError) and error_code(cause) in GONE
