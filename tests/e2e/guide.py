"""docs/DEPLOY.md, read: its commands in order, its examples, and what it says cannot be run."""

from __future__ import annotations

import re

from sandbox.places import REPOSITORY

PAGE = REPOSITORY / "docs" / "DEPLOY.md"
NOT_RUN = "## What the test does not run"


def commands() -> tuple[str, ...]:
    """The lines of the page's sh blocks."""
    return tuple(line for block in _blocks("sh") for line in block.splitlines())


def examples() -> tuple[str, ...]:
    """The page's JSON blocks: a stage's settings, and a merchant's account."""
    return _blocks("json")


def not_run() -> frozenset[str]:
    """The lines in the table at the end; each row has a reason."""
    _before, table = PAGE.read_text(encoding="utf-8").split(NOT_RUN)
    return frozenset(re.findall(r"^\| `([^`]+)` \| [^|]+ \|$", table, re.MULTILINE))


def _blocks(language: str) -> tuple[str, ...]:
    text = PAGE.read_text(encoding="utf-8")
    return tuple(re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
