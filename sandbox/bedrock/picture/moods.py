"""Colours and scenes, chosen by what the prompt mentions or else by its hash."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random
from typing import TypeVar

Colour = tuple[int, int, int]
_Key = TypeVar("_Key", bound=str)

HUE_DRIFT = 0.035
"""How far a prompt may turn its mood's colours round the wheel, either way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mood:
    """The colours of one time of day."""

    sky: tuple[Colour, ...]
    """From the top down to the horizon."""
    light: Colour
    """The sun, the moon, a lit window."""
    far: Colour
    near: Colour
    stars: bool = False
    low_light: bool = False
    """Whether the sun stands near the horizon."""


class Scene(StrEnum):
    """What is in the picture."""

    MOUNTAINS = "mountains"
    SEA = "sea"
    CITY = "city"
    DUNES = "dunes"
    FOREST = "forest"


def _rgb(*hexes: str) -> tuple[Colour, ...]:
    return tuple((int(h[0:2], 16), int(h[2:4], 16), int(h[4:6], 16)) for h in hexes)


def _mood(
    sky: str, light: str, far: str, near: str, *, stars: bool = False, low_light: bool = False
) -> Mood:
    (one,), (two,), (three,) = _rgb(light), _rgb(far), _rgb(near)
    stops = _rgb(*sky.split())
    return Mood(sky=stops, light=one, far=two, near=three, stars=stars, low_light=low_light)


MOODS: Mapping[str, Mood] = {
    "dawn": _mood("35407a 8b6a9b ef9f8b fbd9a8", "fff3d6", "b88ca6", "232347", low_light=True),
    "noon": _mood("3c86cb 86bfe6 e3f1f3", "fffdf0", "a3c3d6", "1c474c"),
    "dusk": _mood("201c4d 6d2f72 df5b69 fbb46c", "ffe6b0", "96507c", "180f2f", low_light=True),
    "night": _mood("060a22 12204c 2c4676 6a86ad", "f7f3dd", "3f5a88", "060a19", stars=True),
    "aurora": _mood("041020 0a2b3e 13595c 63b196", "eafbe8", "23616a", "04131c", stars=True),
    "mist": _mood("b3c6c9 d5e0dc f4eee1", "fffdf6", "b3c4c1", "27413f"),
    "gold": _mood("4f93ad b9cfc1 f6dba6 f6c57b", "fff4d2", "e2a873", "60291c", low_light=True),
    "spring": _mood("6fbfc6 bfe6d3 fcf3d2", "fffbe6", "a3cfa6", "1f4d39"),
    "lotus": _mood("7d6fb0 c99ac4 f3c3cd fdeadc", "fff6ea", "c295b9", "3d2350", low_light=True),
}

_MOOD_WORDS: Mapping[str, str] = {
    "night": "night moon moonlit moonlight midnight star stars đêm trăng sao",
    "aurora": "aurora arctic neon cyberpunk galaxy ice cực quang băng",
    "dusk": "sunset dusk evening fire lửa hoàng chiều",
    "dawn": "dawn sunrise morning bình sáng",
    "mist": "mist misty fog foggy rain snow winter sương mưa tuyết đông",
    "gold": "desert dune dunes gold golden autumn sa vàng thu",
    "spring": "spring garden meadow green flower flowers xuân vườn",
    "lotus": "lotus pink blossom cherry dream sen hồng đào mơ",
}
_SCENE_WORDS: Mapping[Scene, str] = {
    Scene.SEA: "sea ocean beach boat boats ship sailing lake river water fish whale harbour harbor "
    "island lighthouse biển hồ sông thuyền vịnh đảo cá nước",
    Scene.CITY: "city street skyline tower town robot car office hotel skyscraper "
    "phố tower hà sài gòn đường tòa",
    Scene.DUNES: "desert dune dunes camel sahara mars mạc cát",
    Scene.FOREST: "forest tree trees wood woods fox deer bear owl meadow garden rừng cây vườn "
    "thông",
    Scene.MOUNTAINS: "mountain mountains peak alps cliff valley volcano núi đồi sapa",
}


def choose(prompt: str) -> tuple[Mood, Scene]:
    """The mood and the scene of a prompt, always the same for the same prompt."""
    rng = Random(f"mood {prompt}")  # noqa: S311  # not for secrets
    words = re.findall(r"\w+", prompt.casefold())
    any_mood, any_scene = rng.choice(list(MOODS)), rng.choice(list(Scene))
    mood = MOODS[_mentioned(words, _MOOD_WORDS) or any_mood]
    drift = rng.uniform(-HUE_DRIFT, HUE_DRIFT)
    return _turned(mood, drift), _mentioned(words, _SCENE_WORDS) or any_scene


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """`share` 0 gives one, 1 the other."""
    return (
        round(one[0] + (other[0] - one[0]) * share),
        round(one[1] + (other[1] - one[1]) * share),
        round(one[2] + (other[2] - one[2]) * share),
    )


def _mentioned(words: Sequence[str], lists: Mapping[_Key, str]) -> _Key | None:
    """The list that the first listed word is on."""
    for word in words:
        for key, listed in lists.items():
            if word in listed.split():
                return key
    return None


def _turned(mood: Mood, drift: float) -> Mood:
    return replace(
        mood,
        sky=tuple(_turn(colour, drift) for colour in mood.sky),
        far=_turn(mood.far, drift),
        near=_turn(mood.near, drift),
    )


def _turn(colour: Colour, drift: float) -> Colour:
    hue, light, saturation = colorsys.rgb_to_hls(*(part / 255 for part in colour))
    red, green, blue = colorsys.hls_to_rgb((hue + drift) % 1, light, saturation)
    return round(red * 255), round(green * 255), round(blue * 255)
