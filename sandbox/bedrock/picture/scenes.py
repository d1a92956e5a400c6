"""The scenes: sky first, then what is far, then what is near."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import sin, tau
from random import Random

from PIL import Image, ImageDraw

from sandbox.bedrock.picture.brush import Point, chance, fill_shapes, gradient, under, waves
from sandbox.bedrock.picture.moods import Mood, Scene, mix
from sandbox.bedrock.picture.sky import birds, sky
from sandbox.bedrock.picture.things import boat, pines, ridges, water, windows

DUNE_STEPS = 90


def paint(size: tuple[int, int], mood: Mood, scene: Scene, rng: Random) -> Image.Image:
    """A picture of the scene in pixels of `size`; the same `rng` state paints the same."""
    canvas = gradient(size, mood.sky)
    sun = sky(canvas, mood, rng)
    _SCENES[scene](canvas, mood, sun, rng)
    return canvas


def _mountains(canvas: Image.Image, mood: Mood, _: Point, rng: Random) -> None:
    hazy = replace(mood, near=mix(mood.far, mood.near, 0.72))
    ridges(canvas, hazy, rng, spans=(0.54, 0.8), layers=5)
    pines(canvas, mood, rng, at=0.955, tall=0.2, colour=mood.near, count=34)
    birds(canvas, mood, rng)


def _forest(canvas: Image.Image, mood: Mood, _: Point, rng: Random) -> None:
    width, height = canvas.size
    hazy = replace(mood, near=mix(mood.far, mood.near, 0.15))
    ridges(canvas, hazy, rng, spans=(0.5, 0.6), layers=2, roughness=0.45)
    for layer in range(4):
        share = (layer + 1) / 4
        colour = mix(mood.far, mood.near, 0.2 + 0.8 * share)
        at = 0.62 + 0.31 * share
        ground = under(
            waves(rng, 60, crests=rng.uniform(0.8, 1.6)),
            canvas.size,
            at=at * height,
            swing=0.03 * height,
        )
        pines(
            canvas,
            mood,
            rng,
            at=at + 0.015,
            tall=0.08 + 0.13 * share,
            colour=colour,
            count=int((46 - 22 * share) * max(1.0, width / height)),
        )
        fill_shapes(canvas, [ground], colour, mix(colour, mood.sky[-1], 0.3 * (1 - share)))
    birds(canvas, mood, rng)


def _dunes(canvas: Image.Image, mood: Mood, _: Point, rng: Random) -> None:
    """Rolling crests, each with a lit side and a side in shade."""
    width, height = canvas.size
    hazy = replace(mood, near=mix(mood.far, mood.near, 0.18))
    ridges(canvas, hazy, rng, spans=(0.55, 0.58), layers=2, roughness=0.4)
    for layer in range(4):
        share = layer / 3
        colour = mix(mix(mood.far, mood.light, 0.25), mood.near, 0.1 + 0.55 * share)
        line = waves(rng, DUNE_STEPS, crests=rng.uniform(0.5, 1.1))
        at, swing = height * (0.62 + 0.27 * share), height * 0.06
        dune = under(line, canvas.size, at=at, swing=swing)
        fill_shapes(
            canvas, [dune], mix(colour, mood.light, 0.25), colour, mix(colour, mood.near, 0.35)
        )
        peak = line.index(max(line[DUNE_STEPS // 8 : -DUNE_STEPS // 8]))
        top_x, top_y = dune[peak + 1]
        # The edge between light and shade winds down from the crest, as the wind leaves it.
        lean = width * rng.uniform(0.1, 0.22) * rng.choice((-1, 1))
        edge = [
            (top_x + lean * (n / 12 + 0.35 * sin(n / 12 * tau)), top_y + (height - top_y) * n / 12)
            for n in range(13)
        ]
        shade = [*reversed(edge), *dune[peak + 2 : -1], (width, height)]
        fill_shapes(
            canvas, [shade], mix(colour, mood.near, 0.38), mix(colour, mood.near, 0.2), colour
        )
    birds(canvas, mood, rng)


def _sea(canvas: Image.Image, mood: Mood, sun: Point, rng: Random) -> None:
    width, height = canvas.size
    horizon = int(height * rng.uniform(0.56, 0.62))
    layers = rng.randint(1, 3)
    ridges(canvas, mood, rng, spans=(0.56, horizon / height), layers=layers)
    water(canvas, mood, sun, horizon, rng)
    for _ in range(rng.randint(1, 3)):
        y = horizon + (height - horizon) * rng.uniform(0.12, 0.6)
        boat(
            canvas, mood, (width * rng.uniform(0.12, 0.88), y), (y - horizon + height * 0.1) * 0.42
        )
    birds(canvas, mood, rng)


def _city(canvas: Image.Image, mood: Mood, sun: Point, rng: Random) -> None:
    """Blocks in three depths with lit windows, on a river."""
    width, height = canvas.size
    horizon = int(height * 0.72)
    draw = ImageDraw.Draw(canvas)
    lit = mix(mood.light, (255, 196, 92), 0.55)
    for layer in range(3):
        share = layer / 2
        colour = mix(mood.far, mood.near, 0.15 + 0.85 * share)
        x = -width * 0.02
        while x < width:
            wide = max(6.0, width * rng.uniform(0.035, 0.085))
            tall = height * rng.uniform(0.1, 0.3 if share else 0.42) * (1.1 - 0.35 * share)
            top = horizon - tall
            draw.rectangle((x, top, x + wide, horizon), fill=colour)
            if chance(rng, 0.25):
                mast = x + wide / 2
                draw.line(
                    (mast, top - tall * 0.18, mast, top), fill=colour, width=max(2, width // 400)
                )
            windows(draw, (x, top, x + wide, horizon), mix(colour, lit, 0.35 + 0.6 * share), rng)
            x += wide * rng.uniform(0.85, 1.35)
    water(canvas, mood, sun, horizon, rng)
    birds(canvas, mood, rng)


_SCENES: Mapping[Scene, Callable[[Image.Image, Mood, Point, Random], None]] = {
    Scene.MOUNTAINS: _mountains,
    Scene.SEA: _sea,
    Scene.CITY: _city,
    Scene.DUNES: _dunes,
    Scene.FOREST: _forest,
}
