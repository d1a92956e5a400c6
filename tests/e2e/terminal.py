"""The command line, as operators type it."""

from __future__ import annotations

import os
import subprocess
from typing import Any

from sandbox.environment import for_aws
from sandbox.places import REPOSITORY
from tests.product import Sandbox


def imagify(sandbox: Sandbox, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command on the local run."""
    return _run(sandbox, os.environ, *arguments)


def imagify_on_aws(sandbox: Sandbox, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The same as an operator of a stage on AWS types it; that AWS is the emulator."""
    env = for_aws(os.environ, endpoint=sandbox.state.emulator_url)
    return _run(sandbox, env, *arguments, "--stage", "dev")


def _run(sandbox: Sandbox, env: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [REPOSITORY / "bin" / "imagify", *arguments],
        env={**env, "IMAGIFY_STATE_DIR": str(sandbox.places.home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
