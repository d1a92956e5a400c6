from __future__ import annotations

import socket

from common.pacing import Line, interval_us
from sandbox.backlog import Backlog, slots_taken
from sandbox.configuration import USUAL_ROUTES
from tests.unit.test_sandbox_run import OUTPUTS


def test_a_look_that_fails_says_nothing_and_is_the_last() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    backlog = Backlog(f"http://127.0.0.1:{port}", OUTPUTS, USUAL_ROUTES)

    assert backlog.ahead() is None
    # Whatever comes back to life there would be asked now, and would hang.
    with socket.create_server(("127.0.0.1", port)) as server:
        assert backlog.ahead() is None
        server.settimeout(0)
        try:
            server.accept()
        except BlockingIOError:
            asked = False
        else:
            asked = True
    assert not asked


def test_slots_that_are_taken_and_have_not_come_are_counted() -> None:
    (route,) = USUAL_ROUTES
    spacing = interval_us(route, 1000)

    def taken(next_us: int) -> int:
        return slots_taken([route], {route.name: Line(next_us=next_us)}, now_us=1_000_000)

    assert taken(0) == taken(1_000_000) == 0
    assert taken(1_000_000 + spacing) == 0, "that one is starting now"
    assert taken(1_000_001 + spacing) == 1
    assert taken(1_000_000 + 3 * spacing) == 2
