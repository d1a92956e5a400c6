"""axe-core, run in a page: what people with disabilities could not use there."""

from __future__ import annotations

from functools import cache
from typing import Any

from playwright.sync_api import Page

from sandbox.places import REPOSITORY

_RUN = """async () => (await axe.run(document, {
  runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  resultTypes: ["violations"],
})).violations"""


@cache
def _source() -> str:
    return (REPOSITORY / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")


def violations(page: Page) -> list[str]:
    """What axe finds in the page as it is now, with the elements concerned."""
    if not page.evaluate("() => 'axe' in globalThis"):
        page.evaluate(_source())
    found: list[dict[str, Any]] = page.evaluate(_RUN)
    return [
        f"{rule['id']}: {rule['help']}\n  "
        + "\n  ".join(f"{node['html'][:200]} {node['failureSummary']}" for node in rule["nodes"])
        for rule in found
    ]
