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


DEPLOY = "deploy the stack: make deploy"
"""What brings over what was changed in cdk.json or in the code. What was changed by hand stays: the
CDK skips a template that is the same, and CloudFormation a resource that is the same in it."""
REVERT = "take back what was changed by hand: bin/imagify deploy --revert-drift"
"""What brings resources back to their template, the new one if there is a new one."""
DEPLOY_OR_REVERT = (
    "where cdk.json was changed: make deploy; where AWS was, by hand: "
    "bin/imagify deploy --revert-drift"
)
"""For what is compared with cdk.json: it does not show which of the two was changed."""


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
