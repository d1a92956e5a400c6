"""Coming in, going out, and in which language."""

from __future__ import annotations

import re
import uuid

import pytest
from playwright.sync_api import Page, Route, expect

from sandbox.people import new_password
from tests.browser.app import CODE, RESET_CODE, App
from tests.browser.conftest import OpenContext
from tests.browser.watch import Watch
from tests.product import SignedIn

JWT_BEGINS = "eyJ"
SETTLE_MS = 300
"""Tabs tell each other; nothing shows when they have heard."""


def test_a_new_person_signs_up_with_the_code_from_the_e_mail(page: Page, watch: Watch) -> None:
    watch.expect_status(400)
    app, email, password = App(page), f"{uuid.uuid4().hex[:12]}@example.com", new_password()
    app.open()
    expect(page.get_by_role("heading", name="Create your account")).to_be_visible()

    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Choose a password").fill("too short")
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_text("The password is too weak")).to_be_visible()
    page.get_by_label("Choose a password").fill(password)
    page.get_by_role("button", name="Create account").click()

    code = page.get_by_label("Code from the e-mail")
    expect(page.get_by_text(f"We have sent a code to {email}")).to_be_visible()
    code.fill("654321")
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_text("This is not the code.")).to_be_visible()
    code.fill(CODE)
    page.get_by_role("button", name="Confirm").click()

    expect(app.prompt).to_be_visible()
    app.expect_available(10)
    page.get_by_test_id("menu").click()
    expect(page.get_by_test_id("email")).to_have_text(email)


def test_a_forgotten_password_is_set_anew(page: Page, person: SignedIn, watch: Watch) -> None:
    watch.expect_status(400)
    app, password = App(page), new_password()
    app.open("#sign-in")
    page.get_by_label("E-mail").fill(person.person.email)
    page.get_by_label("Password", exact=True).fill("not the password")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text("The e-mail or the password is wrong.")

    page.get_by_role("link", name="Forgotten your password?").click()
    page.get_by_role("button", name="Send me a code").click()
    page.get_by_label("Code from the e-mail").fill(RESET_CODE)
    page.get_by_label("Choose a password").fill(password)
    page.get_by_role("button", name="Save and sign in").click()

    expect(app.prompt).to_be_visible()


def test_a_session_outlives_a_reload_and_ends_in_all_tabs(app: App, person: SignedIn) -> None:
    other = App(app.page.context.new_page())
    other.open("#gallery")
    expect(other.page.get_by_role("heading", name="Gallery")).to_be_visible()
    app.page.bring_to_front()
    app.prompt.fill("half a prompt")
    app.page.reload()
    expect(app.prompt).to_have_value("half a prompt")

    app.sign_out()

    for page in (app.page, other.page):
        expect(page.get_by_label("E-mail")).to_be_visible()
        page.wait_for_timeout(SETTLE_MS)
        stored = page.evaluate("() => JSON.stringify({...localStorage, ...sessionStorage})")
        assert JWT_BEGINS not in stored
        assert person.person.email not in stored
        assert "half a prompt" not in stored


def test_who_signs_out_leaves_no_unsent_prompt(app: App, watch: Watch, person: SignedIn) -> None:
    watch.expect(r"Failed to load resource: net::ERR_FAILED")

    def lose(route: Route) -> None:
        if route.request.method == "POST":
            route.abort()
        else:
            route.continue_()

    app.page.route("**/api/jobs", lose)
    app.submit("never to be sent")
    expect(app.page.get_by_test_id("pending")).to_be_visible()

    app.sign_out()

    expect(app.page.get_by_label("E-mail")).to_be_visible()
    stored = app.page.evaluate("() => JSON.stringify({...localStorage, ...sessionStorage})")
    assert "never to be sent" not in stored
    assert person.person.email not in stored


def test_an_address_that_cannot_be_read_shows_the_start(app: App) -> None:
    app.open("#image/%E0%A4%A")
    expect(app.prompt).to_be_visible()
    app.page.get_by_test_id("nav-gallery").click()
    expect(app.page.get_by_role("heading", name="Gallery")).to_be_visible()


@pytest.mark.parametrize(
    ("locale", "spoken", "heading"),
    [
        ("vi-VN", "vi", "Tạo tài khoản"),
        ("en-US", "en", "Create your account"),
        ("fr-FR", "en", "Create your account"),
    ],
)
def test_the_page_begins_in_the_browsers_language(
    open_context: OpenContext, locale: str, spoken: str, heading: str
) -> None:
    page = open_context(locale=locale).new_page()
    App(page).open()

    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(heading))
    expect(page.locator("html")).to_have_attribute("lang", spoken)


def test_a_chosen_language_is_remembered(app: App) -> None:
    page = app.page
    expect(page.locator("html")).to_have_attribute("lang", "en")
    app.prompt.fill("half a prompt")

    page.get_by_test_id("menu").click()
    page.get_by_role("button", name="Tiếng Việt").click()

    prompt = page.get_by_test_id("prompt")
    for _ in range(2):
        expect(page.locator("html")).to_have_attribute("lang", "vi")
        expect(page.get_by_test_id("submit")).to_have_text(re.compile("Tạo"))
        expect(prompt).to_have_value("half a prompt")
        page.reload()
