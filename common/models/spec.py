"""What is known of an image model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from common.jobs import ImageRequest


@dataclass(frozen=True, slots=True)
class Size:
    """Pixels."""

    width: int
    height: int


class WireFormat(Protocol):
    """How a family of models is asked, and how it answers; one image a call."""

    def body(self, request: ImageRequest, size: Size) -> dict[str, Any]:
        """The JSON body of an InvokeModel call for the request."""

    def image(self, answer: Mapping[str, Any]) -> bytes:
        """The PNG in the answer.

        Raises ContentRefused for a filter's refusal and ModelFailed for anything that is no image.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One model: its limits, its price and its days."""

    model_id: str
    title: str
    wire: WireFormat
    regions: tuple[str, ...]
    """Where it can be invoked; empty when nowhere but by private access."""
    cost_credits: int
    """What we take for an image; one credit is sold for about 0.05 USD."""
    usd_per_image: float
    """What Bedrock takes for an image of the sizes below."""
    prompt_chars_max: int
    sizes: Mapping[str, Size]
    """Each aspect ratio it draws, such as `16:9`, and the image's size; `1:1` is the default."""
    seed_max: int
    negative_prompt: bool
    """Whether it takes a negative prompt, of at most `prompt_chars_max` characters."""
    end_of_life: date | None = None
    replaced_by: str | None = None

    def retired(self, today: date) -> bool:
        """Whether Bedrock refuses it by now."""
        return self.end_of_life is not None and today >= self.end_of_life
