"""`imagify doctor` at the terminal: what it says, and how it ends."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ops import cli
from ops.checkup import everything
from ops.checkup.canary import cost_usd
from ops.checkup.deployment import Deployment
from ops.checkup.everything import Canary
from ops.checkup.finding import Finding, Verdict, fail, ok, skip, unknown, warn
from tests.unit.checkup import CONFIG

CALM = (ok("a", "fine"), warn("b", "look", "do this"), unknown("c", "not allowed"), skip("d", "no"))
BAD = (*CALM, fail("e [x]", "broken", "mend this"))


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IMAGIFY_STATE_DIR", str(tmp_path))
    monkeypatch.setattr("ops.cli.signal.signal", lambda *_: None)
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)


class Terminal(io.StringIO):
    """Somebody who types this, and then no more."""

    def isatty(self) -> bool:
        return True


class Checks:
    """Stands in for the checks; remembers what they were asked."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = findings
        self.asked: list[tuple[Deployment, Canary | None]] = []

    def __call__(
        self, here: Deployment, *, with_canary: Canary | None = None, **_named: Any
    ) -> Iterator[Finding]:
        self.asked.append((here, with_canary))
        yield from self.findings


def checks(monkeypatch: pytest.MonkeyPatch, findings: Sequence[Finding] = CALM) -> Checks:
    made = Checks(findings)
    monkeypatch.setattr(everything, "all_checks", made)
    return made


def test_warnings_and_what_nobody_knows_are_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checks(monkeypatch)
    assert cli.main(["doctor", "--stage", "prod"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "ok      a: fine",
        "warn    b: look",
        "        → do this",
        "unknown c: not allowed",
        "skip    d: no",
    ]
    assert err == "1 ok, 1 warn, 0 fail, 1 unknown, 1 skip.\n"


def test_a_failure_ends_with_1_and_says_what_mends_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checks(monkeypatch, BAD)
    assert cli.main(["doctor", "--stage", "prod"]) == 1
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "fail    e [x]: broken",
        "        → mend this",
    ]


def test_programs_get_it_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checks(monkeypatch, BAD)
    assert cli.main(["doctor", "--stage", "prod", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["counts"] == dict.fromkeys(map(str, Verdict), 1)
    assert told["findings"][-1] == {
        "check": "e [x]",
        "verdict": "fail",
        "reason": "broken",
        "mend": "mend this",
    }


def test_a_stage_is_looked_for_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    made = checks(monkeypatch)
    cli.main(["doctor", "--stage", "prod"])
    ((here, no_canary),) = made.asked
    assert here.stack_name == "Imagify-prod"
    assert here.clients.sts.meta.region_name == here.config.home_region == "ap-southeast-1"
    assert (here.local, no_canary) == (False, None)


def test_a_stage_that_is_not_configured_is_a_failure_and_asks_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = checks(monkeypatch)
    assert cli.main(["doctor", "--stage", "nowhere"]) == 1
    assert capsys.readouterr().out.startswith(
        "fail    configuration: There is no stage nowhere; configured are: dev, prod."
    )
    assert made.asked == []


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (["--profile", "ops"], 2, "--profile goes with --stage"),
        (["--stage", "prod", "--profile", "nobody-has-this"], 1, "nobody-has-this"),
        ([], 3, "The local run is not up"),
    ],
)
def test_what_cannot_be_looked_at_is_said_in_a_sentence(
    options: list[str],
    code: int,
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["doctor", *options]) == code
    assert sentence in capsys.readouterr().err


def test_a_canary_on_aws_is_agreed_to_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = checks(monkeypatch)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    assert cli.main(["doctor", "--stage", "prod", "--canary"]) == 2
    assert "--canary has 1 image(s), about 0.04 USD made: say --yes" in capsys.readouterr().err
    assert made.asked == []

    for answer in ("n\n", ""):
        monkeypatch.setattr("sys.stdin", Terminal(answer))
        assert cli.main(["doctor", "--stage", "prod", "--canary"]) == 1
        assert capsys.readouterr().err.endswith("imagify: Nothing was done.\n")
    assert made.asked == []

    assert cli.main(["doctor", "--stage", "prod", "--canary", "--yes"]) == 0
    monkeypatch.setenv("IMAGIFY_YES", "1")
    assert cli.main(["doctor", "--stage", "prod", "--canary"]) == 0
    (_here, canary), (_again, by_environment) = made.asked
    assert canary is not None
    assert by_environment is not None
    assert cost_usd(CONFIG.routes) == pytest.approx(0.04)
