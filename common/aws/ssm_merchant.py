"""The merchant's account with VNPAY, from a SecureString in Parameter Store.

It holds all that VNPAY gives a merchant as one JSON object, so that a code and the secret that
belongs to it always change together. It is read when first needed and kept for a while; it is in no
environment variable, template, log or error.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError

from common.aws.errors import error_code
from common.errors import Conflict, ServiceFailed
from common.vnpay import Merchant

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

KEPT_SECONDS = 300
"""A changed secret is in use after at most so long."""


class SsmMerchant:
    """Reads the account, at most once in `KEPT_SECONDS`."""

    def __init__(
        self, client: SSMClient, *, parameter: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._parameter = parameter
        self._clock = clock
        self._kept: tuple[float, str] | None = None

    def __call__(self) -> Merchant:
        """Read, decrypt and check it.

        Raises Conflict while there is none, ServiceFailed when it cannot be read, ValueError, which
        names the fields but no values, when it is not what it should be.
        """
        now = self._clock()
        if self._kept is None or now - self._kept[0] > KEPT_SECONDS:
            self._kept = now, self._read()
        return read_account(self._kept[1], source=self._parameter)

    def _read(self) -> str:
        try:
            answer = self._client.get_parameter(Name=self._parameter, WithDecryption=True)
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and error_code(error) == "ParameterNotFound":
                raise Conflict(
                    "Nothing can be paid for here yet.", code="payments_not_set_up"
                ) from None
            raise ServiceFailed("The merchant's account could not be read.") from error
        return answer["Parameter"]["Value"]


def read_account(text: str, *, source: str) -> Merchant:
    """The account in a JSON object; raises ValueError, which names fields but no values."""
    try:
        return Merchant.model_validate_json(text)
    except ValidationError as error:
        named = {str(one["loc"][0]) if one["loc"] else "JSON" for one in error.errors()}
        # A name that we do not know may be a value that was put in the wrong place.
        known = {*Merchant.model_fields, "JSON"}
        wrong = sorted({name if name in known else "an unknown field" for name in named})
    # Out here, so that the error that knows the values does not travel along.
    raise ValueError(f"{source}: wrong are {', '.join(wrong)}")
