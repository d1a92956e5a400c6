"""The prompt under the picture, in a font that has its letters."""

from __future__ import annotations

import functools
import importlib.util
import unicodedata
from pathlib import Path

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
FONT_PACKAGE = "font_source_sans_pro"
"""Source Sans Pro, which has Vietnamese; Pillow's own font draws boxes for it."""
CAPTION_CHARS_MAX = 1500
"""No caption is longer, whatever the prompt."""
ELLIPSIS = "…"
LEADING = 1.32
"""From line to line, in font sizes."""
_NOT_DRAWN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "So"})
"""Unicode categories that no font here has: controls, unassigned, emoji and other signs."""
_EMOJI_FROM = 0x10000


@functools.cache
def font(size: int, *, strong: bool = False) -> Font:
    """The caption's font, `size` pixels high; without its package, Pillow's own."""
    spec = importlib.util.find_spec(FONT_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return ImageFont.load_default(size)
    name = "SourceSansPro-Semibold.ttf" if strong else "SourceSansPro-Regular.ttf"
    path = Path(spec.submodule_search_locations[0], "files", name)
    # The basic layout is the same on every machine; the other one depends on a system library.
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


def readable(prompt: str) -> str:
    """The prompt on one line, composed, without the emoji and controls that no font here has."""
    composed = unicodedata.normalize("NFC", prompt)[:CAPTION_CHARS_MAX]
    spaced = "".join(" " if char.isspace() else char for char in composed)
    kept = (
        char
        for char in spaced
        if ord(char) < _EMOJI_FROM and unicodedata.category(char) not in _NOT_DRAWN
    )
    return " ".join("".join(kept).split())


def wrap(text: str, face: Font, *, width: float, lines_max: int) -> list[str]:
    """The text in lines of at most `width` pixels; what does not fit ends in an ellipsis."""
    lines: list[str] = []
    line = ""
    for word in _pieces(text, face, width):
        longer = f"{line} {word}".strip()
        if face.getlength(longer) <= width:
            line = longer
            continue
        lines.append(line)
        line = word
        if len(lines) == lines_max:
            break
    else:
        lines.append(line)
        return lines
    last = lines[-1]
    while last and face.getlength(last + ELLIPSIS) > width:
        last = last[:-1].rstrip()
    return [*lines[:-1], last + ELLIPSIS]


def fit(text: str, *, width: float, height: float, sizes: range) -> tuple[Font, int, list[str]]:
    """The first of the sizes, which go down, whose lines fit; at the last one the text is cut.

    Gives the font, the height of a line and the lines.
    """
    low, high = 0, len(sizes) - 1
    while low < high:
        middle = (low + high) // 2
        lines_max = _lines_max(height, sizes[middle])
        lines = wrap(text, font(sizes[middle]), width=width, lines_max=lines_max + 1)
        if len(lines) <= lines_max:
            high = middle
        else:
            low = middle + 1
    size = sizes[low]
    lines = wrap(text, font(size), width=width, lines_max=_lines_max(height, size))
    return font(size), _line_height(size), lines


def _line_height(size: int) -> int:
    return round(size * LEADING)


def _lines_max(height: float, size: int) -> int:
    return max(1, int(height / _line_height(size)))


def _pieces(text: str, face: Font, width: float) -> list[str]:
    """The words, those too long for a line in pieces."""
    pieces: list[str] = []
    advances: dict[str, float] = {}
    for word in text.split():
        start, used = 0, 0.0
        for place, char in enumerate(word):
            if char not in advances:
                advances[char] = face.getlength(char)
            if used + advances[char] > width and place > start:
                pieces.append(word[start:place])
                start, used = place, 0.0
            used += advances[char]
        pieces.append(word[start:])
    return pieces
