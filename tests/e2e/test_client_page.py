"""The examples of docs/CLIENT.md are run as they stand, with another address and person."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from common.models.answers import png_size
from sandbox.places import REPOSITORY
from tests.product import Sandbox, SignedIn

PAGE = (REPOSITORY / "docs" / "CLIENT.md").read_text(encoding="utf-8")
LINES_MAX = 10
NODE = Path(sys.executable).with_name("node")
RUN = {"js": [str(NODE), "--input-type=module", "--eval"], "python": [sys.executable, "-c"]}


def example(language: str) -> str:
    """The page's only example in the language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert isinstance(found, str)
    return found


@pytest.mark.parametrize("language", RUN)
def test_an_example_makes_an_image(
    sandbox: Sandbox, new_person: Callable[[], SignedIn], tmp_path: Path, language: str
) -> None:
    person = new_person().person
    program = example(language)
    for written, here in {
        "http://127.0.0.1:4569/": sandbox.state.page_url,
        "me@example.com": person.email,
        "Your-Passw0rd": person.password,
        "./web/imagify.js": (REPOSITORY / "web" / "imagify.js").as_uri(),
    }.items():
        assert written in program or written.startswith("./")
        program = program.replace(written, here)
    environment = {**os.environ, "NO_PROXY": "127.0.0.1"}
    ran = subprocess.run(
        [*RUN[language], program],
        cwd=tmp_path,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    size = png_size((tmp_path / "fox.png").read_bytes())
    assert size.width > 0


@pytest.mark.parametrize("language", RUN)
def test_an_example_is_ten_lines(language: str) -> None:
    lines = [line for line in example(language).splitlines() if line.strip()]
    assert len(lines) <= LINES_MAX
