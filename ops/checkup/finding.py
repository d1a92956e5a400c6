"""What one check has found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How it is; only `fail` makes the command fail."""

    OK = "ok"
    WARN = "warn"
    """It works, and somebody should know."""
    FAIL = "fail"
    """The deployment, or something that customers need, does not work or is not safe."""
    UNKNOWN = "unknown"
    """It could not be looked at: whoever asks may not, or the service does not answer."""
    SKIP = "skip"
    """It makes no sense here: before a deploy, or on the emulator; the reason says which."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    check: str
    """What was looked at, such as `bucket: public access`."""
    verdict: Verdict
    reason: str
    """A sentence with the figures that it rests on."""
    mend: str | None = None
    """The command or the setting that mends it."""


DEPLOY_AGAIN = "deploy the stack again: make deploy"
"""What brings back whatever was changed by hand."""


def ok(check: str, reason: str) -> Finding:
    """All is well."""
    return Finding(check, Verdict.OK, reason)


def warn(check: str, reason: str, mend: str | None = None) -> Finding:
    """It works, but."""
    return Finding(check, Verdict.WARN, reason, mend)


def fail(check: str, reason: str, mend: str) -> Finding:
    """It does not work; a failure always says what mends it."""
    return Finding(check, Verdict.FAIL, reason, mend)


def unknown(check: str, reason: str, mend: str | None = None) -> Finding:
    """Nobody knows."""
    return Finding(check, Verdict.UNKNOWN, reason, mend)


def skip(check: str, reason: str) -> Finding:
    """Nothing to know here."""
    return Finding(check, Verdict.SKIP, reason)
