"""A print: the scene on paper, the prompt beneath it, and a word that it is simulated."""

from __future__ import annotations

import io
from random import Random

from PIL import Image, ImageDraw

from sandbox.bedrock.picture.caption import fit, font, readable
from sandbox.bedrock.picture.moods import Colour, choose, mix
from sandbox.bedrock.picture.orders import Painting
from sandbox.bedrock.picture.scenes import paint

PAPER: Colour = (250, 247, 240)
INK: Colour = (38, 36, 44)
MARK = "SIMULATED"
CAPTION_SHARE_MAX = 0.4
"""The most of the height that a long prompt may take."""
PNG_LEVEL = 3
JPEG_QUALITY = 90


def draw(order: Painting) -> bytes:
    """The image file; the same order always gives the same bytes."""
    size = (order.width, order.height)
    image = Image.new("RGB", size, (96, 112, 136)) if order.plain else _print(order, size)
    out = io.BytesIO()
    if order.output_format == "jpeg":
        image.save(out, "JPEG", quality=JPEG_QUALITY)
    else:
        image.save(out, "PNG", compress_level=PNG_LEVEL)
    return out.getvalue()


def _print(order: Painting, size: tuple[int, int]) -> Image.Image:
    width, height = size
    short = min(size)
    margin = round(short * 0.04)
    mood, scene = choose(order.prompt)
    largest = max(14, round(short * 0.036))
    smallest = max(10, round(short * 0.017))
    face, line_height, lines = fit(
        readable(order.prompt) or "(no prompt)",
        width=width - 2 * margin,
        height=height * CAPTION_SHARE_MAX,
        sizes=range(largest, smallest - 1, -1),
    )
    mark = font(max(11, round(short * 0.017)), strong=True)
    mark_height = round(short * 0.034)
    caption_height = len(lines) * line_height + mark_height
    picture_size = (width - 2 * margin, height - 2 * margin - caption_height - margin // 2)
    page = Image.new("RGB", size, PAPER)
    rng = Random(f"{order.seed} {order.prompt}")  # noqa: S311  # not for secrets
    page.paste(paint(picture_size, mood, scene, rng), (margin, margin))
    pen = ImageDraw.Draw(page)
    top = margin + picture_size[1] + margin // 2
    for number, line in enumerate(lines):
        pen.text((margin, top + number * line_height), line, font=face, fill=INK)
    pen.text(
        (margin, top + len(lines) * line_height + mark_height * 0.35),
        f"{MARK}  ·  seed {order.seed}  ·  {width} × {height}",
        font=mark,
        fill=mix(INK, PAPER, 0.45),
    )
    return page
