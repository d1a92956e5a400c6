"""Submits that are quick, slow, or have nowhere to go."""

from __future__ import annotations

from playwright.sync_api import Route, expect

from tests.browser.app import App, expect_image
from tests.browser.backstage import Backstage
from tests.browser.watch import Watch
from tests.product import SignedIn

SLOW_MS = 1500


def test_a_second_prompt_need_not_wait_for_the_first_ones_answer(
    app: App, backstage: Backstage, person: SignedIn
) -> None:
    def slow(route: Route) -> None:
        app.page.wait_for_timeout(SLOW_MS if route.request.method == "POST" else 0)
        route.continue_()

    app.page.route("**/api/jobs", slow)
    for prompt in ("the first", "the second", "the second"):
        app.submit(prompt)

    expect_image(app.job("the first"))
    expect_image(app.job("the second"))
    prompts = sorted(job["prompt"] for job in backstage.jobs(person))
    assert prompts == ["the first", "the second"], "a double press is one"


def test_what_could_not_be_sent_is_sent_when_the_line_is_back(
    app: App, watch: Watch, backstage: Backstage, person: SignedIn
) -> None:
    watch.expect(r"net::ERR_INTERNET_DISCONNECTED")
    context = app.page.context
    context.set_offline(True)
    app.submit("sent later")
    expect(app.page.get_by_test_id("pending")).to_have_attribute("data-way", "unsent")

    context.set_offline(False)

    expect_image(app.job("sent later"))
    assert [job["prompt"] for job in backstage.jobs(person)] == ["sent later"]
