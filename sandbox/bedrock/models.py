"""The models that are played, and where the service has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.bedrock.wire import StabilityWire, TextImageWire, Wire, nova_draws, titan_draws


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayedModel:
    """A model, as of November 2026."""

    wire: Wire
    regions: frozenset[str] = frozenset()
    """Where anybody may invoke it."""
    retired: bool = False
    """Past its end of life: only private access has it, and then in any region."""


_STABILITY_REGIONS = frozenset({"us-west-2"})

MODELS: Mapping[str, PlayedModel] = {
    "stability.stable-image-core-v1:1": PlayedModel(
        wire=StabilityWire(), regions=_STABILITY_REGIONS
    ),
    "stability.stable-image-ultra-v1:1": PlayedModel(
        wire=StabilityWire(), regions=_STABILITY_REGIONS
    ),
    "stability.sd3-5-large-v1:0": PlayedModel(
        wire=StabilityWire(mode=True), regions=_STABILITY_REGIONS
    ),
    "amazon.titan-image-generator-v2:0": PlayedModel(
        wire=TextImageWire(
            text_chars_max=512, seed_max=2_147_483_646, seed_default=42, draws=titan_draws
        ),
        retired=True,
    ),
    "amazon.nova-canvas-v1:0": PlayedModel(
        wire=TextImageWire(
            text_chars_max=1024, seed_max=858_993_459, seed_default=12, draws=nova_draws
        ),
        retired=True,
    ),
}
