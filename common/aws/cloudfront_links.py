"""Images handed out by CloudFront, whose links are signed by a key of ours.

A link that S3 checks dies with the credentials that signed it, and a function's live for hours;
this key stays, so these may work for days. The signature is RSA's over SHA-256, which CloudFront
takes since April 2026 from whoever says so in `Hash-Algorithm`:
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-canned-policy.html
"""

from __future__ import annotations

import math
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from botocore.signers import CloudFrontSigner

from common.aws.errors import service_errors

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from mypy_boto3_ssm import SSMClient

    from common.ports import Clock
    from common.settings.outlook import ImageLinks

HASH_ALGORITHM = "SHA256"
STEP_SECONDS = 10


class CloudFrontLinks:
    """Signs links with the private key in Parameter Store, read once, when first needed."""

    def __init__(self, client: SSMClient, links: ImageLinks, *, now: Clock) -> None:
        self._client = client
        self._links = links
        self._now = now
        self._key: RSAPrivateKey | None = None
        self._reading = threading.Lock()

    def url(self, key: str, *, expires_seconds: int) -> str:
        """Sign a GET of the object; raises ServiceFailed while the key cannot be read.

        What is due at one moment has the same link whenever it is signed, so that a browser finds
        the image in its cache: the moment is reckoned in steps of ten seconds, never too early.
        """
        expires = (
            math.ceil((self._now().timestamp() + expires_seconds) / STEP_SECONDS) * STEP_SECONDS
        )
        signer = CloudFrontSigner(self._links.key_pair_id, self._sign)
        link = signer.generate_presigned_url(
            f"{self._links.origin}/{quote(key)}",
            date_less_than=datetime.fromtimestamp(expires, UTC),
        )
        return f"{link}&Hash-Algorithm={HASH_ALGORITHM}"

    def prepare(self) -> None:
        """Load all that signing takes, but for the key: no snapshot of a process shall hold it."""
        import cryptography.hazmat.primitives.asymmetric.padding  # noqa: PLC0415
        import cryptography.hazmat.primitives.serialization  # noqa: F401, PLC0415

    def _sign(self, policy: bytes) -> bytes:
        # Only who signs pays for the import.
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415
        from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

        return self._private_key().sign(policy, PKCS1v15(), SHA256())

    def _private_key(self) -> RSAPrivateKey:
        with self._reading:
            if self._key is None:
                self._key = self._read()
            return self._key

    def _read(self) -> RSAPrivateKey:
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
            load_pem_private_key,
        )

        with service_errors("Reading the key that signs images' links"):
            answer = self._client.get_parameter(Name=self._links.key_parameter, WithDecryption=True)
        key = load_pem_private_key(answer["Parameter"]["Value"].encode(), password=None)
        if not isinstance(key, RSAPrivateKey):
            raise TypeError(f"{self._links.key_parameter} holds no RSA key")
        return key
