"""The two ways the image models are spoken to, each checked as strictly as the service does.

Stability: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-stability-diffusion.html
Titan and Nova: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-image.html
and https://docs.aws.amazon.com/nova/latest/userguide/image-gen-req-resp-structure.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sandbox.bedrock.errors import BedrockError, malformed

NewSeed = Callable[[int], int]
"""A random seed from 1 to the given largest one."""

FILTERED_PROMPT = "Filter reason: prompt"
FILTERED_IMAGE = "Filter reason: output image"
INFERENCE_ERROR = "Inference error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a valid request asks for."""

    prompt: str
    width: int
    height: int
    seeds: tuple[int, ...]
    """One an image."""
    output_format: Literal["png", "jpeg"] = "png"


class Wire(Protocol):
    """One family's request and answers."""

    def read(self, body: bytes, new_seed: NewSeed) -> Order:
        """The order in a request body; raises BedrockError for a body that breaks the schema."""

    def answer(self, order: Order, images: Sequence[bytes]) -> bytes:
        """The success body; `images` are base64."""

    def refuse(self, order: Order, reason: str) -> bytes:
        """The body for a refusal; raises BedrockError where the family says no with an error."""


class _Body(BaseModel):
    """A request body; a field that may be left out may not be null."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read the JSON; raises BedrockError naming the first problem."""
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            raise malformed(_problem(error)) from None


STABILITY_SIZES = {
    "16:9": (1344, 768),
    "1:1": (1024, 1024),
    "21:9": (1536, 640),
    "2:3": (832, 1216),
    "3:2": (1216, 832),
    "4:5": (896, 1088),
    "5:4": (1088, 896),
    "9:16": (768, 1344),
    "9:21": (640, 1536),
}
"""Pixels by aspect ratio, about a megapixel each, in steps of 64."""
STABILITY_SEED_MAX = 4_294_967_294

_LongText = Annotated[str, Field(max_length=10_000)]
_AspectRatio = Literal["16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21"]


class _StabilityBody(_Body):
    prompt: _LongText
    negative_prompt: _LongText = ""
    aspect_ratio: _AspectRatio = "1:1"
    output_format: Literal["png", "jpeg"] = "png"
    seed: Annotated[int, Field(ge=0, le=STABILITY_SEED_MAX)] = 0


class _Sd35Body(_StabilityBody):
    mode: Literal["text-to-image"] = "text-to-image"


class StabilityWire:
    """Core, Ultra and SD3.5 Large; SD3.5 also takes a `mode`, of which one is played here."""

    def __init__(self, *, mode: bool = False) -> None:
        self._body: type[_StabilityBody] = _Sd35Body if mode else _StabilityBody

    def read(self, body: bytes, new_seed: NewSeed) -> Order:
        """Seed 0 means a random one, which the answer tells."""
        asked = self._body.parse(body)
        width, height = STABILITY_SIZES[asked.aspect_ratio]
        return Order(
            prompt=asked.prompt,
            width=width,
            height=height,
            seeds=(asked.seed or new_seed(STABILITY_SEED_MAX),),
            output_format=asked.output_format,
        )

    def answer(self, order: Order, images: Sequence[bytes]) -> bytes:
        """`seeds`, `finish_reasons` and `images`, one of each."""
        head = json.dumps({"seeds": list(order.seeds), "finish_reasons": [None]})
        return _with_images(head, images)

    def refuse(self, order: Order, reason: str) -> bytes:
        """A 200 without the key `images`."""
        return json.dumps({"seeds": list(order.seeds), "finish_reasons": [reason]}).encode()


class _TextToImage(_Body):
    text: Annotated[str, Field(min_length=1)]
    negative_text: Annotated[str, Field(alias="negativeText", min_length=1)] = ""


class _Generation(_Body):
    number_of_images: Annotated[int, Field(alias="numberOfImages", ge=1, le=5)] = 1
    width: int = 1024
    height: int = 1024
    cfg_scale: Annotated[float, Field(alias="cfgScale", ge=1.1, le=10)] = 8.0
    seed: Annotated[int, Field(ge=0)] = 0
    quality: Literal["standard", "premium"] = "standard"


class _TextImageBody(_Body):
    task_type: Annotated[Literal["TEXT_IMAGE"], Field(alias="taskType")]
    text_to_image: Annotated[_TextToImage, Field(alias="textToImageParams")]
    generation: Annotated[_Generation, Field(alias="imageGenerationConfig")] = _Generation()


TITAN_SIZES = frozenset(
    {(side, side) for side in (512, 768, 1024)}
    | {
        size
        for width, height in (
            (768, 1152), (384, 576), (768, 1280), (384, 640), (896, 1152), (448, 576),
            (768, 1408), (384, 704), (640, 1408), (320, 704),
        )
        for size in ((width, height), (height, width))
    }
    | {(1152, 640), (1173, 640)}
)  # fmt: skip
"""The sizes that Titan v2 draws."""

NOVA_SIDES = (320, 4096)
NOVA_PIXELS_MAX = 4_194_304
NOVA_STEP = 16
NOVA_STRETCH_MAX = 4


def titan_draws(width: int, height: int) -> bool:
    """Whether Titan v2 lists the size."""
    return (width, height) in TITAN_SIZES


def nova_draws(width: int, height: int) -> bool:
    """Whether Nova Canvas takes the size: sides in steps of 16, up to 4:1, under 4.19 MP."""
    least, most = NOVA_SIDES
    return (
        all(least <= side <= most and side % NOVA_STEP == 0 for side in (width, height))
        and max(width, height) <= NOVA_STRETCH_MAX * min(width, height)
        and width * height < NOVA_PIXELS_MAX
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TextImageWire:
    """Titan v2 and Nova Canvas, which differ in their limits."""

    text_chars_max: int
    seed_max: int
    seed_default: int
    draws: Callable[[int, int], bool]

    def read(self, body: bytes, new_seed: NewSeed) -> Order:  # noqa: ARG002  # seeds default here
        """An absent seed is the model's default, not a random one; further images count up."""
        asked = _TextImageBody.parse(body)
        text, generation = asked.text_to_image, asked.generation
        for name, value in (("text", text.text), ("negativeText", text.negative_text)):
            if len(value) > self.text_chars_max:
                raise malformed(
                    f"#/textToImageParams/{name}: expected maxLength: {self.text_chars_max}, "
                    f"actual: {len(value)}"
                )
        if not self.draws(generation.width, generation.height):
            raise malformed(
                "#/imageGenerationConfig: the model does not draw "
                f"{generation.width}x{generation.height}"
            )
        seed = generation.seed if "seed" in generation.model_fields_set else self.seed_default
        if seed > self.seed_max:
            raise malformed(
                f"#/imageGenerationConfig/seed: {seed} is not less or equal to {self.seed_max}"
            )
        return Order(
            prompt=text.text,
            width=generation.width,
            height=generation.height,
            seeds=tuple(seed + count for count in range(generation.number_of_images)),
        )

    def answer(self, order: Order, images: Sequence[bytes]) -> bytes:  # noqa: ARG002  # no seeds
        """`images` alone."""
        return _with_images("{}", images)

    def refuse(self, order: Order, reason: str) -> bytes:  # noqa: ARG002  # no seeds
        """A prompt is refused with a ValidationException, an image with an `error` field."""
        if reason == FILTERED_PROMPT:
            raise BedrockError(
                "ValidationException",
                "This request has been blocked by our content filters. "
                "Please adjust your text prompt to submit a new request.",
            )
        if reason == FILTERED_IMAGE:
            reason = "All of the generated images have been blocked by our content filters."
        return json.dumps({"images": [], "error": reason}).encode()


def _with_images(head: str, images: Sequence[bytes]) -> bytes:
    """A JSON object with base64 images at its end, put together without encoding them again."""
    listed = b'"images": ["' + b'", "'.join(images) + b'"]}'
    return head[:-1].encode() + (b", " if head != "{}" else b"") + listed


def _problem(error: ValidationError) -> str:
    """The first thing wrong, as the service's own schema checker words it."""
    first = error.errors(include_url=False, include_input=False)[0]
    place, name = first["loc"][:-1], str(first["loc"][-1]) if first["loc"] else ""
    parent = "/".join(["#", *map(str, place)])
    match first["type"]:
        case "json_invalid":
            return "the body is not JSON"
        case "extra_forbidden":
            return f"{parent}: extraneous key [{name}] is not permitted"
        case "missing":
            return f"{parent}: required key [{name}] not found"
        case _:
            return f"{parent}/{name}: {first['msg']}"
