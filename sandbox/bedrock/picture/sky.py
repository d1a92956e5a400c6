"""What is overhead: the sun or the moon, stars, clouds, birds."""

from __future__ import annotations

from random import Random

from PIL import Image, ImageDraw

from sandbox.bedrock.picture.brush import Point, chance, disc, fill_shapes, glow, pixel
from sandbox.bedrock.picture.moods import Mood, mix

STARS_PER_MEGAPIXEL = 420


def sky(canvas: Image.Image, mood: Mood, rng: Random) -> Point:
    """Stars, clouds and the sun or the moon; gives where that stands."""
    width, height = canvas.size
    short = min(width, height)
    if mood.stars:
        _stars(canvas, mood, rng)
    sun = (
        rng.uniform(0.22, 0.78) * width,
        height * (rng.uniform(0.38, 0.47) if mood.low_light else rng.uniform(0.16, 0.3)),
    )
    radius = short * rng.uniform(0.05, 0.085)
    glow(canvas, sun, radius * 7, mood.light, 0.3 if mood.stars else 0.55)
    glow(canvas, sun, radius * 2.6, mood.light, 0.6)
    crescent = mood.stars and chance(rng, 0.6)
    disc(canvas, sun, radius, mood.light, crescent=crescent)
    if not mood.stars:
        _clouds(canvas, mood, rng)
    return sun


def _stars(canvas: Image.Image, mood: Mood, rng: Random) -> None:
    width, height = canvas.size
    draw = ImageDraw.Draw(canvas)
    for _ in range(int(STARS_PER_MEGAPIXEL * width * height / 1e6)):
        x, y = rng.uniform(0, width), height * 0.62 * rng.random() ** 1.3
        colour = mix(pixel(canvas, x, y), mood.light, rng.uniform(0.25, 0.9))
        size = 1 if chance(rng, 0.12) else 0
        draw.ellipse((x - size, y - size, x + size, y + size), fill=colour)


def _clouds(canvas: Image.Image, mood: Mood, rng: Random) -> None:
    """A few long thin banks, each a row of flattened rounds on one base line."""
    width, height = canvas.size
    for _ in range(rng.randint(2, 4)):
        long = width * rng.uniform(0.18, 0.42)
        x, y = rng.uniform(-0.1, 0.9) * width, height * rng.uniform(0.08, 0.42)
        mask = Image.new("L", (int(long), int(long * 0.14) + 2))
        draw = ImageDraw.Draw(mask)
        for _ in range(9):
            wide = rng.uniform(0.2, 0.5) * mask.width
            tall = rng.uniform(0.25, 0.9) * mask.height
            left = rng.uniform(0, mask.width - wide)
            draw.ellipse(
                (left, mask.height - tall, left + wide, mask.height + tall),
                fill=rng.randint(70, 150),
            )
        small = (max(1, mask.width // 6), max(1, mask.height // 6))
        soft = mask.resize(small, Image.Resampling.BOX).resize(mask.size, Image.Resampling.BICUBIC)
        cloud = Image.new("RGB", mask.size, mix(mood.light, mood.sky[-1], 0.25))
        canvas.paste(cloud, (int(x), int(y)), soft)


def birds(canvas: Image.Image, mood: Mood, rng: Random) -> None:
    """A small flock by day, more often than not."""
    if mood.stars or chance(rng, 0.4):
        return
    width, height = canvas.size
    x, y = rng.uniform(0.2, 0.7) * width, rng.uniform(0.14, 0.34) * height
    shapes: list[list[Point]] = []
    for _ in range(rng.randint(3, 7)):
        span = min(width, height) * rng.uniform(0.008, 0.016)
        bx, by = x + rng.gauss(0, 0.05) * width, y + rng.gauss(0, 0.025) * height
        shapes.extend(
            [
                (bx, by),
                (bx + side * 0.5, by - span * 0.42),
                (bx + side, by - span * 0.2),
                (bx + side * 0.5, by - span * 0.26),
                (bx, by + span * 0.16),
            ]
            for side in (-span, span)
        )
    fill_shapes(canvas, shapes, mix(mood.near, mood.sky[0], 0.2))
