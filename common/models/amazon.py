"""Amazon's models on Bedrock: Titan Image Generator v2 and Nova Canvas.

Both have left Bedrock for new accounts; their format is kept for those with private access.
Source: AWS documentation, "Amazon Titan Image Generator" and "Amazon Nova Canvas", November 2026.

Two traps. Without a seed both models use a fixed one (Titan 42, Nova 12), so the same prompt gives
the same image. And a refusal comes as an `error` in the answer or as a ValidationException: the
latter is read with `common.models.answers.tells_of_filter`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from common.errors import ContentRefused, ModelFailed
from common.jobs import ImageRequest
from common.models.answers import first_png, tells_of_filter
from common.models.spec import Size


@dataclass(frozen=True, slots=True)
class AmazonFormat:
    """The TEXT_IMAGE task, the same for both models."""

    quality: str = "standard"
    """`standard` is what the catalogue's prices are for; `premium` costs more."""

    def body(self, request: ImageRequest, size: Size) -> dict[str, Any]:
        """The JSON body; what was not asked for is not sent."""
        text = {"text": request.prompt}
        if request.negative_prompt:
            text["negativeText"] = request.negative_prompt
        config: dict[str, Any] = {
            "numberOfImages": 1,
            "width": size.width,
            "height": size.height,
            "quality": self.quality,
        }
        if request.seed is not None:
            config["seed"] = request.seed
        return {
            "taskType": "TEXT_IMAGE",
            "textToImageParams": text,
            "imageGenerationConfig": config,
        }

    def image(self, answer: Mapping[str, Any]) -> bytes:
        """The PNG in `{"images": ["base64"], "error": null}`.

        Raises ContentRefused when `error` tells of a content filter, and ModelFailed for any other
        `error` and for anything that is no image.
        """
        if not isinstance(answer, Mapping):
            raise ModelFailed("The model's answer is not a JSON object.")
        error = answer.get("error")
        if error:
            if tells_of_filter(str(error)):
                raise ContentRefused("The model's content filter refused the prompt or the image.")
            raise ModelFailed("The model reported an error instead of an image.")
        return first_png(answer.get("images"))
