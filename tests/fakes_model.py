"""A model in memory, and the smallest images that it can give."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

from common.models.answers import PNG_SIGNATURE
from common.models.spec import Size
from common.routes import Route


class FakeModel:
    """A model that answers as told, each answer once, and then with `image` for ever."""

    def __init__(self, *answers: Mapping[str, Any] | Exception, image: bytes | None = None) -> None:
        self._answers = list(answers)
        self._image = answer(image or png(Size(16, 16)))
        self._lock = Lock()
        self.calls: list[tuple[Route, Mapping[str, Any]]] = []

    def invoke(
        self, route: Route, body: Mapping[str, Any], *, wait: Callable[[], None]
    ) -> Mapping[str, Any]:
        wait()
        with self._lock:
            self.calls.append((route, body))
            said = self._answers.pop(0) if self._answers else self._image
        if isinstance(said, Exception):
            raise said
        return said


def answer(content: bytes) -> dict[str, Any]:
    """A model's answer with an image, as Stability's and Amazon's formats both read it."""
    images = [base64.b64encode(content).decode()]
    return {"seeds": [1], "finish_reasons": [None], "images": images}


REFUSAL: Mapping[str, Any] = {"finish_reasons": ["Filter reason: prompt"]}
"""What Stability's models answer to a prompt that they refuse."""


def png(size: Size) -> bytes:
    """A real PNG, all black."""
    header = size.width.to_bytes(4, "big") + size.height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    rows = zlib.compress(bytes(size.width + 1) * size.height)
    return PNG_SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content).to_bytes(4, "big")
    return len(content).to_bytes(4, "big") + kind + content + checksum
