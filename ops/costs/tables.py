"""Tables for a terminal and for a page of Markdown, from the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table whose first columns are words, and the others figures, on the right."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int = 1
    """How many columns are words."""

    def markdown(self) -> str:
        """The table in Markdown, below its title."""
        marks = ["---" if place < self.words else "---:" for place in range(len(self.head))]
        lines = [" | ".join(row) for row in (self.head, marks, *self.rows)]
        return "\n".join([f"**{self.title}**", "", *(f"| {line} |" for line in lines)])

    def text(self) -> str:
        """The table for a terminal; a column of words that comes last is as long as it is."""
        rows = [self.head, *self.rows]
        widths = [max(len(row[place]) for row in rows) for place in range(len(self.head))]

        def line(row: Sequence[str]) -> str:
            cells = [
                cell.ljust(width) if place < self.words else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            return "  ".join(cells).rstrip()

        return "\n".join([self.title, *map(line, rows)])


def usd(amount: float, digits: int = 2) -> str:
    """An amount as people read it: so many digits after the point."""
    sign = "-" if amount < 0 else ""
    return f"{sign}${abs(amount):,.{digits}f}"


def number(quantity: float) -> str:
    """A quantity with what matters of its fraction."""
    return f"{quantity:,.0f}" if quantity >= 1000 else f"{quantity:,.4g}"  # noqa: PLR2004
