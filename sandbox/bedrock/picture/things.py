"""What stands on the ground or floats: ranges, pines, lit windows, water, boats."""

from __future__ import annotations

from random import Random

from PIL import Image, ImageDraw

from sandbox.bedrock.picture.brush import (
    Point,
    chance,
    fill_shapes,
    gradient,
    pixel,
    ridge,
    under,
)
from sandbox.bedrock.picture.moods import Colour, Mood, mix

PINE_TIERS = 4
SAIL: Colour = (168, 70, 48)


def ridges(
    canvas: Image.Image,
    mood: Mood,
    rng: Random,
    *,
    spans: tuple[float, float],
    layers: int,
    roughness: float = 0.52,
) -> list[list[Point]]:
    """Ranges one before the other, from one height to another; each fades into haze below."""
    width, height = canvas.size
    shapes = []
    for layer in range(layers):
        share = layer / max(layers - 1, 1)
        at = height * (spans[0] + (spans[1] - spans[0]) * share)
        swing = min(width, height) * (0.2 - 0.1 * share)
        colour = mix(mood.far, mood.near, share**1.15)
        haze = mix(colour, mood.sky[-1], 0.55 * (1 - share))
        heights = ridge(rng, points_log2=8, roughness=roughness)
        shape = under(heights, canvas.size, at=at, swing=swing)
        fill_shapes(canvas, [shape], colour, haze, haze)
        shapes.append(shape)
    return shapes


def pines(
    canvas: Image.Image,
    mood: Mood,
    rng: Random,
    *,
    at: float,
    tall: float,
    colour: Colour,
    count: int,
) -> None:
    """A row of conifers with their feet near a line; `at` and `tall` are shares of the height."""
    width, height = canvas.size
    shapes: list[list[Point]] = []
    for place in range(count):
        x = (place + rng.uniform(-0.6, 0.6)) * width / (count - 1)
        # Tall at the edges and low in the middle, so that they frame what is behind them.
        frame = 0.55 + 0.75 * abs(2 * x / width - 1) ** 1.4
        top = tall * height * frame * rng.uniform(0.6, 1.1)
        foot = at * height + rng.uniform(0, 0.03) * height
        for tier in range(PINE_TIERS):
            wide = top * 0.2 * (tier + 1.4) / 4
            low = foot - top * (0.72 - 0.24 * tier) if tier < PINE_TIERS - 1 else foot
            shapes.append([(x, foot - top * (1 - 0.2 * tier)), (x + wide, low), (x - wide, low)])
    shapes.append([(0, at * height), (width, at * height), (width, height), (0, height)])
    fill_shapes(canvas, shapes, colour, mix(colour, mood.near, 0.4))


def windows(
    draw: ImageDraw.ImageDraw, box: tuple[float, float, float, float], lit: Colour, rng: Random
) -> None:
    """Windows on the front of a block, as many of them lit as its people are awake."""
    left, top, right, bottom = box
    columns = max(2, int((right - left) / 13))
    step = (right - left) / columns
    share = rng.uniform(0.15, 0.6)
    y = top + step * 0.6
    while y < bottom - step:
        for column in range(columns):
            if chance(rng, share):
                x = left + (column + 0.3) * step
                draw.rectangle((x, y, x + step * 0.38, y + step * 0.5), fill=lit)
        y += step * 1.05


def water(canvas: Image.Image, mood: Mood, sun: Point, horizon: int, rng: Random) -> None:
    """What is above the horizon upside down and darker, with ripples and a path of light."""
    width, height = canvas.size
    deep = height - horizon
    above = canvas.crop((0, max(0, horizon - int(deep * 1.25)), width, horizon))
    mirror = above.transpose(Image.Transpose.FLIP_TOP_BOTTOM).resize((width, deep))
    tint = gradient(
        (width, deep), (mix(mood.sky[-1], mood.far, 0.4), mix(mood.near, mood.far, 0.3))
    )
    canvas.paste(Image.blend(mirror, tint, 0.5), (0, horizon))
    draw = ImageDraw.Draw(canvas)
    for _ in range(int(deep * 0.55)):
        depth = rng.random()
        y = horizon + depth * deep
        long = width * (0.01 + 0.1 * depth) * rng.uniform(0.4, 1.4)
        x = rng.uniform(-0.05, 1) * width
        base = pixel(canvas, x + long / 2, y)
        target = mood.light if chance(rng, 0.5) else mood.near
        draw.line((x, y, x + long, y), fill=mix(base, target, 0.16), width=1 + int(2 * depth))
    for _ in range(int(deep * 0.5)):
        depth = rng.random() ** 1.2
        y = horizon + 2 + depth * (deep - 3)
        long = width * (0.012 + 0.05 * depth) * rng.uniform(0.3, 1.2)
        x = sun[0] + rng.gauss(0, 1) * width * (0.012 + 0.035 * depth)
        base = pixel(canvas, x, y)
        draw.line(
            (x - long / 2, y, x + long / 2, y),
            fill=mix(base, mood.light, 0.75 - 0.4 * depth),
            width=1 + int(3 * depth),
        )


def boat(canvas: Image.Image, mood: Mood, at: Point, size: float) -> None:
    """A junk with two battened sails."""
    x, y = at
    hull = mix(mood.near, (0, 0, 0), 0.25)
    sail = mix(mix(SAIL, mood.near, 0.15), mood.light, 0.12)
    fill_shapes(
        canvas,
        [
            [
                (x - size * 0.5, y - size * 0.1),
                (x + size * 0.58, y - size * 0.14),
                (x + size * 0.4, y + size * 0.04),
                (x - size * 0.36, y + size * 0.04),
            ]
        ],
        hull,
    )
    for left, tall in ((-0.34, 0.62), (0.08, 0.92)):
        foot = y - size * 0.16
        sheet = [
            (x + size * left, foot),
            (x + size * (left + 0.02), foot - size * tall * 0.8),
            (x + size * (left + 0.2), foot - size * tall),
            (x + size * (left + 0.38), foot - size * tall * 0.5),
            (x + size * (left + 0.34), foot),
        ]
        fill_shapes(canvas, [sheet], sail, mix(sail, mood.near, 0.35))
