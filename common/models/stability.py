"""Stability AI's models on Bedrock: Stable Image Core and Ultra, Stable Diffusion 3.5 Large.

Source: AWS documentation, "Stability AI models", November 2026. One image a call. The models choose
the pixels themselves from the aspect ratio. A refused request has `finish_reasons` and no `images`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from common.errors import ContentRefused, ModelFailed
from common.jobs import ImageRequest
from common.models.answers import first_png
from common.models.spec import Size

FILTERED = "Filter reason:"
_REFUSED = {
    "prompt": "The model's content filter refused the prompt.",
    "output image": "The model's content filter refused the image it had drawn.",
    "input image": "The model's content filter refused the input image.",
}


@dataclass(frozen=True, slots=True)
class StabilityFormat:
    """The wire format that the three models share."""

    mode: str | None = None
    """`text-to-image` for a model that can do something else too, else None: not sent."""

    def body(self, request: ImageRequest, size: Size) -> dict[str, Any]:  # noqa: ARG002 - the port's
        """The JSON body; what was not asked for is not sent, so the model's default holds."""
        body: dict[str, Any] = {
            "prompt": request.prompt,
            "aspect_ratio": request.aspect_ratio,
            "output_format": "png",
        }
        if self.mode is not None:
            body["mode"] = self.mode
        if request.negative_prompt:
            body["negative_prompt"] = request.negative_prompt
        if request.seed is not None:
            body["seed"] = request.seed
        return body

    def image(self, answer: Mapping[str, Any]) -> bytes:
        """The PNG in `{"seeds": […], "finish_reasons": [null], "images": ["base64"]}`.

        Raises ContentRefused for a `Filter reason: …` and ModelFailed for anything else that is no
        image, `Inference error` among them.
        """
        if not isinstance(answer, Mapping):
            raise ModelFailed("The model's answer is not a JSON object.")
        reasons = answer.get("finish_reasons")
        for reason in reasons if isinstance(reasons, list) else [reasons]:
            if reason is not None:
                raise _refusal(reason)
        return first_png(answer.get("images"))


def _refusal(reason: object) -> ContentRefused | ModelFailed:
    if not isinstance(reason, str) or not reason.startswith(FILTERED):
        return ModelFailed("The model reported an error instead of an image.")
    kind = reason.removeprefix(FILTERED).strip()
    return ContentRefused(_REFUSED.get(kind, "The model's content filter refused the request."))
