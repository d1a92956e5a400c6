"""The merchant's account, from a file or a terminal into Parameter Store, and never told."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rich.console import Console

from common.config import parse
from common.vnpay import Merchant
from ops import cli
from ops.money.merchant_account import (
    STANDARD_INPUT,
    VNPAYS_SANDBOX,
    complete,
    given_or_asked,
    store,
)
from sandbox.errors import CommandError
from tests.unit.stubbed import Scripted
from tests.unit.test_sandbox_run import OUTPUTS

API = "https://api.test"
SECRET = "LEAKED0SECRET0LEAKED"
ACCOUNT: dict[str, Any] = {"tmn_code": "IMAGIFY1", "hash_secret": SECRET, **VNPAYS_SANDBOX}


def test_people_come_back_to_the_stacks_own_address() -> None:
    account = Merchant.model_validate_json(complete(ACCOUNT, api_url=API))
    assert account.return_url == "https://api.test/payments/vnpay/return"
    assert account.hash_secret.get_secret_value() == SECRET


def test_people_come_back_to_where_the_account_says() -> None:
    account = complete({**ACCOUNT, "return_url": "https://page.test/api/back"}, api_url=API)
    assert Merchant.model_validate_json(account).return_url == "https://page.test/api/back"


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"tmn_code": SECRET}, "tmn_code"),
        ({"hash_secret": "LEAKED"}, "hash_secret"),
        ({"pay_url": "LEAKED"}, "pay_url"),
        ({SECRET: "x"}, "an unknown field"),
    ],
)
def test_a_wrong_account_is_named_by_its_fields_alone(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(CommandError, match=named) as refused:
        complete({**ACCOUNT, **wrong}, api_url=API)
    assert "LEAKED" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def test_an_account_is_read_from_a_file_or_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "account.json"
    file.write_text(json.dumps(ACCOUNT))
    assert given_or_asked(file, for_real=True) == ACCOUNT
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(ACCOUNT)))
    assert given_or_asked(STANDARD_INPUT, for_real=True) == ACCOUNT


@pytest.mark.parametrize(
    "text",
    [
        *(SECRET, f'["{SECRET}"]', f'{{"hash_secret": "{SECRET}'),
        # As an editor saves it that writes UTF-16.
        f'\ufeff{{"hash_secret": "{SECRET}"}}',
    ],
)
def test_what_is_no_account_is_not_repeated(tmp_path: Path, text: str) -> None:
    file = tmp_path / "account.json"
    file.write_text(text, encoding="utf-16-le" if text.startswith("\ufeff") else "utf-8")
    with pytest.raises(CommandError, match="not a JSON object") as refused:
        given_or_asked(file, for_real=True)
    assert SECRET not in str(refused.value)


def types(monkeypatch: pytest.MonkeyPatch, *lines: str) -> list[str]:
    """Somebody at a terminal who answers so; the questions as they come."""
    typed, questions = iter(lines), list[str]()

    def answer(question: str) -> str:
        questions.append(question)
        return next(typed)

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", answer)
    monkeypatch.setattr("getpass.getpass", lambda _question: SECRET)
    return questions


def test_an_account_is_typed_and_vnpays_sandbox_is_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    types(monkeypatch, "IMAGIFY1", "", "")
    assert given_or_asked(None, for_real=False) == ACCOUNT


def test_for_real_money_vnpays_sandbox_is_not_proposed(monkeypatch: pytest.MonkeyPatch) -> None:
    pay, api = "https://pay.vnpayment.vn/pay", "https://pay.vnpayment.vn/api"
    questions = types(monkeypatch, "IMAGIFY1", pay, api)
    typed = given_or_asked(None, for_real=True)
    assert (typed["pay_url"], typed["api_url"]) == (pay, api)
    assert "sandbox" not in "".join(questions)
    types(monkeypatch, "IMAGIFY1", "", "")
    with pytest.raises(CommandError, match="api_url, pay_url"):
        complete(given_or_asked(None, for_real=True), api_url=API)


@pytest.mark.parametrize(("removal", "warnings"), [("keep", 1), ("destroy", 0)])
def test_who_stores_the_sandboxs_account_for_real_money_is_warned(
    removal: str, warnings: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OnAws:
        local = None
        config = parse({"removal": removal})
        outputs = OUTPUTS
        api_url = API

    monkeypatch.setattr("ops.stack.Stack", lambda _stage, _profile: OnAws)
    file = tmp_path / "account.json"
    file.write_text(json.dumps(ACCOUNT))
    told = io.StringIO()
    monkeypatch.setattr("ops.terminal.ERR", Console(file=told, width=200))
    assert (
        cli.main(["merchant", "set", "--stage", "dev", "--dry-run", "--from-file", str(file)]) == 0
    )
    assert told.getvalue().count("VNPAY's sandbox") == warnings


def test_where_nobody_types_a_file_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(CommandError, match="--from-file"):
        given_or_asked(None, for_real=False)


def test_an_account_is_stored_encrypted_over_the_one_before() -> None:
    aws = Scripted("ssm")
    aws.answers(
        "ssm",
        "put_parameter",
        {},
        Name="/imagify/dev/vnpay",
        Value="{}",
        Type="SecureString",
        Overwrite=True,
    )
    with aws.playing():
        store("{}", ssm=aws.client("ssm"), parameter="/imagify/dev/vnpay")


def test_an_account_in_the_open_is_replaced_as_its_type_cannot_be_changed() -> None:
    aws, named = Scripted("ssm"), {"Name": "/imagify/dev/vnpay"}
    stored = {**named, "Value": "{}", "Type": "SecureString"}
    aws.fails("ssm", "put_parameter", "HierarchyTypeMismatchException")
    aws.answers("ssm", "delete_parameter", {}, **named)
    aws.answers("ssm", "put_parameter", {}, **stored)
    with aws.playing():
        store("{}", ssm=aws.client("ssm"), parameter="/imagify/dev/vnpay")


def test_an_account_that_may_not_be_stored_deletes_nothing() -> None:
    aws = Scripted("ssm")
    aws.fails("ssm", "put_parameter", "AccessDeniedException")
    with aws.playing(), pytest.raises(ClientError, match="AccessDenied"):
        store("{}", ssm=aws.client("ssm"), parameter="/imagify/dev/vnpay")
