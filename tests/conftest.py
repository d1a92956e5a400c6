"""What every test is run with: the functions' environment, and Hypothesis without a clock."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import pytest
from hypothesis import settings

# The metrics' namespace is read when `common.observability` is imported, as in Lambda.
os.environ["POWERTOOLS_METRICS_NAMESPACE"] = "Imagify"
os.environ["POWERTOOLS_SERVICE_NAME"] = "test"
os.environ["POWERTOOLS_LOG_LEVEL"] = "INFO"

pytest_plugins = ["tests.product"]

settings.register_profile("imagify", deadline=None, database=None, print_blob=True)
settings.load_profile("imagify")


class _Stdout:
    """Whatever stdout is at the moment: pytest gives each phase of a test one of its own."""

    def write(self, text: str) -> int:
        return sys.stdout.write(text)

    def flush(self) -> None:
        sys.stdout.flush()


@pytest.fixture
def written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[], str]:
    """All that was logged and printed since the last time."""
    from common.observability import logger  # noqa: PLC0415 - after the environment is set

    for handler in logger.handlers:
        monkeypatch.setattr(handler, "stream", _Stdout())
    return lambda: "".join(capsys.readouterr())
