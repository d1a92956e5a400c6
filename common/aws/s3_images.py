"""Images in S3, private, handed out by signed URLs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from common.aws.errors import error_code, service_errors
from common.errors import ServiceFailed
from common.jobs import Image

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONTENT_TYPE = "image/png"


class S3ImageStore:
    """A bucket of PNGs; each object's size in pixels is in its metadata."""

    def __init__(self, client: S3Client, *, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, key: str, content: bytes, *, width: int, height: int) -> Image:
        """Store the image."""
        with service_errors("Storing an image"):
            self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=content,
                ContentType=CONTENT_TYPE,
                Metadata={"width": str(width), "height": str(height)},
            )
        return _image(key, width, height, len(content))

    def find(self, key: str) -> Image | None:
        """Ask for the object's head."""
        try:
            with service_errors("Looking for an image"):
                head = self._client.head_object(Bucket=self._bucket, Key=key)
        except ServiceFailed as error:
            cause = error.__cause__
            if isinstance(cause, ClientError) and error_code(cause) in {"404", "NoSuchKey"}:
                return None
            raise
        size = head["Metadata"]
        return _image(key, int(size["width"]), int(size["height"]), head["ContentLength"])

    def url(self, key: str, *, expires_seconds: int) -> str:
        """Sign a GET of the object, without calling S3.

        The answer is an attachment: a page still shows it, and a link to it saves it, which it
        would not from another origin.
        """
        name = key.rpartition("/")[2]
        return self._client.generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self._bucket,
                "Key": key,
                "ResponseContentDisposition": f'attachment; filename="imagify-{name}"',
            },
            ExpiresIn=expires_seconds,
        )


class S3ImageSigner:
    """Signs URLs with a client that is made for the first: most requests show no image."""

    def __init__(self, client: Callable[[], S3Client], *, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def url(self, key: str, *, expires_seconds: int) -> str:
        """Sign as `S3ImageStore` does."""
        return S3ImageStore(self._client(), bucket=self._bucket).url(
            key, expires_seconds=expires_seconds
        )

    def prepare(self) -> None:
        """Load all that signing takes; nothing is sent to anybody."""
        self.url("images/none.png", expires_seconds=60)


def _image(key: str, width: int, height: int, size_bytes: int) -> Image:
    return Image(
        key=key, width=width, height=height, content_type=CONTENT_TYPE, size_bytes=size_bytes
    )
