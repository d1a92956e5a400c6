"""The Bedrock simulator as boto3 sees it, on a real loopback port."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from mypy_boto3_bedrock_runtime import BedrockRuntimeClient
from PIL import Image

from sandbox.bedrock.behaviour import Behaviour
from sandbox.bedrock.server import simulator_in_thread

CORE = "stability.stable-image-core-v1:1"
ULTRA = "stability.stable-image-ultra-v1:1"
SD35 = "stability.sd3-5-large-v1:0"
TITAN = "amazon.titan-image-generator-v2:0"
NOVA = "amazon.nova-canvas-v1:0"


class Bench:
    """A simulator, its control API and clients of it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.control = httpx.Client(base_url=url)
        self.clients: dict[str, BedrockRuntimeClient] = {}

    def client(self, region: str = "us-west-2") -> BedrockRuntimeClient:
        if region not in self.clients:
            self.clients[region] = boto3.client(
                "bedrock-runtime",
                region_name=region,
                endpoint_url=self.url,
                aws_access_key_id="local",
                aws_secret_access_key="local",
                config=Config(retries={"total_max_attempts": 1}, read_timeout=1),
            )
        return self.clients[region]

    def invoke(self, model: str, body: object, region: str = "us-west-2") -> dict[str, Any]:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = self.client(region).invoke_model(modelId=model, body=raw)
        assert answer["contentType"] == "application/json"
        read: dict[str, Any] = json.loads(answer["body"].read())
        return read

    def error(self, model: str, body: object, region: str = "us-west-2") -> ClientError:
        with pytest.raises(ClientError) as caught:
            self.invoke(model, body, region)
        return caught.value

    def settings(self, **settings: object) -> None:
        self.control.post("/_control/settings", json=settings).raise_for_status()

    def misbehave(self, **told: object) -> None:
        self.control.post("/_control/behaviour", json=told).raise_for_status()

    def state(self) -> dict[str, Any]:
        read: dict[str, Any] = self.control.get("/_control/state").raise_for_status().json()
        return read


@pytest.fixture(scope="module")
def simulator() -> Iterator[Bench]:
    quick = Behaviour(latency_seconds=0, rate_per_second=1000, picture="plain")
    with simulator_in_thread(quick) as url:
        bench = Bench(url)
        yield bench
        bench.control.close()
        for client in bench.clients.values():
            client.close()


@pytest.fixture
def bench(simulator: Bench) -> Bench:
    simulator.control.post("/_control/reset").raise_for_status()
    return simulator


def text_image(**changes: object) -> dict[str, object]:
    return {
        "taskType": "TEXT_IMAGE",
        "textToImageParams": {"text": "a fox"},
        "imageGenerationConfig": {"numberOfImages": 1, "width": 512, "height": 512},
        **changes,
    }


def opened(encoded: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(encoded, validate=True)))


@pytest.mark.parametrize("model", [CORE, ULTRA, SD35])
def test_stability_answers_seed_reason_and_image(bench: Bench, model: str) -> None:
    answer = bench.invoke(
        model,
        {"prompt": "a fox", "aspect_ratio": "16:9", "output_format": "png", "seed": 41},
    )
    assert answer["seeds"] == [41]
    assert answer["finish_reasons"] == [None]
    image = opened(answer["images"][0])
    assert (image.format, image.size) == ("PNG", (1344, 768))


def test_stability_draws_jpeg_and_every_aspect_ratio_near_a_megapixel(bench: Bench) -> None:
    for ratio in ("16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21"):
        answer = bench.invoke(
            CORE, {"prompt": "a fox", "aspect_ratio": ratio, "output_format": "jpeg"}
        )
        image = opened(answer["images"][0])
        wide, tall = map(int, ratio.split(":"))
        assert image.format == "JPEG"
        assert image.width / image.height == pytest.approx(wide / tall, rel=0.04)
        assert image.width * image.height == pytest.approx(1024 * 1024, rel=0.08)


@pytest.mark.parametrize("seed", [{}, {"seed": 0}])
def test_stability_picks_a_seed_and_tells_it(bench: Bench, seed: dict[str, int]) -> None:
    seeds = {bench.invoke(CORE, {"prompt": "a fox", **seed})["seeds"][0] for _ in range(3)}
    assert len(seeds) == 3
    assert all(1 <= one <= 4_294_967_294 for one in seeds)


@pytest.mark.parametrize(("model", "size"), [(TITAN, (1173, 640)), (NOVA, (640, 1536))])
def test_titan_and_nova_answer_images_of_the_size_asked(
    bench: Bench, model: str, size: tuple[int, int]
) -> None:
    bench.settings(private_access=True)
    width, height = size
    config = {
        "numberOfImages": 2,
        "width": width,
        "height": height,
        "cfgScale": 7,
        "seed": 0,
        "quality": "premium",
    }
    params = {"text": "a fox", "negativeText": "people"}
    answer = bench.invoke(
        model, text_image(textToImageParams=params, imageGenerationConfig=config), "us-east-1"
    )
    assert list(answer) == ["images"]
    assert [opened(image).size for image in answer["images"]] == [size, size]


@pytest.mark.parametrize("model", [TITAN, NOVA])
def test_a_retired_model_has_reached_its_end(bench: Bench, model: str) -> None:
    error = bench.error(model, text_image())
    assert error.response["Error"]["Code"] == "ResourceNotFoundException"
    assert "reached the end of its life" in error.response["Error"]["Message"]


def test_an_unknown_model_is_not_found_and_another_region_is_invalid(bench: Bench) -> None:
    unknown = bench.error("stability.nothing-v9:9", {"prompt": "a fox"})
    assert unknown.response["Error"]["Code"] == "ResourceNotFoundException"
    elsewhere = bench.error(CORE, {"prompt": "a fox"}, "us-east-1")
    assert elsewhere.response["Error"]["Code"] == "ValidationException"
    bench.settings(any_region=True)
    assert bench.invoke(CORE, {"prompt": "a fox"}, "us-east-1")["images"]


def test_an_unsigned_call_is_denied(bench: Bench) -> None:
    answer = httpx.post(f"{bench.url}/model/{CORE}/invoke", json={"prompt": "a fox"})
    assert answer.status_code == 403
    assert answer.headers["x-amzn-errortype"].startswith("AccessDeniedException:")


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b"{", "not JSON"),
        ([], ""),
        ({}, "required key [prompt]"),
        ({"prompt": "x" * 10_001}, "#/prompt"),
        ({"prompt": 7}, "#/prompt"),
        ({"prompt": "a", "aspect_ratio": "4:3"}, "#/aspect_ratio"),
        ({"prompt": "a", "output_format": "gif"}, "#/output_format"),
        ({"prompt": "a", "seed": 4_294_967_295}, "#/seed"),
        ({"prompt": "a", "seed": -1}, "#/seed"),
        ({"prompt": "a", "seed": "1"}, "#/seed"),
        ({"prompt": "a", "seed": True}, "#/seed"),
        ({"prompt": "a", "seed": None}, "#/seed"),
        ({"prompt": "a", "negative_prompt": None}, "#/negative_prompt"),
        ({"prompt": "a", "negative_prompt": "x" * 10_001}, "#/negative_prompt"),
        ({"prompt": "a", "mode": "text-to-image"}, "extraneous key [mode]"),
        ({"prompt": "a", "samples": 2}, "extraneous key [samples]"),
    ],
)
def test_stability_refuses_what_breaks_its_schema(bench: Bench, body: object, names: str) -> None:
    error = bench.error(CORE, body)
    assert error.response["Error"]["Code"] == "ValidationException"
    assert names in error.response["Error"]["Message"]
    assert bench.state()["successes"] == 0


def test_sd35_takes_a_mode_but_only_the_one_that_is_played(bench: Bench) -> None:
    assert bench.invoke(SD35, {"prompt": "a", "mode": "text-to-image"})["images"]
    assert "#/mode" in str(bench.error(SD35, {"prompt": "a", "mode": "image-to-image"}))


@pytest.mark.parametrize(
    ("model", "body", "names"),
    [
        (TITAN, text_image(taskType="INPAINTING"), "#/taskType"),
        (TITAN, text_image(textToImageParams={"text": "x" * 513}), "maxLength: 512"),
        (NOVA, text_image(textToImageParams={"text": "x" * 1025}), "maxLength: 1024"),
        (NOVA, text_image(textToImageParams={"text": ""}), "#/textToImageParams/text"),
        (NOVA, text_image(textToImageParams={"text": "a", "negativeText": ""}), "negativeText"),
        (TITAN, text_image(imageGenerationConfig={"width": 512, "height": 500}), "512x500"),
        (NOVA, text_image(imageGenerationConfig={"width": 1000, "height": 1000}), "1000x1000"),
        (NOVA, text_image(imageGenerationConfig={"width": 2048, "height": 320}), "2048x320"),
        (NOVA, text_image(imageGenerationConfig={"seed": 858_993_460}), "/seed"),
        (TITAN, text_image(imageGenerationConfig={"seed": 2_147_483_647}), "/seed"),
        (TITAN, text_image(imageGenerationConfig={"numberOfImages": 6}), "numberOfImages"),
        (TITAN, text_image(imageGenerationConfig={"cfgScale": 1.0}), "cfgScale"),
        (TITAN, text_image(prompt="a"), "extraneous key [prompt]"),
    ],
)
def test_titan_and_nova_refuse_what_breaks_their_schema(
    bench: Bench, model: str, body: object, names: str
) -> None:
    bench.settings(private_access=True)
    error = bench.error(model, body)
    assert error.response["Error"]["Code"] == "ValidationException"
    assert names in error.response["Error"]["Message"]


def test_stability_refuses_a_prompt_with_a_reason_and_no_images(bench: Bench) -> None:
    answer = bench.invoke(CORE, {"prompt": "Some GORE, please", "seed": 5})
    assert answer == {"seeds": [5], "finish_reasons": ["Filter reason: prompt"]}
    assert bench.invoke(CORE, {"prompt": "the gorecki symphony"})["images"]
    drawn = bench.invoke(CORE, {"prompt": "a bloodbath", "seed": 5})
    assert drawn == {"seeds": [5], "finish_reasons": ["Filter reason: output image"]}
    state = bench.state()
    assert (state["refusals"], state["successes"]) == (2, 1)


def test_a_prompt_can_break_the_model_each_time_and_no_other_does(bench: Bench) -> None:
    bench.settings(broken_prompts=["a wreck"])
    for _time in range(2):
        error = bench.error(CORE, {"prompt": "A Wreck at sea"})
        assert error.response["Error"]["Code"] == "InternalServerException"
        assert bench.invoke(CORE, {"prompt": "a ship at sea"})["images"]


def test_titan_refuses_a_prompt_with_an_exception_and_an_image_with_an_error(bench: Bench) -> None:
    bench.settings(private_access=True, refused_prompts=["cấm"], refused_images=["hidden"])
    # The prompt's accents are decomposed, as a Mac types them.
    refused = text_image(textToImageParams={"text": "điều ca\u0302\u0301m"})
    error = bench.error(TITAN, refused)
    assert error.response["Error"]["Code"] == "ValidationException"
    assert "content filters" in error.response["Error"]["Message"]
    answer = bench.invoke(TITAN, text_image(textToImageParams={"text": "hidden"}))
    assert answer["images"] == []
    assert "content filters" in answer["error"]
    assert bench.state()["refusals"] == 2


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        ("throttle", "ThrottlingException", 429),
        ("not_ready", "ModelNotReadyException", 429),
        ("internal", "InternalServerException", 500),
        ("unavailable", "ServiceUnavailableException", 503),
        ("model_error", "ModelErrorException", 424),
        ("model_timeout", "ModelTimeoutException", 408),
        ("access_denied", "AccessDeniedException", 403),
        ("validation", "ValidationException", 400),
        ("not_found", "ResourceNotFoundException", 404),
    ],
)
def test_each_error_is_botocores_own_exception(
    bench: Bench, kind: str, code: str, status: int
) -> None:
    bench.misbehave(kind=kind, calls=1)
    error = bench.error(CORE, {"prompt": "a fox"})
    assert type(error) is getattr(bench.client().exceptions, code)
    assert error.response["Error"]["Code"] == code
    assert error.response["Error"]["Message"]
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert error.response["ResponseMetadata"]["RequestId"]
    assert bench.invoke(CORE, {"prompt": "a fox"})["images"]


def test_a_hang_outlasts_the_clients_read_timeout(bench: Bench) -> None:
    bench.misbehave(kind="hang", calls=1)
    with pytest.raises(ReadTimeoutError):
        bench.invoke(CORE, {"prompt": "a fox"})
    assert bench.state()["successes"] == 0


def test_a_connection_can_be_closed_or_cut_half_way(bench: Bench) -> None:
    bench.misbehave(kind="close", calls=1)
    with pytest.raises(ConnectionClosedError):
        bench.invoke(CORE, {"prompt": "a fox"})
    bench.misbehave(kind="cut", calls=1)
    with pytest.raises((ResponseStreamingError, IncompleteReadError)):
        bench.invoke(CORE, {"prompt": "a fox"})
    state = bench.state()
    assert (state["starts"], state["failures"], state["successes"]) == (2, 2, 0)


def test_told_refusals_and_inference_errors_have_no_images(bench: Bench) -> None:
    for kind, reason in (
        ("refuse", "Filter reason: prompt"),
        ("refuse_image", "Filter reason: output image"),
        ("inference_error", "Inference error"),
    ):
        bench.misbehave(kind=kind, calls=1)
        answer = bench.invoke(CORE, {"prompt": "a fox"})
        assert answer["finish_reasons"] == [reason]
        assert "images" not in answer
