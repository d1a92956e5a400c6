"""What the simulator draws."""

from __future__ import annotations

import ast
import io
import time
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageDraw

from sandbox.bedrock.picture.caption import fit, font, readable, wrap
from sandbox.bedrock.picture.draw import PAPER, draw
from sandbox.bedrock.picture.moods import Scene, choose
from sandbox.bedrock.picture.orders import Painting

FOX = Painting("a red fox in a misty forest", 512, 512, 7, "png", plain=False)


def test_the_same_order_gives_the_same_bytes_and_another_does_not() -> None:
    assert draw(FOX) == draw(FOX)
    assert draw(FOX._replace(seed=8)) != draw(FOX)
    assert draw(FOX._replace(prompt="a red fox in a misty forest.")) != draw(FOX)


@pytest.mark.parametrize("size", [(1024, 1024), (1536, 640), (320, 704), (320, 1280), (1173, 640)])
@pytest.mark.parametrize(
    "prompt", ["", "Phố cổ Hội An về đêm", "word " * 2000, "x" * 10_000, "日本🦊"]
)
def test_any_prompt_fits_any_size(size: tuple[int, int], prompt: str) -> None:
    image = Image.open(io.BytesIO(draw(FOX._replace(width=size[0], height=size[1], prompt=prompt))))
    assert image.size == size
    # The paper's edge is untouched, so nothing ran off it.
    edge = image.convert("RGB").crop((0, size[1] - 4, size[0], size[1]))
    assert edge.getcolors() == [(size[0] * 4, PAPER)]


def test_every_scene_can_be_drawn() -> None:
    words = {
        Scene.SEA: "boats",
        Scene.CITY: "a city",
        Scene.DUNES: "sa mạc",
        Scene.FOREST: "rừng",
        Scene.MOUNTAINS: "núi",
    }
    for scene, prompt in words.items():
        assert choose(prompt)[1] is scene
        assert draw(FOX._replace(prompt=prompt))


def test_drawing_a_megapixel_takes_little_time() -> None:
    draw(FOX)
    prompts = ("two boats at sea", "a city", "x" * 10_000, "word " * 2000)
    begun = time.process_time()
    for prompt in prompts:
        draw(FOX._replace(width=1024, height=1024, prompt=prompt))
    # About 0.07 s on an idle machine; the rest is for busy ones.
    assert (time.process_time() - begun) / len(prompts) < 0.35


def test_a_plain_picture_ignores_prompt_and_seed() -> None:
    plain = FOX._replace(plain=True)
    assert draw(plain) == draw(plain._replace(prompt="a city", seed=3))
    assert len(draw(plain)) < 8_000


def test_caption_is_composed_and_leaves_out_what_no_font_has() -> None:
    assert readable("  bie\u0302\u0309n\n\tđêm 🦊 \u200b") == "biển đêm"


def test_caption_wraps_between_words_and_ends_in_an_ellipsis() -> None:
    face = font(20)
    lines = wrap("one two three four five six seven", face, width=100, lines_max=2)
    assert len(lines) == 2
    assert lines[-1].endswith("…")
    assert all(face.getlength(line) <= 100 for line in lines)
    _, _, fitted = fit("one two three", width=400, height=30, sizes=range(20, 9, -1))
    assert fitted == ["one two three"]


def test_vietnamese_letters_are_drawn_not_boxed() -> None:
    pytest.importorskip("font_source_sans_pro", reason="the font package is not installed")
    face = font(40)

    def drawn(char: str) -> Image.Image:
        image = Image.new("L", (60, 70))
        ImageDraw.Draw(image).text((5, 5), char, fill=255, font=face)
        return image

    missing = drawn("\uffff")
    for char in "ăâđêôơưằẵặấầẩẫậếềểễệốồổỗộớờởỡợứừửữựỳỵỷỹẢĨŨ":
        assert ImageChops.difference(drawn(char), missing).getbbox(), char


def test_the_simulator_stands_alone() -> None:
    """It proves the product only as long as it shares nothing with it."""
    package = Path(__file__).parents[2] / "sandbox" / "bedrock"
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names.append(node.module or "")
            assert not {name.split(".")[0] for name in names} & {"common", "functions"}, path
