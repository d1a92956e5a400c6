"""E-mail addresses: the one spelling that a person is known by."""

from __future__ import annotations

import unicodedata

from common.errors import InvalidRequest

EMAIL_CHARS_MAX = 254


def normalised(email: str) -> str:
    """One spelling per address: NFC, no space around it, lower case.

    Not `casefold`, which makes one address of two: `straße@` and `strasse@` are two people's.
    Raises InvalidRequest for what is no address.
    """
    address = unicodedata.normalize("NFC", email.strip().lower())
    local, at, domain = address.rpartition("@")
    if not (local and at and domain) or len(address) > EMAIL_CHARS_MAX:
        raise InvalidRequest("That is no e-mail address.", code="invalid_email")
    return address
