from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Protocol
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import pytest

from common.aws.s3_images import S3ImageSigner, S3ImageStore
from common.jobs import Image
from common.models.spec import Size
from common.ports import ImageSigner, ImageStore
from tests.contract.backends import BUCKET, EMULATOR, Aws, at_once, on_threads
from tests.fakes import MemoryImages
from tests.fakes_model import png

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONTENT = png(Size(4, 2))
Fresh = Callable[[str], str]


class Images(ImageStore, ImageSigner, Protocol):
    """Both ports that images have."""


@pytest.fixture
def images(backend: Aws | None) -> Images:
    if backend is None:
        return MemoryImages()
    return S3ImageStore(backend.s3, bucket=BUCKET)


def a_key(fresh: Fresh) -> str:
    return f"images/ann/{fresh('job')}.png"


def test_a_stored_image_is_found_as_it_was_told(images: Images, fresh: Fresh) -> None:
    key = a_key(fresh)
    stored = images.put(key, CONTENT, width=4, height=2)
    assert stored == Image(
        key=key, width=4, height=2, content_type="image/png", size_bytes=len(CONTENT)
    )
    assert images.find(key) == stored


def test_an_image_that_is_not_there_is_none(images: Images, fresh: Fresh) -> None:
    assert images.find(a_key(fresh)) is None


def test_storing_twice_is_harmless(images: Images, fresh: Fresh) -> None:
    key = a_key(fresh)
    first = images.put(key, CONTENT, width=4, height=2)
    assert images.put(key, CONTENT, width=4, height=2) == first
    assert images.find(key) == first


def test_the_last_image_stored_is_the_one_found(images: Images, fresh: Fresh) -> None:
    key = a_key(fresh)
    images.put(key, CONTENT, width=4, height=2)
    larger = images.put(key, png(Size(40, 20)), width=40, height=20)
    assert images.find(key) == larger


@on_threads
def test_storing_at_once_is_harmless(images: Images, fresh: Fresh) -> None:
    key = a_key(fresh)
    answers = at_once([partial(images.put, key, CONTENT, width=4, height=2)] * 6)
    assert answers == [images.find(key)] * 6


def test_a_url_names_its_image_and_needs_none_to_be_there(images: Images, fresh: Fresh) -> None:
    key = a_key(fresh)
    url = images.url(key, expires_seconds=60)
    assert url.startswith(("https://", "http://127.0.0.1:"))
    assert f"/{key}?" in url


@pytest.mark.parametrize(
    "backend", [pytest.param(EMULATOR, marks=pytest.mark.emulator)], indirect=True
)
def test_a_url_shows_the_image_to_whoever_has_it_and_nobody_else(
    images: Images, fresh: Fresh
) -> None:
    key = a_key(fresh)
    images.put(key, CONTENT, width=4, height=2)
    browser = build_opener(ProxyHandler({}))
    url = images.url(key, expires_seconds=60)
    with browser.open(url, timeout=5) as answer:
        assert answer.read() == CONTENT
        assert answer.headers["Content-Type"] == "image/png"
        name = f"imagify-{key.rpartition('/')[2]}"
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    tampered = url.replace("X-Amz-Signature=", "X-Amz-Signature=0")
    with pytest.raises(HTTPError, match="403"):
        browser.open(tampered, timeout=5)


def test_who_only_signs_makes_the_stores_urls_and_no_client_before_the_first(
    backend: Aws | None, fresh: Fresh
) -> None:
    if backend is None:
        pytest.skip("memory has no client")
    made = []

    def client() -> S3Client:
        made.append(backend.s3)
        return backend.s3

    key = a_key(fresh)
    S3ImageStore(backend.s3, bucket=BUCKET).put(key, CONTENT, width=4, height=2)
    signer = S3ImageSigner(client, bucket=BUCKET)
    assert made == []
    url = signer.url(key, expires_seconds=60)
    assert f"/{BUCKET}/{key}?" in url
    assert made == [backend.s3]
