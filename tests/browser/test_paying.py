"""Out of credits, to VNPAY, and back."""

from __future__ import annotations

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.app import App, expect_image
from tests.browser.backstage import Backstage
from tests.browser.watch import Watch
from tests.e2e.vnpay import Vnpay
from tests.product import SignedIn

SMALL_CREDITS, IMAGE_CREDITS = 20, 2


@pytest.fixture
def spent(app: App, person: SignedIn, backstage: Backstage, control: httpx.Client) -> App:
    """The page of somebody who has spent all their credits."""
    control.post("/settings", json={"latency_seconds": 0}).raise_for_status()
    backstage.submit(person, *(f"spent {number}" for number in range(5)))
    backstage.wait_done(person)
    app.expect_available(0)
    return app


@pytest.mark.usefixtures("vnpay")
def test_who_has_no_credits_buys_some_and_goes_on(spent: App, watch: Watch) -> None:
    watch.expect_status(402)
    page = spent.page
    spent.submit("the one that costs too much")
    expect(page.get_by_text("You need more credits for this image.")).to_be_visible()
    page.get_by_role("button", name="Buy for ₫26,000").click()

    expect(page.get_by_text("no money moves")).to_be_visible()
    page.get_by_role("button", name="Pay").click()

    expect(page.get_by_role("heading", name="Thank you!")).to_be_visible()
    assert "txn_ref" not in page.url
    spent.expect_available(SMALL_CREDITS)
    page.get_by_role("link", name="Create images").click()
    expect(spent.prompt).to_have_value("the one that costs too much")
    spent.page.get_by_role("button", name="Create image").click()
    expect_image(spent.job("the one that costs too much"))
    spent.expect_available(SMALL_CREDITS - IMAGE_CREDITS)


def test_a_payment_that_was_canceled_says_so_and_can_be_tried_again(app: App, vnpay: Vnpay) -> None:
    assert vnpay
    app.open("#credits")
    app.page.get_by_role("button", name="Buy for ₫26,000").click()

    app.page.get_by_role("button", name="Cancel").click()

    expect(app.page.get_by_role("heading", name="Not paid")).to_be_visible()
    expect(app.page.get_by_test_id("payment-text")).to_have_text(
        "You canceled the payment at VNPAY. Nothing was taken."
    )
    app.page.get_by_role("link", name="Try again").click()
    expect(app.page.get_by_role("heading", name="Buy credits")).to_be_visible()
    expect(app.page.get_by_test_id("payment-row")).to_have_attribute("data-status", "failed")


def test_a_payment_whose_news_is_late_is_waited_for(app: App, vnpay: Vnpay) -> None:
    vnpay.settings(ipn_delay_seconds=4)
    app.open("#credits")
    app.page.get_by_role("button", name="Buy for ₫26,000").click()
    app.page.get_by_role("button", name="Pay").click()

    expect(app.page.get_by_role("heading", name="Waiting for VNPAY")).to_be_visible()
    app.page.reload()

    expect(app.page.get_by_role("heading", name="Thank you!")).to_be_visible()
