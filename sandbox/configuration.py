"""What the stack is configured to be, in cdk.json, and the little that differs in a local run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydantic import ValidationError

from common.models.catalogue import DEFAULT_MODEL, find
from common.routes import ROUTES, Route
from sandbox.environment import HOME_REGION
from sandbox.errors import SandboxError
from sandbox.places import REPOSITORY

CDK_JSON = REPOSITORY / "cdk.json"
USUAL_ROUTES: tuple[Route, ...] = (Route(model=DEFAULT_MODEL, region="us-west-2"),)
"""What the stack has when cdk.json names no routes."""
_P95_MARGIN_SECONDS = 2.0
"""How much longer than usual a worker may hold a simulated call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The stack's settings, as the CDK context has them under `imagify`, and its routes."""

    settings: Mapping[str, object]
    routes: tuple[Route, ...]

    @property
    def rates(self) -> dict[str, float]:
        """Starts a second, by the route's name."""
        return {route.name: route.rate_per_second for route in self.routes}


def read(path: Path = CDK_JSON) -> dict[str, object]:
    """The operator's settings; raises SandboxError when nobody can read them."""
    try:
        settings = (
            json.loads(path.read_text(encoding="utf-8")).get("context", {}).get("imagify", {})
        )
        settings = json.loads(settings) if isinstance(settings, str) else settings
    except (OSError, ValueError, AttributeError) as error:
        raise SandboxError(f"{path.name} cannot be read: {error}") from error
    if not isinstance(settings, dict):
        raise SandboxError(f"{path.name}: context.imagify is not an object of settings.")
    return settings


def for_local_run(
    settings: Mapping[str, object], *, rate: float | None, latency_seconds: float, page_url: str
) -> Configuration:
    """The operator's settings, but for where the emulator and the page are.

    A `rate` that is given, in starts a second, is every route's, and then so is the simulated
    latency. Raises SandboxError for routes that are none.
    """
    routes = USUAL_ROUTES
    if "routes" in settings:
        try:
            routes = ROUTES.validate_python(settings["routes"])
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, ("routes", *first["loc"])))
            raise SandboxError(f"cdk.json: {place}: {first['msg']}.") from error
        if not routes:
            raise SandboxError("cdk.json: routes: there must be at least one.")
    changed: dict[str, object] = {"home_region": HOME_REGION, "page_url": page_url}
    if rate is not None:
        p95_seconds = latency_seconds + _P95_MARGIN_SECONDS
        paced = {"rate_per_second": rate, "p95_seconds": p95_seconds}
        routes = tuple(route.model_copy(update=paced) for route in routes)
        changed["routes"] = ROUTES.dump_python(routes, mode="json")
    return Configuration(settings={**settings, **changed}, routes=routes)


def needs_private_access(routes: Sequence[Route], today: date) -> bool:
    """Whether a route's model is one that only private access still has."""
    return any(spec and spec.retired(today) for spec in (find(route.model) for route in routes))


def needs_any_region(routes: Sequence[Route], today: date) -> bool:
    """Whether a route is in a region that does not offer its model to everybody."""
    return any(
        spec is not None and not spec.retired(today) and route.region not in spec.regions
        for route, spec in ((route, find(route.model)) for route in routes)
    )
