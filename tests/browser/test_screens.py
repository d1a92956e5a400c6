"""Pictures of the page for people to look at, written to the folder that SCREENS names."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.app import App, expect_status
from tests.browser.backstage import Backstage
from tests.browser.conftest import PHONE, OpenContext
from tests.e2e.vnpay import Vnpay
from tests.product import SignedIn

BYTES_MAX = 150_000
QUALITY = 82
LATENCY_SECONDS = 8
DESK = {"viewport": {"width": 1440, "height": 900}}
HAND = {"viewport": PHONE, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}
PROMPTS = (
    ("A lighthouse in a storm, oil painting, waves as tall as the tower", "Photo"),
    ("Hội An at dusk, paper lanterns over the river, long exposure", "Wide"),
    ("A tiny greenhouse inside a light bulb, macro photograph", "Square"),
    ("Terraced rice fields after the rain, minimalist poster", "Portrait"),
    ("A red fox asleep in fresh snow, soft watercolour", "Cinema"),
    ("Ruộng bậc thang Mù Cang Chải trong sương sớm", "Post"),
)
DRAWN = "A paper boat on a river of ink, woodcut"


def shoot(page: Page, name: str) -> None:
    """Write what is to be seen as a WebP, small enough to be kept."""
    page.mouse.move(0, 0)
    page.wait_for_timeout(400)  # images fade in
    picture = Image.open(io.BytesIO(page.screenshot()))
    folder = Path(os.environ["SCREENS"])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.webp"
    picture.convert("RGB").save(path, quality=QUALITY, method=6)
    assert path.stat().st_size < BYTES_MAX


@pytest.fixture
def owner(
    new_person: Callable[[], SignedIn], backstage: Backstage, control: httpx.Client
) -> SignedIn:
    """Somebody with credits."""
    control.post("/settings", json={"latency_seconds": 1}).raise_for_status()
    person = new_person()
    backstage.grant(person.person.email, 90)
    return person


def test_visitors(open_context: OpenContext) -> None:
    app = App(open_context(**DESK).new_page())
    app.open("#sign-up")
    shoot(app.page, "sign-up-desktop")
    app = App(open_context(**HAND, locale="vi-VN", color_scheme="dark").new_page())
    app.open("#sign-in")
    shoot(app.page, "sign-in-phone-dark-vi")


def test_persons(
    open_context: OpenContext, owner: SignedIn, backstage: Backstage, control: httpx.Client
) -> None:
    app = App(open_context(**DESK).new_page())
    app.sign_in(owner.person)
    expect(app.page.get_by_test_id("welcome")).to_be_visible()
    shoot(app.page, "welcome-desktop")
    # The product learns from these how long an image takes, and what is half of it.
    control.post("/settings", json={"latency_seconds": LATENCY_SECONDS}).raise_for_status()
    for prompt, shape in PROMPTS:
        app.submit(prompt, shape=shape)
        expect(app.job(prompt)).to_be_visible()
    app.submit("A battlefield after the storm, gore")
    backstage.wait_done(owner)

    hand = App(open_context(**HAND, color_scheme="dark").new_page())
    hand.sign_in(owner.person)
    app.page.bring_to_front()
    app.submit(DRAWN, shape="Wide")
    expect_status(app.job(DRAWN), "generating")
    app.prompt.fill("A night market seen from a balcony")
    app.page.wait_for_timeout(LATENCY_SECONDS / 2 * 1000)
    shoot(app.page, "create-desktop")
    hand.page.bring_to_front()
    shoot_job(hand, DRAWN, "create-phone-dark")
    with backstage.workers_stopped():
        backstage.submit(owner, "An old tram climbing a hill in the rain, gouache")
        app.page.bring_to_front()
        app.page.emulate_media(color_scheme="dark")
        app.submit("A night market seen from a balcony", shape="Photo")
        expect(app.page.get_by_test_id("job-detail").first).to_contain_text("line")
        shoot(app.page, "waiting-desktop-dark")
    backstage.wait_done(owner)

    _gallery(app, hand)


def shoot_job(app: App, prompt: str, name: str) -> None:
    """With the job's card at the top."""
    app.job(prompt).evaluate("card => card.scrollIntoView()")
    shoot(app.page, name)


def _gallery(app: App, hand: App) -> None:
    app.page.bring_to_front()
    app.page.emulate_media(color_scheme="light")
    app.open("#gallery")
    expect(app.page.locator("img.loaded")).to_have_count(len(PROMPTS) + 3)
    shoot(app.page, "gallery-desktop")
    app.page.get_by_role("link", name=PROMPTS[1][0]).click()
    expect(app.page.get_by_role("dialog").locator("img.loaded")).to_be_visible()
    shoot(app.page, "image-desktop")
    hand.page.bring_to_front()
    hand.page.emulate_media(color_scheme="light")
    hand.open("#gallery")
    expect(hand.page.locator("img.loaded").first).to_be_visible()
    shoot(hand.page, "gallery-phone")


def test_buying(open_context: OpenContext, owner: SignedIn, vnpay: Vnpay) -> None:
    assert vnpay
    context = open_context(**DESK)
    app = App(context.new_page())
    app.sign_in(owner.person)
    app.open("#credits")
    app.page.get_by_role("button", name="Buy for ₫130,000").click()
    app.page.get_by_role("button", name="Pay").click()
    expect(app.page.get_by_role("heading", name="Thank you!")).to_be_visible()
    shoot(app.page, "paid-desktop")
    app.open("#credits")
    expect(app.page.get_by_test_id("payment-row")).to_be_visible()
    shoot(app.page, "credits-desktop")
    hand = App(open_context(**HAND).new_page())
    hand.sign_in(owner.person)
    hand.open("#credits")
    expect(hand.page.get_by_test_id("payment-row")).to_be_visible()
    shoot(hand.page, "credits-phone")
