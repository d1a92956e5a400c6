"""From a prompt to an image, and all that may come in between."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import httpx
from PIL import Image
from playwright.sync_api import Route, expect

from tests.browser.app import App, expect_image, expect_status
from tests.browser.backstage import Backstage
from tests.browser.watch import Watch
from tests.product import SignedIn

WELCOME_CREDITS = 10
IMAGE_CREDITS = 2


def test_a_prompt_becomes_an_image_that_can_be_downloaded(
    app: App, control: httpx.Client, tmp_path: Path
) -> None:
    control.post("/settings", json={"latency_seconds": 2.5}).raise_for_status()
    app.record()

    job = app.submit("a lighthouse at dawn", shape="Wide")
    expect_image(job)

    seen = app.recorded()
    statuses = list(dict.fromkeys(one["status"] for one in seen))
    assert statuses in (["queued", "generating", "succeeded"], ["generating", "succeeded"])
    percents = [int(one["percent"]) for one in seen if one["percent"] is not None]
    assert percents == sorted(percents)
    assert max(percents) < 100
    assert all(one["status"] == "generating" for one in seen if one["percent"] is not None)
    app.expect_available(WELCOME_CREDITS - IMAGE_CREDITS)
    with app.page.expect_download() as download:
        job.get_by_role("link", name="Download").click()
    download.value.save_as(tmp_path / "image.png")
    assert download.value.suggested_filename.endswith(".png")
    with Image.open(tmp_path / "image.png") as image:
        image.load()
        assert (image.format, image.size) == ("PNG", (1344, 768))


def test_a_waiting_job_says_where_it_stands_and_can_be_canceled(
    app: App, backstage: Backstage, person: SignedIn
) -> None:
    with backstage.workers_stopped():
        backstage.submit(person, "first in line")
        second = app.submit("second in line")
        expect_status(second, "queued")
        expect(second.get_by_test_id("job-detail")).to_contain_text("2nd in line, about ")
        expect_status(app.job("first in line"), "queued")

        second.get_by_role("button", name="Cancel").click()

        expect_status(second, "canceled")
        expect(second).to_contain_text("Nothing was charged.")
    expect_image(app.job("first in line"))
    app.expect_available(WELCOME_CREDITS - IMAGE_CREDITS)


def test_a_refused_prompt_says_why_and_costs_nothing(app: App) -> None:
    job = app.submit("gore and more")

    expect_status(job, "failed")
    expect(job).to_contain_text("The model's content filter turned this prompt down.")
    expect(job).to_contain_text("Nothing was charged.")
    app.expect_available(WELCOME_CREDITS)


def test_a_reload_in_the_midst_finds_the_job_again(app: App, control: httpx.Client) -> None:
    control.post("/settings", json={"latency_seconds": 3}).raise_for_status()
    job = app.submit("a slow boat")
    expect_status(job, "generating")

    app.page.reload()

    expect_status(job, "generating")
    expect(job.get_by_role("progressbar")).to_be_visible()
    expect_image(job)


def test_an_open_job_shows_what_becomes_of_it(app: App, control: httpx.Client) -> None:
    control.post("/settings", json={"latency_seconds": 4}).raise_for_status()
    job = app.submit("watched from near")
    expect_status(job, "generating")

    app.page.evaluate("id => location.hash = `#image/${id}`", job.get_attribute("data-job-id"))

    dialog = app.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Drawing")
    close = dialog.get_by_role("button", name="Close")
    close.focus()
    expect(dialog.locator("img")).to_have_class(re.compile("loaded"))
    expect(dialog).to_contain_text("2 credits")
    expect(close).to_be_focused()


def test_a_submit_whose_answer_is_lost_is_one_job_and_one_hold(
    app: App, watch: Watch, backstage: Backstage, person: SignedIn
) -> None:
    watch.expect(r"Failed to load resource: net::ERR_FAILED")
    lost: list[str] = []

    def lose(route: Route) -> None:
        if route.request.method == "POST" and not lost:
            lost.append(str(route.fetch().json()["job_id"]))
            route.abort()
        else:
            route.continue_()

    app.page.route("**/api/jobs", lose)
    job = app.submit("sent twice")

    expect_image(job)
    assert [job["job_id"] for job in backstage.jobs(person)] == lost
    assert len(backstage.ledger(person, "hold")) == 1
    app.expect_available(WELCOME_CREDITS - IMAGE_CREDITS)


def test_a_submit_without_any_answer_is_sent_again_after_a_reload(
    app: App, watch: Watch, backstage: Backstage, person: SignedIn
) -> None:
    watch.expect(r"Failed to load resource: net::ERR_FAILED")

    def lose(route: Route) -> None:
        if route.request.method == "POST":
            route.fetch()
            route.abort()
        else:
            route.continue_()

    app.page.route("**/api/jobs", lose)
    app.submit("sent before the reload")
    expect(app.page.get_by_test_id("pending")).to_be_visible()
    app.page.unroute_all(behavior="ignoreErrors")

    app.page.reload()

    expect_image(app.job("sent before the reload"))
    expect(app.page.get_by_test_id("pending")).to_have_count(0)
    assert len(backstage.jobs(person)) == 1
    assert len(backstage.ledger(person, "hold")) == 1


def test_another_persons_job_shows_nothing(
    app: App, watch: Watch, backstage: Backstage, new_person: Callable[[], SignedIn]
) -> None:
    watch.expect_status(404)
    (job_id,) = backstage.submit(new_person(), "a secret garden")

    app.open(f"#image/{job_id}")

    dialog = app.page.get_by_role("dialog")
    expect(dialog).to_contain_text("There is no image here, or it is not yours.")
    expect(dialog.locator("img")).to_have_count(0)
    expect(app.page.get_by_text("a secret garden")).to_have_count(0)
