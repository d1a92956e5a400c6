"""What the stack is configured to be, in cdk.json, and the little that differs in a local run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from common.config import (
    CDK_JSON,
    PRESIGNED_SECONDS_MAX,
    USUAL_STAGE,
    ConfigError,
    parse,
    read_settings,
    settings_of,
)
from common.models.catalogue import find
from common.routes import ROUTES, Route
from sandbox.environment import HOME_REGION
from sandbox.errors import CommandError

_HOSTING = frozenset({"domain", "certificate_arn", "image_key_version"})
"""Settings of CloudFront's, which is not here."""
_P95_MARGIN_SECONDS = 2.0
"""How much longer than usual a worker may hold a simulated call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The stack's settings, as the CDK context has them under `imagify`, and what they come to."""

    settings: Mapping[str, object]
    routes: tuple[Route, ...]
    workers: int
    """How many jobs are worked on at once, at most."""

    @property
    def rates(self) -> dict[str, float]:
        """Starts a second, by the route's name."""
        return {route.name: route.rate_per_second for route in self.routes}


def read(path: Path = CDK_JSON) -> dict[str, object]:
    """What holds for the usual stage; raises CommandError when nobody can read it."""
    try:
        return settings_of(read_settings(path), USUAL_STAGE)
    except ConfigError as error:
        raise CommandError(f"{path.name}: {error}") from error


def for_local_run(
    settings: Mapping[str, object], *, rate: float | None, latency_seconds: float, page_url: str
) -> Configuration:
    """The operator's settings, but for where the emulator and the page are.

    A `rate` that is given, in starts a second, is every route's, and then so is the simulated
    latency. Raises CommandError for settings that make no sense.
    """
    changed: dict[str, object] = {"home_region": HOME_REGION, "page_url": page_url}
    try:
        if rate is not None:
            p95_seconds = latency_seconds + _P95_MARGIN_SECONDS
            paced = {"rate_per_second": rate, "p95_seconds": p95_seconds}
            routes = parse(settings).routes
            routes = tuple(route.model_copy(update=paced) for route in routes)
            changed["routes"] = ROUTES.dump_python(routes, mode="json")
        here = {name: value for name, value in settings.items() if name not in _HOSTING}
        life = here.get("image_url_seconds")
        if isinstance(life, int):
            changed["image_url_seconds"] = min(life, PRESIGNED_SECONDS_MAX)
        local = {**here, **changed}
        config = parse(local)
    except ConfigError as error:
        raise CommandError(f"cdk.json: {error}") from error
    return Configuration(settings=local, routes=config.routes, workers=config.workers)


def needs_private_access(routes: Sequence[Route], today: date) -> bool:
    """Whether a route's model is one that only private access still has."""
    return any(spec and spec.retired(today) for spec in (find(route.model) for route in routes))


def needs_any_region(routes: Sequence[Route], today: date) -> bool:
    """Whether a route is in a region that does not offer its model to everybody."""
    return any(
        spec is not None and not spec.retired(today) and route.region not in spec.regions
        for route, spec in ((route, find(route.model)) for route in routes)
    )
