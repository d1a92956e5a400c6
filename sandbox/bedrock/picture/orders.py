"""What crosses the pipe between the server and the drawing process."""

from __future__ import annotations

from typing import NamedTuple

LENGTH_BYTES = 4
"""How many bytes tell, before each image, its length; most significant first."""


class Painting(NamedTuple):
    """One image to draw; `plain` ignores the prompt and the seed."""

    prompt: str
    width: int
    height: int
    seed: int
    output_format: str
    plain: bool
