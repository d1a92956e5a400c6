from __future__ import annotations

import base64
import json
import math
import subprocess
import sys
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import ContentRefused, ModelFailed, Permanent, Transient
from common.jobs import ImageRequest
from common.models.amazon import AmazonFormat
from common.models.answers import PNG_SIGNATURE, png_size, tells_of_filter
from common.models.catalogue import DEFAULT_MODEL, MODELS, find
from common.models.spec import ModelSpec, Size
from common.models.stability import StabilityFormat
from tests.fakes_model import png

USD_PER_CREDIT = 0.05
WIRES = [StabilityFormat(), StabilityFormat(mode="text-to-image"), AmazonFormat()]


PNG = png(Size(3, 2))
ENCODED = base64.b64encode(PNG).decode()


def ask(**changes: Any) -> ImageRequest:
    return ImageRequest(**{"prompt": "a fox", "model": "any", "aspect_ratio": "1:1", **changes})


def test_core_is_asked_for_what_was_asked_and_no_more() -> None:
    body = StabilityFormat().body(ask(aspect_ratio="16:9"), Size(1344, 768))
    assert body == {"prompt": "a fox", "aspect_ratio": "16:9", "output_format": "png"}


def test_stability_takes_seed_zero_and_negative_prompt_when_set() -> None:
    body = StabilityFormat().body(ask(seed=0, negative_prompt="fog"), Size(1024, 1024))
    assert body["seed"] == 0
    assert body["negative_prompt"] == "fog"


def test_sd35_is_told_to_draw_from_text() -> None:
    spec = find("stability.sd3-5-large-v1:0")
    assert spec is not None
    assert spec.wire.body(ask(), Size(1024, 1024))["mode"] == "text-to-image"


def test_amazon_is_asked_for_one_image_of_the_size() -> None:
    assert AmazonFormat().body(ask(), Size(1173, 640)) == {
        "taskType": "TEXT_IMAGE",
        "textToImageParams": {"text": "a fox"},
        "imageGenerationConfig": {
            "numberOfImages": 1,
            "width": 1173,
            "height": 640,
            "quality": "standard",
        },
    }


def test_amazon_takes_seed_and_negative_text_when_set() -> None:
    body = AmazonFormat().body(ask(seed=7, negative_prompt="fog"), Size(1024, 1024))
    assert body["imageGenerationConfig"]["seed"] == 7
    assert body["textToImageParams"]["negativeText"] == "fog"


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.model_id)
def test_every_body_is_json(spec: ModelSpec) -> None:
    body = spec.wire.body(ask(prompt="con cáo 🦊", seed=spec.seed_max), spec.sizes["1:1"])
    assert json.loads(json.dumps(body)) == body


@pytest.mark.parametrize(
    ("wire", "answer"),
    [
        (StabilityFormat(), {"seeds": [1], "finish_reasons": [None], "images": [ENCODED]}),
        (StabilityFormat(), {"images": [ENCODED]}),
        (StabilityFormat(), {"finish_reasons": None, "images": [ENCODED]}),
        (AmazonFormat(), {"images": [ENCODED]}),
        (AmazonFormat(), {"images": [ENCODED], "error": None}),
        (AmazonFormat(), {"images": [ENCODED], "error": ""}),
    ],
)
def test_an_image_comes_out_as_it_went_in(wire: Any, answer: dict[str, Any]) -> None:
    assert wire.image(answer) == PNG


@pytest.mark.parametrize(
    ("wire", "answer", "says"),
    [
        (StabilityFormat(), {"finish_reasons": ["Filter reason: prompt"]}, "the prompt"),
        (StabilityFormat(), {"finish_reasons": ["Filter reason: output image"]}, "had drawn"),
        (StabilityFormat(), {"finish_reasons": ["Filter reason: input image"]}, "input image"),
        (StabilityFormat(), {"finish_reasons": ["Filter reason: moonlight"]}, "the request"),
        (StabilityFormat(), {"finish_reasons": [None, "Filter reason: prompt"]}, "the prompt"),
        (StabilityFormat(), {"finish_reasons": "Filter reason: prompt"}, "the prompt"),
        (
            StabilityFormat(),
            {"finish_reasons": ["Filter reason: prompt"], "images": [ENCODED]},
            "the prompt",
        ),
        (
            AmazonFormat(),
            {"images": [], "error": "This request has been blocked by our content filters."},
            "refused",
        ),
        (AmazonFormat(), {"error": "Violates the Responsible AI policy"}, "refused"),
    ],
)
def test_a_refusal_by_content_is_final(wire: Any, answer: dict[str, Any], says: str) -> None:
    with pytest.raises(ContentRefused, match=says) as caught:
        wire.image(answer)
    assert isinstance(caught.value, Permanent)


@pytest.mark.parametrize("wire", WIRES, ids=repr)
@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"images": None},
        {"images": []},
        {"images": [None]},
        {"images": [""]},
        {"images": [5]},
        {"images": ENCODED},
        {"images": [ENCODED[:-3]]},
        {"images": ["\N{FOX FACE}"]},
        {"images": [ENCODED.replace("A", "*")]},
        {"images": [base64.b64encode(b"GIF89a").decode()]},
        {"images": [base64.b64encode(PNG[:20]).decode()]},
        {"images": [base64.b64encode(png(Size(0, 2))).decode()]},
        {"images": [base64.b64encode(PNG.replace(b"IHDR", b"iHDR")).decode()]},
        [],
        None,
        "images",
    ],
)
def test_no_image_is_a_failure_that_may_pass(wire: Any, answer: Any) -> None:
    with pytest.raises(ModelFailed) as caught:
        wire.image(answer)
    assert isinstance(caught.value, Transient)
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize(
    ("wire", "answer"),
    [
        (StabilityFormat(), {"finish_reasons": ["Inference error"], "images": [ENCODED]}),
        (StabilityFormat(), {"finish_reasons": [{"odd": 1}], "images": [ENCODED]}),
        (AmazonFormat(), {"error": "Something went wrong", "images": [ENCODED]}),
        (AmazonFormat(), {"error": {"code": 5}, "images": [ENCODED]}),
    ],
)
def test_a_models_own_error_is_a_failure(wire: Any, answer: dict[str, Any]) -> None:
    with pytest.raises(ModelFailed):
        wire.image(answer)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(ENCODED),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(["images", "finish_reasons", "error", "seeds"])


@pytest.mark.parametrize("wire", WIRES, ids=repr)
@settings(deadline=None)  # a busy machine is not a bug
@given(answer=st.dictionaries(FIELDS, JSON) | JSON)
def test_any_answer_is_an_image_or_one_of_two_errors(wire: Any, answer: Any) -> None:
    try:
        content = wire.image(answer)
    except (ContentRefused, ModelFailed):
        return
    assert content == PNG


@settings(deadline=None)  # a busy machine is not a bug
@given(content=st.binary(max_size=40) | st.binary(max_size=40).map(PNG_SIGNATURE.__add__))
def test_any_bytes_have_a_size_or_fail(content: bytes) -> None:
    try:
        size = png_size(content)
    except ModelFailed:
        return
    assert size.width > 0
    assert size.height > 0


@settings(deadline=None)  # a busy machine is not a bug
@given(
    width=st.integers(min_value=1, max_value=2**16),
    height=st.integers(min_value=1, max_value=2**16),
)
def test_a_png_says_its_size(width: int, height: int) -> None:
    header = PNG_SIGNATURE + b"\0\0\0\rIHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big")
    assert png_size(header) == Size(width, height)


def test_filters_are_told_from_faults() -> None:
    assert tells_of_filter("This request has been blocked by our content filters. Please adjust")
    assert tells_of_filter("One or more prompts contains filtered words.")
    assert not tells_of_filter("Malformed input request: #/prompt: expected type String")


def test_the_catalogue_has_each_model_once_and_the_default_first() -> None:
    assert len({spec.model_id for spec in MODELS}) == len(MODELS) == 5
    assert MODELS[0].model_id == DEFAULT_MODEL
    assert find(DEFAULT_MODEL) is MODELS[0]
    assert find("amazon.titan-image-generator-v9:0") is None


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.model_id)
def test_each_price_leaves_half(spec: ModelSpec) -> None:
    price = spec.cost_credits * USD_PER_CREDIT
    assert spec.usd_per_image <= price * 0.6


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.model_id)
def test_each_size_has_its_aspect_ratio_and_its_price(spec: ModelSpec) -> None:
    assert "1:1" in spec.sizes
    for ratio, size in spec.sizes.items():
        across, down = map(int, ratio.split(":"))
        assert math.isclose(size.width / size.height, across / down, rel_tol=0.06), ratio
        assert 640 <= min(size.width, size.height) <= max(size.width, size.height) <= 1536
        assert size.width * size.height <= 1408 * 768


@pytest.mark.parametrize(
    ("model_id", "last_day_before", "first_day_of"),
    [
        ("amazon.titan-image-generator-v2:0", date(2026, 6, 29), date(2026, 6, 30)),
        ("amazon.nova-canvas-v1:0", date(2026, 9, 29), date(2026, 9, 30)),
    ],
)
def test_a_retired_model_says_since_when_and_what_instead(
    model_id: str, last_day_before: date, first_day_of: date
) -> None:
    spec = find(model_id)
    assert spec is not None
    assert not spec.retired(last_day_before)
    assert spec.retired(first_day_of)
    assert spec.regions == ()
    replacement = find(spec.replaced_by or "")
    assert replacement is not None
    assert not replacement.retired(first_day_of)


def test_what_is_not_retired_can_be_called_somewhere() -> None:
    for spec in MODELS:
        assert bool(spec.regions) != spec.retired(date(2026, 11, 1))


def test_the_catalogue_loads_nothing_heavy() -> None:
    code = (
        "import sys, common.models.catalogue;"
        "print(sorted({'boto3', 'botocore', 'PIL', 'pydantic'} & set(sys.modules)))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "[]"
