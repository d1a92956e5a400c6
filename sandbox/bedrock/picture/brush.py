"""What every scene is painted with: gradients, ridges, glows, and shapes with smooth edges."""

from __future__ import annotations

from collections.abc import Sequence
from math import sin, tau
from random import Random

from PIL import Image, ImageDraw

from sandbox.bedrock.picture.moods import Colour, mix

Point = tuple[float, float]
SMOOTHING = 2
"""Shapes are drawn so many times larger and averaged down."""


def gradient(size: tuple[int, int], stops: Sequence[Colour]) -> Image.Image:
    """Colours from the top down, evenly spaced."""
    width, height = size
    column = Image.new("RGB", (1, max(height, 1)))
    spans = len(stops) - 1
    for y in range(height):
        place = y / max(height - 1, 1) * spans
        first = min(int(place), spans - 1)
        column.putpixel((0, y), mix(stops[first], stops[first + 1], place - first))
    return column.resize((width, max(height, 1)), Image.Resampling.NEAREST)


def ridge(rng: Random, *, points_log2: int, roughness: float) -> list[float]:
    """Heights from about -1 to 1 by midpoint displacement; a low roughness is smooth."""
    count = 2**points_log2
    heights = [0.0] * (count + 1)
    heights[0], heights[-1] = rng.uniform(-0.5, 0.5), rng.uniform(-0.5, 0.5)
    step, swing = count, 0.6
    while step > 1:
        half = step // 2
        for middle in range(half, count, step):
            mean = (heights[middle - half] + heights[middle + half]) / 2
            heights[middle] = mean + rng.uniform(-swing, swing)
        step, swing = half, swing * roughness
    return heights


def waves(rng: Random, count: int, *, crests: float) -> list[float]:
    """Heights from about -1 to 1: a smooth roll with so many crests."""
    first, second = rng.uniform(0, tau), rng.uniform(0, tau)
    turns = [tau * crests * n / count for n in range(count + 1)]
    return [0.6 * sin(turn + first) + 0.35 * sin(turn * 2.3 + second) for turn in turns]


def fill_shapes(canvas: Image.Image, shapes: Sequence[Sequence[Point]], *paint: Colour) -> None:
    """Fill polygons with one colour, or with several from their top down to their bottom."""
    points = [point for shape in shapes for point in shape]
    left = max(0, int(min(x for x, _ in points)) - 1)
    top = max(0, int(min(y for _, y in points)) - 1)
    right = min(canvas.width, int(max(x for x, _ in points)) + 2)
    bottom = min(canvas.height, int(max(y for _, y in points)) + 2)
    if right <= left or bottom <= top:
        return
    size = (right - left, bottom - top)
    mask = Image.new("L", (size[0] * SMOOTHING, size[1] * SMOOTHING))
    draw = ImageDraw.Draw(mask)
    for shape in shapes:
        draw.polygon([((x - left) * SMOOTHING, (y - top) * SMOOTHING) for x, y in shape], fill=255)
    mask = mask.reduce(SMOOTHING)
    ink = gradient(size, paint) if len(paint) > 1 else Image.new("RGB", size, paint[0])
    canvas.paste(ink, (left, top), mask)


def under(
    heights: Sequence[float], size: tuple[int, int], *, at: float, swing: float
) -> list[Point]:
    """The ground below a ridge line: `at` is its mean y and `swing` its height in pixels."""
    width, height = size
    step = width / (len(heights) - 1)
    line = [(n * step, at - value * swing) for n, value in enumerate(heights)]
    return [(0, height), *line, (width, height)]


def glow(
    canvas: Image.Image, centre: Point, radius: float, colour: Colour, strength: float
) -> None:
    """Light that fades out from the centre; strength 1 is opaque in the middle."""
    side = max(2, int(radius * 2))
    fade = [int(max(0.0, 1 - n / 181) ** 2.2 * 255 * strength) for n in range(256)]
    mask = Image.radial_gradient("L").point(fade).resize((side, side), Image.Resampling.BILINEAR)
    place = (int(centre[0] - radius), int(centre[1] - radius))
    canvas.paste(Image.new("RGB", (side, side), colour), place, mask)


def disc(
    canvas: Image.Image, centre: Point, radius: float, colour: Colour, *, crescent: bool = False
) -> None:
    """A round shape with a smooth edge, or a crescent lit from the left."""
    side = int(radius * 2) + 2
    large = side * 4
    mask = Image.new("L", (large, large))
    draw = ImageDraw.Draw(mask)
    draw.ellipse((4, 4, large - 4, large - 4), fill=255)
    if crescent:
        draw.ellipse((large * 0.27, -large * 0.06, large * 1.19, large * 0.86), fill=0)
    place = (int(centre[0] - side / 2), int(centre[1] - side / 2))
    canvas.paste(Image.new("RGB", (side, side), colour), place, mask.reduce(4))


def pixel(canvas: Image.Image, x: float, y: float) -> Colour:
    """The colour at a place, or at the edge nearest to it."""
    red, green, blue = canvas.crop(_square(canvas, x, y)).tobytes()
    return red, green, blue


def chance(rng: Random, share: float) -> bool:
    """True so often."""
    return rng.random() < share


def _square(canvas: Image.Image, x: float, y: float) -> tuple[int, int, int, int]:
    left = min(canvas.width - 1, max(0, int(x)))
    top = min(canvas.height - 1, max(0, int(y)))
    return left, top, left + 1, top + 1
