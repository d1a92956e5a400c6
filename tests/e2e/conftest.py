"""What the journeys over HTTP have beside the product."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.e2e.shop import Sweep
from tests.e2e.terminal import imagify
from tests.product import Sandbox, SignedIn


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs the emulator."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("emulator")


@pytest.fixture
def others(
    sandbox: Sandbox,
    open_api: Callable[[SignedIn | None], httpx.Client],
    new_person: Callable[[], SignedIn],
) -> httpx.Client:
    """The API as everybody else, who has plenty of credits."""
    person = new_person()
    done = imagify(sandbox, "grant", person.person.email, "1000", "--reason", "for the others")
    assert done.returncode == 0, done.stderr
    return open_api(person)


@pytest.fixture
def sweep(sandbox: Sandbox) -> Sweep:
    """The deployed sweep, to be run at will."""
    return Sweep(sandbox.state)
