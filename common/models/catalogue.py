"""Every model we can speak to, with its limits, price and days.

Sources, as of November 2026: AWS documentation for ids, request limits, aspect ratios, regions and
end-of-life dates; third-party price lists for USD an image; for Titan the seed's price. One credit
is sold for about 0.05 USD, so each image earns at least half of its price.

Unconfirmed: the exact pixels that Stability's models draw. Bedrock documents one megapixel with
sides of 640 to 1,536; the table is the one that fits and that Stability names for this family. The
size of a stored image is always read from the image itself. Unconfirmed too: that Core and Ultra
take a negative prompt. Core's page lists it, a client library reports it refused; it is sent only
when somebody sets one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

from common.models.amazon import AmazonFormat
from common.models.spec import ModelSpec, Size
from common.models.stability import StabilityFormat

DEFAULT_MODEL = "stability.stable-image-core-v1:1"

_MEGAPIXEL: Mapping[str, Size] = MappingProxyType(
    {
        "1:1": Size(1024, 1024),
        "16:9": Size(1344, 768),
        "21:9": Size(1536, 640),
        "2:3": Size(832, 1216),
        "3:2": Size(1216, 832),
        "4:5": Size(896, 1088),
        "5:4": Size(1088, 896),
        "9:16": Size(768, 1344),
        "9:21": Size(640, 1536),
    }
)
"""Nova Canvas takes the same: sides in sixteens, 320 to 4,096, at most 4:1 [unconfirmed]."""

_TITAN: Mapping[str, Size] = MappingProxyType(
    {
        "1:1": Size(1024, 1024),
        "16:9": Size(1173, 640),
        "9:5": Size(1152, 640),
        "2:3": Size(768, 1152),
        "3:2": Size(1152, 768),
        "3:5": Size(768, 1280),
        "5:3": Size(1280, 768),
        "7:9": Size(896, 1152),
        "9:7": Size(1152, 896),
        "6:11": Size(768, 1408),
        "11:6": Size(1408, 768),
        "5:11": Size(640, 1408),
        "11:5": Size(1408, 640),
    }
)
"""Titan draws these and no others; each ratio's largest [unconfirmed]."""

_STABILITY_PROMPT_CHARS_MAX = 10_000
_STABILITY_SEED_MAX = 4_294_967_294
_STABILITY_REGIONS = ("us-west-2",)

MODELS: tuple[ModelSpec, ...] = (
    ModelSpec(
        model_id=DEFAULT_MODEL,
        title="Stable Image Core",
        wire=StabilityFormat(),
        regions=_STABILITY_REGIONS,
        cost_credits=2,
        usd_per_image=0.04,
        prompt_chars_max=_STABILITY_PROMPT_CHARS_MAX,
        sizes=_MEGAPIXEL,
        seed_max=_STABILITY_SEED_MAX,
        negative_prompt=True,
    ),
    ModelSpec(
        model_id="stability.sd3-5-large-v1:0",
        title="Stable Diffusion 3.5 Large",
        wire=StabilityFormat(mode="text-to-image"),
        regions=_STABILITY_REGIONS,
        cost_credits=4,
        usd_per_image=0.08,
        prompt_chars_max=_STABILITY_PROMPT_CHARS_MAX,
        sizes=_MEGAPIXEL,
        seed_max=_STABILITY_SEED_MAX,
        negative_prompt=True,
    ),
    ModelSpec(
        model_id="stability.stable-image-ultra-v1:1",
        title="Stable Image Ultra",
        wire=StabilityFormat(),
        regions=_STABILITY_REGIONS,
        cost_credits=7,
        usd_per_image=0.14,
        prompt_chars_max=_STABILITY_PROMPT_CHARS_MAX,
        sizes=_MEGAPIXEL,
        seed_max=_STABILITY_SEED_MAX,
        negative_prompt=True,
    ),
    ModelSpec(
        model_id="amazon.titan-image-generator-v2:0",
        title="Titan Image Generator v2",
        wire=AmazonFormat(),
        regions=(),
        cost_credits=2,
        usd_per_image=0.04,
        prompt_chars_max=512,
        sizes=_TITAN,
        seed_max=2_147_483_646,
        negative_prompt=True,
        end_of_life=date(2026, 6, 30),
        replaced_by=DEFAULT_MODEL,
    ),
    ModelSpec(
        model_id="amazon.nova-canvas-v1:0",
        title="Nova Canvas",
        wire=AmazonFormat(),
        regions=(),
        cost_credits=2,
        usd_per_image=0.04,
        prompt_chars_max=1_024,
        sizes=_MEGAPIXEL,
        seed_max=858_993_459,
        negative_prompt=True,
        end_of_life=date(2026, 9, 30),
        replaced_by=DEFAULT_MODEL,
    ),
)
"""The default first, then by price, then the retired."""

_BY_ID = {spec.model_id: spec for spec in MODELS}


def find(model_id: str) -> ModelSpec | None:
    """The model with this id, or None."""
    return _BY_ID.get(model_id)
