"""One image from each route's model: the only check that costs something, made when asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from common.aws.bedrock import BedrockModels
from common.errors import ImagifyError
from common.jobs import ImageRequest
from common.models.catalogue import find
from common.routes import Route
from ops.checkup.asking import said
from ops.checkup.finding import Finding, fail, ok, warn

if TYPE_CHECKING:
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient

PROMPT = "a paper boat on calm water"
ASPECT_RATIO = "1:1"


def canary_check(route: Route) -> str:
    """What a route's canary is called."""
    return f"canary {route.name}"


def canary(
    bedrock_runtime: BedrockRuntimeClient, route: Route, *, seconds: Callable[[], float]
) -> Finding:
    """Have one image made, as the worker does but outside its line; `seconds` is a clock."""
    check, spec = canary_check(route), find(route.model)
    if spec is None:
        return fail(check, "Nobody knows how to speak to it.", "a model of the catalogue")
    request = ImageRequest(prompt=PROMPT, model=route.model, aspect_ratio=ASPECT_RATIO)
    models = BedrockModels({route.region: bedrock_runtime})
    began = seconds()
    try:
        body = spec.wire.body(request, spec.sizes[ASPECT_RATIO])
        image = spec.wire.image(models.invoke(route, body, wait=lambda: None))
    except ImagifyError as error:
        cause = error.__cause__
        why = said(cause) if isinstance(cause, ClientError) else str(cause or "")
        return fail(
            check,
            f"{error} {why}".strip(),
            "the lines above on its model, its access and the worker's permission",
        )
    took = seconds() - began
    made = f"An image of {len(image) / 1e6:.1f} MB in {took:.1f} s"
    if took > route.p95_seconds:
        slower = f"{made}; p95_seconds says {route.p95_seconds:g}."
        return warn(check, slower, "a higher p95_seconds in cdk.json if that is usual")
    return ok(check, f"{made}.")


def cost_usd(routes: tuple[Route, ...]) -> float:
    """What one image from each route costs."""
    return sum(spec.usd_per_image for spec in (find(route.model) for route in routes) if spec)
