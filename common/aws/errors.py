"""The one place where boto3's errors become ours, for every service but the model's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from common.errors import ServiceFailed
from common.retries import WriteConflict


class ConditionFailed(Exception):
    """A conditional write met something else; `item` is what, empty for nothing."""

    def __init__(self, item: Mapping[str, Any]) -> None:
        super().__init__("a condition did not hold")
        self.item = item


@contextmanager
def service_errors(what: str) -> Iterator[None]:
    """Turn what boto3 raises inside into ours; `what` says what was being done.

    Raises ConditionFailed when a write's condition does not hold, WriteConflict when it meets a
    transaction, else ServiceFailed.
    """
    try:
        yield
    except ClientError as error:
        if error_code(error) == "ConditionalCheckFailedException":
            response: Mapping[str, Any] = error.response
            raise ConditionFailed(response.get("Item", {})) from error
        if error_code(error) == "TransactionConflictException":
            raise WriteConflict from error
        raise ServiceFailed(f"{what} did not work: {error}") from error
    except BotoCoreError as error:
        raise ServiceFailed(f"{what} did not work: {error}") from error


def error_code(error: ClientError) -> str:
    """AWS's name of the error, such as `ThrottlingException`."""
    return str(error.response.get("Error", {}).get("Code", ""))
