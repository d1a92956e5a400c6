"""What breaks here is a local run."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs the emulator, and brings up its own."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("emulator")
            item.add_marker("apart")
