"""What a model's answer holds: a PNG in base64, or words that refuse.

An answer comes from outside, so nothing about its shape is taken for granted: whatever it is, what
comes out here is an image or one of our errors.
"""

from __future__ import annotations

import base64
import struct

from common.errors import ModelFailed
from common.models.spec import Size

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_IHDR = struct.Struct(">8sI4sII")
"""Signature, length of the first chunk, its type, then width and height in pixels."""
_IHDR_BYTES = 13
_REFUSALS = ("content filter", "content polic", "filtered words", "moderation", "responsible ai")


def first_png(images: object) -> bytes:
    """The first of the answer's images, decoded. Raises ModelFailed when it is not a PNG."""
    if not isinstance(images, list) or not images:
        raise ModelFailed("The model answered without an image.")
    encoded = images[0]
    if not isinstance(encoded, str) or not encoded:
        raise ModelFailed("The model answered with an empty image.")
    try:
        content = base64.b64decode(encoded, validate=True)
    except ValueError:
        raise ModelFailed("The model's image is not valid base64.") from None
    png_size(content)
    return content


def png_size(content: bytes) -> Size:
    """The width and height that a PNG's header states. Raises ModelFailed when it has none.

    The rest of the file is not looked at. Source: PNG specification, chapters 5.2 and 11.2.1.
    """
    if not content.startswith(PNG_SIGNATURE):
        raise ModelFailed("The model's image is not a PNG.")
    if len(content) < _IHDR.size:
        raise ModelFailed("The model's image is cut short.")
    _, length, kind, width, height = _IHDR.unpack_from(content)
    if length != _IHDR_BYTES or kind != b"IHDR" or not width or not height:
        raise ModelFailed("The model's image has a broken PNG header.")
    return Size(width, height)


def tells_of_filter(message: str) -> bool:
    """Whether an error's words say that a content filter refused, and not that something broke.

    Amazon's models say so in the answer's `error` field or in a ValidationException ("blocked by
    our content filters"), Stability's older ones in a ValidationException ("filtered words").
    """
    words = message.lower()
    return any(refusal in words for refusal in _REFUSALS)
