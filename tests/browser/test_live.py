"""The feed: two tabs that follow, and what happens when it is cut."""

from __future__ import annotations

import httpx
from playwright.sync_api import APIResponse, BrowserContext, Page, Request, Route, WebSocket, expect

from tests.browser.app import App, expect_image, expect_status
from tests.browser.backstage import Backstage
from tests.browser.watch import Watch
from tests.product import SignedIn

NOTE = "Live updates paused; checking every few seconds."
SETTLE_MS = 100
KEEP_SOCKETS = """
globalThis.sockets = [];
globalThis.WebSocket = class extends WebSocket {
  constructor(...given) { super(...given); sockets.push(this); }
};
"""


def sockets_of(page: Page) -> list[WebSocket]:
    """The sockets that the page opens from now on."""
    opened: list[WebSocket] = []

    def keep(socket: WebSocket) -> None:
        opened.append(socket)

    page.on("websocket", keep)
    return opened


def test_a_job_is_followed_by_pushes_and_not_by_asking(
    page: Page, person: SignedIn, control: httpx.Client
) -> None:
    control.post("/settings", json={"latency_seconds": 3}).raise_for_status()
    app = App(page)
    with page.expect_websocket() as opened:
        app.sign_in(person.person)
    opened.value.wait_for_event("framereceived")
    asked: list[str] = []

    def note(request: Request) -> None:
        if request.method == "GET" and "/api/jobs/" in request.url:
            asked.append(request.url)

    page.on("request", note)
    expect_image(app.submit("pushed to me"))

    assert asked == []
    assert not opened.value.is_closed()


def test_both_tabs_follow(app: App, context: BrowserContext, control: httpx.Client) -> None:
    control.post("/settings", json={"latency_seconds": 2}).raise_for_status()
    other = App(context.new_page())
    other.open()
    expect(other.prompt).to_be_visible()

    app.page.bring_to_front()
    app.submit("seen twice")

    for each in (app, other):
        each.page.bring_to_front()
        expect_image(each.job("seen twice"))
        each.expect_available(8)


def test_credits_that_move_while_the_ledger_is_read_show(
    app: App, backstage: Backstage, person: SignedIn
) -> None:
    app.expect_available(10)
    held: list[tuple[Route, APIResponse]] = []

    def hold(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append((route, route.fetch()))

    app.page.route("**/api/me/ledger*", hold)
    app.page.get_by_test_id("nav-credits").click()
    while not held:
        app.page.wait_for_timeout(SETTLE_MS)
    # With the job waiting, nothing else moves credits and so has the ledger read again.
    with backstage.workers_stopped():
        backstage.submit(person, "meanwhile")
        expect(app.page.get_by_test_id("balance-available")).to_have_text("8 credits")
        (route, answer) = held[0]

        route.fulfill(response=answer)

        rows = app.page.get_by_test_id("ledger-row")
        expect(rows.and_(app.page.locator('[data-kind="hold"]'))).to_have_count(1)


def test_a_cut_feed_is_polled_through_and_comes_back(
    context: BrowserContext, person: SignedIn, watch: Watch, control: httpx.Client
) -> None:
    watch.expect(r"Failed to load resource: net::ERR_FAILED")
    control.post("/settings", json={"latency_seconds": 8}).raise_for_status()
    context.add_init_script(KEEP_SOCKETS)
    app = App(context.new_page())
    sockets = sockets_of(app.page)
    with app.page.expect_websocket():
        app.sign_in(person.person)
    job = app.submit("through thick and thin")
    expect_status(job, "generating")

    def refuse(route: Route) -> None:
        route.abort()

    app.page.route("**/api/feed/tickets", refuse)
    app.page.evaluate("() => sockets.forEach((socket) => socket.close())")

    note = app.page.get_by_test_id("feed-note")
    expect(note).to_have_text(NOTE)
    expect_image(job)

    app.page.unroute("**/api/feed/tickets")
    again = app.submit("live again")
    expect(note).to_have_text("", timeout=60_000)
    expect_image(again)
    assert any(not socket.is_closed() for socket in sockets)
