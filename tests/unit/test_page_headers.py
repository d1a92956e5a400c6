from __future__ import annotations

from common.page_headers import page_headers

FEED, COGNITO = "wss://feed.example.com", "https://cognito-idp.ap-southeast-1.amazonaws.com"
IMAGES = "https://images.example.com"


def headers() -> dict[str, str]:
    return page_headers(connect=[FEED, COGNITO], images=[IMAGES])


def policy() -> dict[str, list[str]]:
    """What each directive of the Content-Security-Policy allows."""
    directives = headers()["Content-Security-Policy"].split("; ")
    return {name: sources for name, *sources in map(str.split, directives)}


def test_the_page_may_use_itself_and_the_named_origins_and_nothing_else() -> None:
    allowed = policy()

    assert allowed["default-src"] == ["'none'"]
    assert allowed["connect-src"] == ["'self'", FEED, COGNITO]
    assert allowed["img-src"] == ["'self'", IMAGES]
    for directive in ("script-src", "style-src", "form-action"):
        assert allowed[directive] == ["'self'"]


def test_the_page_cannot_be_framed_rebased_or_written_as_text() -> None:
    allowed = policy()

    assert allowed["frame-ancestors"] == allowed["base-uri"] == ["'none'"]
    assert headers()["X-Frame-Options"] == "DENY"
    assert allowed["require-trusted-types-for"] == ["'script'"]
    assert allowed["trusted-types"] == ["'none'"]
    assert "unsafe" not in headers()["Content-Security-Policy"]


def test_nobody_learns_where_a_visitor_was() -> None:
    assert headers()["Referrer-Policy"] == "same-origin"
    assert headers()["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers()["X-Content-Type-Options"] == "nosniff"
    assert "camera=()" in headers()["Permissions-Policy"].split(", ")
