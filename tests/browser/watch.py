"""What a browser complains about while a test runs; nothing may be left over at its end."""

from __future__ import annotations

import re

from playwright.sync_api import BrowserContext, ConsoleMessage, WebError

VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) => console.error(
  `Forbidden by ${event.effectiveDirective}: ${event.blockedURI} ${event.sample}`));
"""

HARMLESS = re.compile("WebSocket is closed before the connection is established")
"""Whoever leaves while the feed is being opened closes it; the browser warns of that."""


class Watch:
    """The console's errors and warnings, uncaught errors and forbidden content of all pages."""

    def __init__(self, context: BrowserContext) -> None:
        self._seen: list[str] = []
        self._expected = [HARMLESS]
        context.add_init_script(VIOLATIONS)
        context.on("console", self._on_console)
        context.on("weberror", self._on_error)

    def expect(self, *patterns: str) -> None:
        """Say what this test brings about; the browser logs every answer from 400 on, too."""
        self._expected += map(re.compile, patterns)

    def expect_status(self, *statuses: int) -> None:
        """Answers with these statuses are part of the test."""
        self.expect(*(rf"responded with a status of {status} " for status in statuses))

    def complaints(self) -> list[str]:
        """What nobody expected."""
        return [
            text
            for text in self._seen
            if not any(pattern.search(text) for pattern in self._expected)
        ]

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._seen.append(f"{message.type}: {message.text} ({message.location.get('url')})")

    def _on_error(self, error: WebError) -> None:
        self._seen.append(f"uncaught: {error.error}")
