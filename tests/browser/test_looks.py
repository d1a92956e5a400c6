"""How the page looks to everybody: to axe in light and dark, on a phone, and by the keyboard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.app import App, expect_image, expect_status
from tests.browser.axe import violations
from tests.browser.backstage import Backstage
from tests.browser.conftest import OpenContext
from tests.product import SignedIn

TABS_MAX = 40
NARROW = {"width": 320, "height": 640}
LONG = "Mộtlâuđàirấtdàikhôngcókhoảngtrắng" * 4

_WIDER = """(width) => [...document.querySelectorAll("body *")]
  .filter((one) => one.getBoundingClientRect().right > width + 1 && one.checkVisibility())
  .map((one) => one.outerHTML.slice(0, 120))"""
"""What sticks out; `innerWidth` is no measure, as phones zoom out to where everything fits."""

_RING = """(element) => [element, ...function* up(one) {
    for (let above = one.parentElement; above; above = above.parentElement) yield above;
  }(element)].slice(0, 3).some((one) => {
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(one);
    return (outlineStyle !== "none" && outlineWidth !== "0px") || boxShadow !== "none";
  })"""


def visitors_views(app: App) -> Iterator[str]:
    """Each view of somebody who is not signed in."""
    for name in ("sign-up", "sign-in", "confirm", "forgot", "reset"):
        app.open(f"#{name}")
        expect(app.page.get_by_role("button").last).to_be_visible()
        yield name


def persons_views(app: App, backstage: Backstage, person: SignedIn) -> Iterator[str]:
    """Each view of somebody who is, with jobs in many states."""
    yield "welcome"
    with backstage.workers_stopped():
        app.submit(LONG)
        expect_status(app.job(LONG), "queued")
        app.submit("to be canceled").get_by_role("button", name="Cancel").click()
        expect_status(app.job("to be canceled"), "canceled")
        yield "queued"
    app.submit("gore")
    expect_status(app.job("gore"), "failed")
    backstage.wait_done(person)
    expect_image(app.job(LONG))
    app.page.get_by_text("More options").click()
    yield "create"
    app.page.get_by_test_id("menu").click()
    yield "menu"
    app.page.keyboard.press("Escape")
    app.open("#gallery")
    expect(app.page.get_by_test_id("gallery-item")).to_have_count(1)
    yield "gallery"
    app.page.get_by_test_id("gallery-item").get_by_role("link").click()
    expect(app.page.get_by_role("dialog")).to_be_visible()
    yield "image"
    app.open("#credits/short")
    expect(app.page.get_by_test_id("ledger-row").first).to_be_visible()
    yield "credits"
    app.page.get_by_role("button", name="Buy for ₫26,000").click()
    expect(app.page.get_by_text("no money moves")).to_be_visible()
    app.page.go_back()
    expect(app.page.get_by_test_id("payment-title")).to_be_visible()
    yield "payment"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_for_visitors(
    open_context: OpenContext, scheme: Literal["light", "dark"]
) -> None:
    app = App(open_context(color_scheme=scheme).new_page())
    found = {view: violations(app.page) for view in visitors_views(app)}
    assert {view: problems for view, problems in found.items() if problems} == {}


def test_axe_finds_nothing_for_persons_in_light_and_dark(
    app: App, backstage: Backstage, person: SignedIn
) -> None:
    found: dict[str, list[str]] = {}
    for view in persons_views(app, backstage, person):
        for scheme in ("light", "dark"):
            app.page.emulate_media(color_scheme=scheme)
            found[f"{view} in {scheme}"] = violations(app.page)
    assert {view: problems for view, problems in found.items() if problems} == {}


def test_nothing_is_wider_than_a_phone(
    open_context: OpenContext, backstage: Backstage, new_person: Callable[[], SignedIn]
) -> None:
    """Not on the narrowest there is, with a word that does not break."""
    page = open_context(viewport=NARROW, has_touch=True, is_mobile=True).new_page()
    app, person = App(page), new_person()
    width = NARROW["width"]
    wide = {view: page.evaluate(_WIDER, width) for view in visitors_views(app)}
    app.sign_in(person.person)
    for view in persons_views(app, backstage, person):
        wide[view] = page.evaluate(_WIDER, width)
    assert {view: elements for view, elements in wide.items() if elements} == {}


@pytest.mark.usefixtures("control")
def test_the_keyboard_is_enough(page: Page, person: SignedIn) -> None:
    app, keyboard = App(page), page.keyboard
    app.open("#sign-in")
    tab_to(page, page.get_by_label("E-mail"))
    keyboard.type(person.person.email)
    tab_to(page, page.get_by_label("Password", exact=True))
    keyboard.type(person.person.password)
    keyboard.press("Enter")
    expect(app.prompt).to_be_visible()

    tab_to(page, app.prompt)
    keyboard.type("typed by hand")
    keyboard.press("Control+Enter")
    job = app.job("typed by hand")
    expect_image(job)

    tab_to(page, job.get_by_test_id("job-image"))
    keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    assert dialog.evaluate("dialog => dialog.contains(document.activeElement)")
    keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(job.get_by_test_id("job-image")).to_be_focused()


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until the element has the focus, which everybody can see."""
    expect(wanted).to_be_visible()
    for _ in range(TABS_MAX):
        if wanted.evaluate("element => element === document.activeElement"):
            outline = wanted.evaluate(_RING)
            assert outline, "the focus cannot be seen"
            return
        page.keyboard.press("Tab")
    pytest.fail(f"Tab does not lead to {wanted}")
