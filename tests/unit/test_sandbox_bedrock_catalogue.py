"""What the simulated Bedrock says of its models, as boto3 reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError
from mypy_boto3_bedrock import BedrockClient

from sandbox.bedrock.behaviour import Behaviour
from sandbox.bedrock.server import simulator_in_thread

CORE = "stability.stable-image-core-v1:1"
TITAN = "amazon.titan-image-generator-v2:0"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with simulator_in_thread(Behaviour(latency_seconds=0, picture="plain")) as url:
        yield url


@pytest.fixture
def told(url: str) -> Iterator[Callable[..., None]]:
    """Changes the simulator's settings, until the test is over."""

    def tell(**settings: object) -> None:
        httpx.post(f"{url}/_control/settings", json=settings).raise_for_status()

    yield tell
    httpx.post(f"{url}/_control/reset").raise_for_status()


def bedrock(url: str, region: str = "us-west-2") -> BedrockClient:
    return boto3.client(
        "bedrock",
        region_name=region,
        endpoint_url=url,
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )


def code(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    return caught.value.response["Error"]["Code"]


def test_a_model_is_active_and_available_where_it_is_served(url: str) -> None:
    client = bedrock(url)
    details = client.get_foundation_model(modelIdentifier=CORE)["modelDetails"]
    assert details["modelArn"] == f"arn:aws:bedrock:us-west-2::foundation-model/{CORE}"
    assert details["modelLifecycle"]["status"] == "ACTIVE"
    available = client.get_foundation_model_availability(modelId=CORE)
    assert available["agreementAvailability"]["status"] == "AVAILABLE"
    assert available["authorizationStatus"] == "AUTHORIZED"


def test_a_model_is_not_found_where_it_is_not_served(url: str) -> None:
    elsewhere = bedrock(url, "eu-west-1")
    assert code(lambda: elsewhere.get_foundation_model(modelIdentifier=CORE)) == (
        "ValidationException"
    )
    client = bedrock(url)
    for missing in (TITAN, "nobody.nothing-v1:0"):
        assert code(lambda model=missing: client.get_foundation_model(modelIdentifier=model)) == (  # type: ignore[misc]
            "ResourceNotFoundException"
        )
        assert code(
            lambda model=missing: client.get_foundation_model_availability(modelId=model)  # type: ignore[misc]
        ) == ("ResourceNotFoundException")


def test_a_retired_model_is_legacy_with_private_access(url: str, told: Callable[..., None]) -> None:
    told(private_access=True)
    details = bedrock(url).get_foundation_model(modelIdentifier=TITAN)["modelDetails"]
    assert details["modelLifecycle"]["status"] == "LEGACY"


def test_a_model_without_access_is_refused_when_it_is_called(
    url: str, told: Callable[..., None]
) -> None:
    told(without_access=[CORE])
    available = bedrock(url).get_foundation_model_availability(modelId=CORE)
    assert available["agreementAvailability"]["status"] == "NOT_AVAILABLE"
    runtime = boto3.client(
        "bedrock-runtime",
        region_name="us-west-2",
        endpoint_url=url,
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    assert code(lambda: runtime.invoke_model(modelId=CORE, body="{}")) == "AccessDeniedException"
