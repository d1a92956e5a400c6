"""The CDK's command line, as `make setup` has installed it, in the terminal of whoever runs us."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from sandbox.errors import CommandError
from sandbox.places import REPOSITORY, VENV_BIN

CDK = REPOSITORY / "node_modules" / ".bin" / "cdk"
_QUIET = {"CDK_DISABLE_CLI_TELEMETRY": "true", "CDK_DISABLE_VERSION_CHECK": "1"}


def run_cdk(arguments: Sequence[str]) -> None:
    """Run it to its end; it asks and tells at this terminal. Raises CommandError when it fails."""
    # Our own Node and Python come first: the app is run by what the lock files name.
    path = f"{VENV_BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    ended = subprocess.run(  # noqa: S603 - our own program
        [CDK, "--no-notices", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **_QUIET, "PATH": path},
        check=False,
    )
    if ended.returncode != 0:
        raise CommandError(f"cdk {arguments[0]} was not carried out; what it printed says why.")
