"""A real browser on the page of the local run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.app import App
from tests.browser.backstage import Backstage
from tests.browser.watch import Watch
from tests.product import Sandbox, SignedIn

NAMES = ("chromium", "chromium-browser", "google-chrome")
WAIT_SECONDS = 30
"""How long anything may take to show: functions start cold, and the machine may be busy."""
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}

collect_ignore = [] if "SCREENS" in os.environ else ["test_screens.py"]
"""Pictures for people are taken when somebody asks: make screenshots."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs the emulator."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("emulator")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium without a window; it ends with the last test here.

    Playwright occupies this thread's event loop for as long, which other tests want.
    """
    path = _chromium()
    expect.set_options(timeout=WAIT_SECONDS * 1000)
    with sync_playwright() as playwright:
        # Chromium's own sandbox does not let root in.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        chromium = playwright.chromium.launch(executable_path=path, args=arguments)
        yield chromium
        chromium.close()


class OpenContext(Protocol):
    """Makes browser contexts: each a person's browser with an empty storage."""

    def __call__(self, **options: Any) -> BrowserContext: ...


@pytest.fixture
def watched() -> list[Watch]:
    """What the contexts of this test complain about."""
    return []


@pytest.fixture
def open_context(browser: Browser, sandbox: Sandbox, watched: list[Watch]) -> Iterator[OpenContext]:
    """In English and on a desk unless told otherwise; whatever a browser complains about fails."""
    contexts: list[BrowserContext] = []

    def make(**options: Any) -> BrowserContext:
        chosen = {"locale": "en-US", "viewport": DESKTOP, "reduced_motion": "reduce", **options}
        context = browser.new_context(base_url=sandbox.state.page_url, **chosen)
        context.set_default_timeout(WAIT_SECONDS * 1000)
        watched.append(Watch(context))
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()
    assert [text for watch in watched for text in watch.complaints()] == []


@pytest.fixture
def context(open_context: OpenContext) -> BrowserContext:
    """One person's browser."""
    return open_context()


@pytest.fixture
def watch(context: BrowserContext, watched: list[Watch]) -> Watch:
    """What `context` complains about."""
    assert context
    return watched[0]


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A tab of `context`, with nothing in it yet."""
    return context.new_page()


@pytest.fixture
def backstage(sandbox: Sandbox) -> Backstage:
    """What tests do behind the page's back."""
    return Backstage(sandbox)


@pytest.fixture
def person(new_person: Callable[[], SignedIn]) -> SignedIn:
    """Somebody with welcome credits, who is not signed in at the page yet."""
    return new_person()


@pytest.fixture
def app(page: Page, person: SignedIn) -> App:
    """The page, with `person` signed in."""
    app = App(page)
    app.sign_in(person.person)
    return app


def _chromium() -> str:
    """Where Chromium is: fine to be missing here, not in CI."""
    for name in (os.environ.get("CHROMIUM"), *NAMES):
        found = shutil.which(name) if name else None
        if found:
            return found
    if os.environ.get("CI") == "true":
        pytest.fail("There is no Chromium: sh sandbox/browser.sh")
    pytest.skip("there is no Chromium: apt install chromium, or CHROMIUM=/path/to/chrome")
