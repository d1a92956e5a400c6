"""A short storm: everything that `make chaos` does, a tenth of it."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from sandbox.places import Places
from tests.chaos.__main__ import chaos
from tests.chaos.functions import supported
from tests.chaos.plan import make_plan
from tests.chaos.storm import Patience
from tests.product import _require_installed

JOBS = 20
SECONDS = 30.0
PATIENCE = Patience(jobs_seconds=190.0, messages_seconds=0.0)
"""A killed worker's message is hidden for 140 s, from wherever in the storm it was killed."""


@pytest.mark.skipif(not supported(), reason="functions' processes are found in Linux's /proc")
def test_every_promise_is_kept_while_everything_breaks(tmp_path: Path) -> None:
    _require_installed()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    plan = make_plan(seed=1, jobs=JOBS, seconds=SECONDS)

    figures = chaos(Places(tmp_path), plan, patience=PATIENCE, say=print)

    assert list(figures.broken) == []
    assert figures.jobs == JOBS
    assert figures.deliveries_died > 0
    assert figures.killed_at_work["worker"] > 0
    assert figures.sockets_cut > 0
    shutil.rmtree(tmp_path)
