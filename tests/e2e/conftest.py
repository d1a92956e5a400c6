"""What the journeys over HTTP have beside the product."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.shop import Sweep
from tests.product import Sandbox


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs the emulator."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("emulator")


@pytest.fixture
def sweep(sandbox: Sandbox) -> Sweep:
    """The deployed sweep, to be run at will."""
    return Sweep(sandbox.state)
