"""The environment of the programs that the local run starts.

Nothing of the person's own AWS set-up may reach them: with a profile or an endpoint of theirs, a
local deploy could become a real one.
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
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


def clean(env: Mapping[str, str]) -> dict[str, str]:
    """`env` without AWS settings, proxies and Python paths, with our own programs first."""
    kept = {
        name: value
        for name, value in env.items()
        if not name.startswith(("AWS_", "CDK_", "PYTHON", "JSII_")) and name.lower() not in _PROXIES
    }
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
