"""Making people and signing them in, where Cognito says no."""

from __future__ import annotations

import pytest

from ops.customer.passwords import VARIABLE, chosen_password, known_password
from ops.customer.sign_in import client_as
from ops.stack import Stack, reachable_api_url
from sandbox.errors import CommandError
from sandbox.people import UNFINISHED, People, Person
from tests.unit.stubbed import Scripted
from tests.unit.test_sandbox_run import OUTPUTS

ANN = Person("ann@example.com", "Secret-Passw0rd")
POOL = {"UserPoolId": "pool", "Username": ANN.email}
COGNITO = "cognito-idp"


@pytest.fixture
def aws() -> Scripted:
    return Scripted(COGNITO)


def people(aws: Scripted) -> People:
    return People(aws.client(COGNITO), OUTPUTS)


def test_somebody_new_has_a_verified_address_no_mail_and_a_password_that_stays(
    aws: Scripted,
) -> None:
    aws.answers(
        COGNITO,
        "admin_create_user",
        {},
        **POOL,
        TemporaryPassword=ANN.password,
        MessageAction="SUPPRESS",
        UserAttributes=[
            {"Name": "email", "Value": ANN.email},
            {"Name": "email_verified", "Value": "true"},
        ],
    )
    aws.answers(
        COGNITO, "admin_set_user_password", {}, **POOL, Password=ANN.password, Permanent=True
    )
    with aws.playing():
        people(aws).create(ANN)


def test_somebody_who_is_there_keeps_the_password(aws: Scripted) -> None:
    aws.fails(COGNITO, "admin_create_user", "UsernameExistsException")
    aws.answers(COGNITO, "admin_get_user", {"Username": "sub", "UserStatus": "CONFIRMED"}, **POOL)
    with aws.playing(), pytest.raises(CommandError, match="There is somebody"):
        people(aws).create(ANN)


def test_making_somebody_is_finished_where_it_was_cut_short(aws: Scripted) -> None:
    aws.fails(COGNITO, "admin_create_user", "UsernameExistsException")
    aws.answers(COGNITO, "admin_get_user", {"Username": "sub", "UserStatus": UNFINISHED}, **POOL)
    aws.answers(COGNITO, "admin_set_user_password", {})
    with aws.playing():
        people(aws).create(ANN)


def test_a_password_that_the_pool_does_not_take_makes_nobody(aws: Scripted) -> None:
    aws.fails(COGNITO, "admin_create_user", "InvalidPasswordException", "Password too short.")
    with aws.playing(), pytest.raises(CommandError, match="Password too short"):
        people(aws).create(ANN)


def test_nobody_is_shown_under_an_unknown_address(aws: Scripted) -> None:
    aws.fails(COGNITO, "admin_get_user", "UserNotFoundException")
    with aws.playing(), pytest.raises(CommandError, match=r"Nobody has the address ann@example"):
        people(aws).sub(ANN.email)


def test_a_wrong_password_is_told_in_a_sentence_without_it(aws: Scripted) -> None:
    aws.fails(COGNITO, "initiate_auth", "NotAuthorizedException", "Incorrect username or password.")
    with aws.playing(), pytest.raises(CommandError, match="Incorrect username") as refused:
        people(aws).sign_in(ANN)
    assert ANN.password not in str(refused.value)


def test_a_second_factor_is_named(aws: Scripted) -> None:
    aws.answers(COGNITO, "initiate_auth", {"ChallengeName": "SOFTWARE_TOKEN_MFA"})
    with aws.playing(), pytest.raises(CommandError, match="asks for SOFTWARE_TOKEN_MFA"):
        people(aws).sign_in(ANN)


def test_on_aws_somebody_must_be_named() -> None:
    stack = Stack.__new__(Stack)
    stack.local = None
    with pytest.raises(CommandError, match="--as EMAIL"):
        client_as(stack, None)


def test_the_api_is_where_aws_says_or_where_the_emulator_has_it() -> None:
    aws_url = "https://abc123.execute-api.ap-southeast-1.amazonaws.com"
    assert reachable_api_url(OUTPUTS, None) == aws_url
    emulated = "http://127.0.0.1:7/_aws/execute-api/abc123"
    assert reachable_api_url(OUTPUTS, "http://127.0.0.1:7") == emulated


class Terminal:
    """Somebody who types these, one a question."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *typed: str) -> None:
        lines = iter(typed)
        monkeypatch.delenv(VARIABLE, raising=False)
        monkeypatch.setattr("sys.stdin.isatty", lambda: bool(typed), raising=False)
        monkeypatch.setattr("getpass.getpass", lambda _question: next(lines))


def test_a_password_comes_from_the_environment_before_anybody_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VARIABLE, "given")
    assert known_password("a@b") == chosen_password("a@b") == "given"


def test_a_password_is_typed_once_and_a_new_one_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    Terminal(monkeypatch, "known", "new", "new", "new", "mew")
    assert known_password("a@b") == "known"
    assert chosen_password("a@b") == "new"
    with pytest.raises(CommandError, match="two passwords"):
        chosen_password("a@b")


def test_where_nobody_types_the_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    Terminal(monkeypatch)
    with pytest.raises(CommandError, match=VARIABLE):
        known_password("a@b")
