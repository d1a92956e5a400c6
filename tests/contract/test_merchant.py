"""The merchant's account: there, missing, misspelled or out of reach, and never told."""

from __future__ import annotations

import json
import logging
import socket
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber
from pydantic import ValidationError

from common.aws.ssm_merchant import KEPT_SECONDS, SsmMerchant
from common.errors import Conflict, Rejected, ServiceFailed, Transient
from common.vnpay import Merchant
from tests.contract.backends import EMULATOR, MOTO, REGION
from tests.fakes import ManualClock

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

SECRET = "LEAKED0SECRET0LEAKED0SECRET0LEAK"
LEAK = "leaked"
"""In every value that must not be told, in whatever case."""
ACCOUNT: dict[str, Any] = {
    "tmn_code": "LEAKED01",
    "hash_secret": SECRET,
    "pay_url": "https://leaked.test/pay",
    "api_url": "https://leaked.test/api",
    "return_url": "https://leaked.test/payments/vnpay/return",
}


@cache
def _session() -> boto3.session.Session:
    return boto3.session.Session(
        aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION
    )


def client_at(url: str | None) -> SSMClient:
    config = Config(
        connect_timeout=2,
        read_timeout=20,
        retries={"mode": "standard", "total_max_attempts": 1},
        proxies={},
    )
    return _session().client("ssm", endpoint_url=url, config=config)


@pytest.fixture(params=[MOTO, pytest.param(EMULATOR, marks=pytest.mark.emulator)])
def ssm(request: pytest.FixtureRequest) -> Iterator[SSMClient]:
    if request.param == MOTO:
        request.getfixturevalue("moto_aws")
        client = client_at(None)
    else:
        client = client_at(request.getfixturevalue("emulator").url)
    yield client
    client.close()


@pytest.fixture
def name(fresh: Callable[[str], str]) -> str:
    return "/" + fresh("imagify/vnpay")


@pytest.fixture
def reads(ssm: SSMClient) -> list[dict[str, Any]]:
    """Each call that has gone out to read the parameter."""
    calls: list[dict[str, Any]] = []
    ssm.meta.events.register(
        "provide-client-params.ssm.GetParameter", lambda params, **_: calls.append(params)
    )
    return calls


def store(ssm: SSMClient, name: str, account: object) -> None:
    text = account if isinstance(account, str) else json.dumps(account)
    ssm.put_parameter(Name=name, Value=text, Type="SecureString", Overwrite=True)


def told(error: BaseException) -> str:
    """All that a log or a debugger shows of an error and of those before it."""
    lines = traceback.format_exception(error)
    step: BaseException | None = error
    while step is not None:
        lines += [str(step), repr(step), repr(step.args)]
        step = step.__cause__ or step.__context__
    return "\n".join(lines)


def test_the_account_is_read_and_decrypted(
    ssm: SSMClient, name: str, reads: list[dict[str, Any]]
) -> None:
    store(ssm, name, ACCOUNT | {"ipn_addresses": ["203.0.113.5"]})
    account = SsmMerchant(ssm, parameter=name)()
    assert account.tmn_code == ACCOUNT["tmn_code"]
    assert account.hash_secret.get_secret_value() == SECRET
    assert account.return_url == ACCOUNT["return_url"]
    assert account.allows("203.0.113.5")
    assert not account.allows("203.0.113.6")
    assert [(read["Name"], read["WithDecryption"]) for read in reads] == [(name, True)]


def test_without_a_list_an_ipn_may_come_from_anywhere(ssm: SSMClient, name: str) -> None:
    store(ssm, name, ACCOUNT)
    assert SsmMerchant(ssm, parameter=name)().ipn_addresses == ()


def test_nothing_is_read_before_it_is_needed(
    ssm: SSMClient, name: str, reads: list[dict[str, Any]]
) -> None:
    SsmMerchant(ssm, parameter=name)
    assert reads == []


def test_the_account_is_read_once_in_five_minutes(
    ssm: SSMClient,
    name: str,
    reads: list[dict[str, Any]],
) -> None:
    clock = ManualClock()
    store(ssm, name, ACCOUNT)
    merchant = SsmMerchant(ssm, parameter=name, clock=lambda: clock().timestamp())
    first = merchant()
    store(ssm, name, ACCOUNT | {"tmn_code": "LEAKED02"})
    clock.advance(KEPT_SECONDS - 1)
    assert merchant() == first
    assert len(reads) == 1
    clock.advance(2)
    assert merchant().tmn_code == "LEAKED02"
    assert merchant().tmn_code == "LEAKED02"
    assert len(reads) == 2
    assert KEPT_SECONDS == 300


def test_while_there_is_no_account_nothing_can_be_paid_for(ssm: SSMClient, name: str) -> None:
    with pytest.raises(Conflict) as missing:
        SsmMerchant(ssm, parameter=name)()
    assert isinstance(missing.value, Rejected)
    assert (missing.value.status, missing.value.code) == (409, "payments_not_set_up")
    assert name not in missing.value.message, "it is for customers"


def test_an_account_is_found_as_soon_as_it_is_stored(ssm: SSMClient, name: str) -> None:
    merchant = SsmMerchant(ssm, parameter=name)
    with pytest.raises(Conflict):
        merchant()
    store(ssm, name, ACCOUNT)
    assert merchant().tmn_code == ACCOUNT["tmn_code"]


# What is no account


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        f'{{"hash_secret": "{SECRET}"',
        f"{{'hash_secret': '{SECRET}'}}",
        f"hash_secret={SECRET}",
        f'"{SECRET}"',
        f'["{SECRET}"]',
        "null",
        "{",
        " ",
    ],
)
def test_a_parameter_that_is_no_object_is_told_without_its_text(
    text: str, ssm: SSMClient, name: str
) -> None:
    store(ssm, name, text)
    with pytest.raises(ValueError, match=f"^{name}: wrong are JSON$") as wrong:
        SsmMerchant(ssm, parameter=name)()
    assert LEAK not in told(wrong.value).lower()


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"tmn_code": "LEAKED"}, "tmn_code"),
        ({"tmn_code": "LEAKED012"}, "tmn_code"),
        ({"tmn_code": "LEAKED-1"}, "tmn_code"),
        ({"tmn_code": "LEAKED01\n"}, "tmn_code"),
        ({"tmn_code": 12345678}, "tmn_code"),
        ({"hash_secret": "leaked"}, "hash_secret"),
        ({"hash_secret": [SECRET]}, "hash_secret"),
        ({"hash_secret": None}, "hash_secret"),
        ({"pay_url": "leaked.test/pay"}, "pay_url"),
        ({"pay_url": "ftp://leaked.test/pay"}, "pay_url"),
        ({"pay_url": "https://leaked.test/pay?a=1"}, "pay_url"),
        ({"api_url": "https://leaked.test/api#a"}, "api_url"),
        ({"api_url": {"leaked": 1}}, "api_url"),
        ({"return_url": "/leaked/payments"}, "return_url"),
        ({"return_url": "https://leaked.test/" + "a" * 240}, "return_url"),
        ({"return_url": "http://a"}, "return_url"),
        ({"ipn_addresses": "leaked"}, "ipn_addresses"),
        ({"ipn_addresses": ["203.0.113.5", 7, {"leaked": 1}]}, "ipn_addresses"),
        ({"hash_secert": SECRET}, "an unknown field"),
        ({SECRET: "hash_secret", "leaked": 1}, "an unknown field"),
        ({"return_url": "https://api.test/leaked~"}, "return_url"),
        ({"return_url": "http://api.test/leaked"}, "return_url"),
        ({"pay_url": "http://leaked.test/pay"}, "pay_url"),
        ({"api_url": "http://127.0.0.1.leaked.test/api"}, "api_url"),
        ({"hash_secret": "leaked leaked"}, "hash_secret"),
        ({"hash_secret": "leakedleaked\n"}, "hash_secret"),
        ({"return_url": "https://api.test/leaked\n"}, "return_url"),
        ({"tmn_code": "leaked", "hash_secret": "leaked"}, "hash_secret, tmn_code"),
    ],
)
def test_a_wrong_field_is_named_without_its_value(
    changes: dict[str, Any], fields: str, ssm: SSMClient, name: str
) -> None:
    store(ssm, name, ACCOUNT | changes)
    with pytest.raises(ValueError, match=f"^{name}: wrong are {fields}$") as wrong:
        SsmMerchant(ssm, parameter=name)()
    assert LEAK not in told(wrong.value).lower()


@pytest.mark.parametrize("field", ACCOUNT)
def test_a_field_that_is_missing_is_named(field: str, ssm: SSMClient, name: str) -> None:
    store(ssm, name, {key: value for key, value in ACCOUNT.items() if key != field})
    with pytest.raises(ValueError, match=f"^{name}: wrong are {field}$") as wrong:
        SsmMerchant(ssm, parameter=name)()
    assert LEAK not in told(wrong.value).lower()


# Out of reach


@pytest.mark.parametrize(
    "code",
    [
        "AccessDeniedException",
        "ThrottlingException",
        "InternalServerError",
        "InvalidKeyId",
        "ParameterVersionNotFound",
    ],
)
def test_an_account_that_cannot_be_read_is_a_failed_service(code: str) -> None:
    client = client_at(None)
    with Stubber(client) as aws:
        aws.add_client_error("get_parameter", code, "arn:aws:ssm: not authorized")
        with pytest.raises(ServiceFailed) as failed:
            SsmMerchant(client, parameter="/imagify/vnpay")()
    assert isinstance(failed.value, Transient)
    assert code in told(failed.value), "the log says why"
    assert "arn:" not in failed.value.message


def test_a_parameter_store_that_is_not_there_is_a_failed_service() -> None:
    with closing(socket.socket()) as nobody:
        nobody.bind(("127.0.0.1", 0))  # taken, but nobody listens
        client = client_at(f"http://127.0.0.1:{nobody.getsockname()[1]}")
        with pytest.raises(ServiceFailed):
            SsmMerchant(client, parameter="/imagify/vnpay")()


def test_what_could_not_be_read_is_tried_again_the_next_time(ssm: SSMClient, name: str) -> None:
    store(ssm, name, ACCOUNT)
    merchant = SsmMerchant(ssm, parameter=name)
    with Stubber(ssm) as aws:
        aws.add_client_error("get_parameter", "ThrottlingException")
        with pytest.raises(ServiceFailed):
            merchant()
    assert merchant().tmn_code == ACCOUNT["tmn_code"]


# The secret


def test_the_secret_is_in_no_description_and_no_log(
    ssm: SSMClient,
    name: str,
    caplog: pytest.LogCaptureFixture,
    written: Callable[[], str],
) -> None:
    caplog.set_level(logging.INFO)
    store(ssm, name, ACCOUNT)
    merchant = SsmMerchant(ssm, parameter=name)
    account = merchant()
    shown = [
        *(repr(merchant), str(merchant), repr(vars(account)["hash_secret"])),
        *(repr(account), str(account), f"{account}", account.model_dump_json()),
        *(repr(account.model_dump()), repr(account.hash_secret), caplog.text, written()),
    ]
    assert not [each for each in shown if SECRET in each]


def test_an_account_that_is_wrongly_made_does_not_say_what_of() -> None:
    with pytest.raises(ValidationError) as wrong:
        Merchant.model_validate(ACCOUNT | {"hash_secret": "leaked", "pay_url": "leaked"})
    assert LEAK not in f"{wrong.value} {wrong.value!r}".lower()


def test_an_account_cannot_be_changed() -> None:
    account = Merchant.model_validate(ACCOUNT)
    with pytest.raises(ValidationError, match="frozen"):
        account.tmn_code = "LEAKED02"  # type: ignore[misc]  # it is read-only: that is the test
