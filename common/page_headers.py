"""The security headers that the page is served with, wherever that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

UNUSED_FEATURES = (
    *("accelerometer", "browsing-topics", "camera", "display-capture", "geolocation"),
    *("gyroscope", "hid", "magnetometer", "microphone", "midi", "payment", "serial", "usb"),
)
"""What browsers can do and the page never asks for; a script that got in shall not either."""


def page_headers(*, connect: Sequence[str], images: Sequence[str]) -> dict[str, str]:
    """The headers by their names.

    `connect` are the origins beside the page's own that it calls: the feed's (`wss://…`) and
    Cognito's; `images` those that it shows pictures from.
    """
    policy: Mapping[str, Sequence[str]] = {
        "default-src": ("'none'",),
        "script-src": ("'self'",),
        "style-src": ("'self'",),
        "img-src": ("'self'", *images),
        "connect-src": ("'self'", *connect),
        "base-uri": ("'none'",),
        "form-action": ("'self'",),
        "frame-ancestors": ("'none'",),
        # No text ever becomes markup or code: the page makes its elements one by one.
        "require-trusted-types-for": ("'script'",),
        "trusted-types": ("'none'",),
    }
    return {
        "Content-Security-Policy": "; ".join(
            " ".join((name, *sources)) for name, sources in policy.items()
        ),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": ", ".join(f"{feature}=()" for feature in UNUSED_FEATURES),
        # The address bar holds payments' references at times; no other site is told.
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
