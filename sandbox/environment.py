"""The environment of the programs that the local run starts.

Little of the person's own may reach them. With a profile or an endpoint of theirs a local deploy
could become a real one, a proxy has no business on loopback, and functions inherit the emulator's
variables, so a setting that the stack forgets would be found here and missing on AWS.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from sandbox.places import VENV_BIN

ACCOUNT = "000000000000"
"""The emulator takes twelve digits as an access key for the root of that account."""
SECRET = "test"  # noqa: S105 - it opens nothing
"""The emulator's own default: it signs for nobody outside this machine."""
HOME_REGION: Final = "ap-southeast-1"
_KEPT = (
    *("HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"),
    *("XDG_CACHE_HOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
)


def clean(env: Mapping[str, str]) -> dict[str, str]:
    """What a program needs to run at all, with our own programs first on its path."""
    kept = {name: env[name] for name in _KEPT if name in env}
    kept["PATH"] = f"{VENV_BIN}{os.pathsep}{env.get('PATH', os.defpath)}"
    kept["PYTHONUNBUFFERED"] = "1"
    return kept


def for_aws(env: Mapping[str, str], *, endpoint: str) -> dict[str, str]:
    """`clean(env)` with the emulator as the only AWS there is."""
    return clean(env) | {
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": HOME_REGION,
        "AWS_DEFAULT_REGION": HOME_REGION,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
