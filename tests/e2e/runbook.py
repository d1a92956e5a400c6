"""docs/RUNBOOK.md, read: its sections and the commands in them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sandbox.places import REPOSITORY

PAGE = REPOSITORY / "docs" / "RUNBOOK.md"


@dataclass(frozen=True)
class Section:
    """One alarm or one thing that people write in for."""

    title: str
    text: str
    commands: tuple[str, ...]


def sections() -> tuple[Section, ...]:
    """The page's sections in order; what is before the first is named `first`."""
    parts = re.split(r"^## (.*)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    named = [("first", parts[0]), *zip(parts[1::2], parts[2::2], strict=True)]
    return tuple(Section(title, text, _commands(text)) for title, text in named)


def _commands(text: str) -> tuple[str, ...]:
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return tuple(line for block in blocks for line in block.splitlines())
