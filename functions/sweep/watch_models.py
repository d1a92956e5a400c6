"""Look which models are away."""

from __future__ import annotations

from common.metrics import MODELS_AWAY
from common.observability import count
from common.routes import serving
from common.services.sweep import SweepServices


def watch_models(sweep: SweepServices) -> int:
    """Count the models none of whose routes is in order, each minute: an alarm watches that."""
    routes = sweep.settings.routes
    lines = sweep.lines.read(routes)
    away = sum(
        not any(lines[route.name].in_order for route in serving(routes, model))
        for model in {route.model for route in routes}
    )
    count(MODELS_AWAY, away)
    return away
