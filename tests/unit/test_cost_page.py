"""The tables in docs/COST.md are what the commands print; `make cost` writes them anew."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from ops import cli
from sandbox.places import REPOSITORY

PAGE = REPOSITORY / "docs" / "COST.md"
BLOCK = re.compile(r"<!-- imagify (?P<command>[^\n]+) -->\n(?P<said>.*?)<!-- end -->\n", re.DOTALL)


def blocks() -> list[tuple[str, str]]:
    """Each command, and what the page says that it prints."""
    text = PAGE.read_text(encoding="utf-8")
    return [(found["command"], found["said"]) for found in BLOCK.finditer(text)]


@pytest.mark.parametrize(("command", "said"), blocks(), ids=[command for command, _ in blocks()])
def test_the_cost_page_says_what_the_commands_print(
    command: str,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ops.cli.signal.signal", lambda *_: None)
    assert cli.main(command.split()) == 0
    printed = capsys.readouterr().out
    if os.environ.get("COST_PAGE"):
        put(PAGE, command, printed)
    else:
        assert said == printed


def put(page: Path, command: str, printed: str) -> None:
    """Write what a command prints into its block."""

    def block(found: re.Match[str]) -> str:
        same = found["command"] == command
        return f"<!-- imagify {command} -->\n{printed}<!-- end -->\n" if same else found[0]

    page.write_text(BLOCK.sub(block, page.read_text(encoding="utf-8")), encoding="utf-8")


def test_the_cost_page_shows_bills_and_capacity() -> None:
    commands = [command.split()[0] for command, _ in blocks()]
    assert commands.count("cost") >= 2
    assert "capacity" in commands
