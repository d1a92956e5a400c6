"""The page as a person uses it, in English."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Locator, Page, expect

from sandbox.people import Person

CODE = "123456"
"""What the emulator sends to confirm a sign-up, always …"""
RESET_CODE = "654321"
"""… and to set a forgotten password anew."""
NUMBER = re.compile(r"\d+")

_RECORD = """() => {
  globalThis.recorded = [];
  const note = () => {
    for (const job of document.querySelectorAll('[data-testid="job"]')) {
      const bar = job.querySelector('[role="progressbar"]');
      const seen = {
        job_id: job.dataset.jobId,
        status: job.dataset.status,
        detail: job.querySelector('[data-testid="job-detail"]').textContent,
        percent: bar?.checkVisibility() ? bar.getAttribute("aria-valuenow") : null,
        image: Boolean(job.querySelector("img.loaded")),
      };
      const last = recorded.findLast((one) => one.job_id === seen.job_id);
      if (JSON.stringify(last) !== JSON.stringify(seen)) recorded.push(seen);
    }
  };
  note();
  new MutationObserver(note).observe(document.body, {
    subtree: true, childList: true, characterData: true, attributes: true });
}"""


class App:
    """One tab."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def open(self, path: str = "") -> None:
        """Load the page at a route, such as `#gallery`."""
        self.page.goto(f"/{path}")

    def sign_in(self, person: Person) -> None:
        """Sign in, and arrive."""
        self.open("#sign-in")
        self.page.get_by_label("E-mail").fill(person.email)
        self.page.get_by_label("Password", exact=True).fill(person.password)
        self.page.get_by_role("button", name="Sign in", exact=True).click()
        expect(self.prompt).to_be_visible()

    def sign_out(self) -> None:
        """By the menu."""
        self.page.get_by_test_id("menu").click()
        self.page.get_by_role("button", name="Sign out").click()

    @property
    def prompt(self) -> Locator:
        """The form's field."""
        return self.page.get_by_label("Prompt")

    def submit(self, prompt: str, *, shape: str | None = None) -> Locator:
        """Fill the form and send it; gives the job's card, which need not be there yet."""
        self.prompt.fill(prompt)
        if shape is not None:
            self.page.get_by_role("radio", name=shape).check(force=True)
        self.page.get_by_role("button", name="Create image").click()
        return self.job(prompt)

    def job(self, prompt: str) -> Locator:
        """The card of the job with this prompt."""
        return self.page.get_by_test_id("job").filter(has_text=prompt)

    def available(self) -> int:
        """The credits that the head of the page tells."""
        shown = self.page.get_by_test_id("balance-available")
        expect(shown).to_have_text(NUMBER)
        found = NUMBER.search(shown.inner_text())
        assert found is not None
        return int(found[0])

    def expect_available(self, number: int) -> None:
        """Wait until the head of the page tells so many credits, and none on hold."""
        credit = "credit" if number == 1 else "credits"
        expect(self.page.get_by_test_id("balance-available")).to_have_text(f"{number} {credit}")
        expect(self.page.get_by_test_id("balance-held")).to_have_text("")

    def record(self) -> None:
        """From now on keep all that is shown of jobs."""
        self.page.evaluate(_RECORD)

    def recorded(self) -> list[dict[str, Any]]:
        """What was shown of jobs since `record`, in order, without repetitions."""
        seen: list[dict[str, Any]] = self.page.evaluate("() => recorded")
        return seen


def expect_status(job: Locator, status: str) -> None:
    """Wait until a job's card is in a state, in the API's words."""
    expect(job).to_have_attribute("data-status", status)


def expect_image(job: Locator) -> None:
    """Wait until a job's image is there and drawn."""
    expect_status(job, "succeeded")
    image = job.locator("img")
    expect(image).to_have_class(re.compile("loaded"))
    assert image.evaluate("image => image.complete && image.naturalWidth > 0")
