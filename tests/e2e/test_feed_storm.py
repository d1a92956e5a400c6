"""Bad weather on the deployed stack, with the page's own client; `make bench-feed` has more."""

from __future__ import annotations

import httpx

from benchmarks.feed import storm
from tests.product import Sandbox


def test_no_client_misses_an_end_whatever_happens_to_its_socket(
    sandbox: Sandbox, control: httpx.Client
) -> None:
    control.post("/settings", json={"latency_seconds": 4}).raise_for_status()
    figures = storm(sandbox.state, people=3, sockets=5, jobs=2)
    assert figures.ended == figures.followed == 30
    assert figures.sockets_at_once_max == 15
    assert figures.sockets_cut > 0
