"""`imagify image-key new` as an operator types it, over a Parameter Store in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from moto import mock_aws

from ops import cli
from ops.deployment.key_pair import new_private_key, public_key_of

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

REGION = "ap-southeast-1"
PRIVATE, PUBLIC = "/imagify/dev/image-key/1", "/imagify/dev/image-key/1/public"
Printed = pytest.CaptureFixture[str]


@pytest.fixture
def ssm(monkeypatch: pytest.MonkeyPatch) -> Iterator[SSMClient]:
    monkeypatch.setattr("ops.cli._end_tidily", lambda: None)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws():
        client = boto3.session.Session(region_name=REGION).client("ssm")
        yield client
        client.close()


def new(*arguments: str) -> int:
    return cli.main(["image-key", "new", *arguments])


def stored(ssm: SSMClient) -> dict[str, dict[str, Any]]:
    found = ssm.get_parameters(Names=[PRIVATE, PUBLIC], WithDecryption=True)
    return {each["Name"]: dict(each) for each in found["Parameters"]}


def test_a_pair_is_made_and_only_its_public_half_can_be_read_by_a_template(
    ssm: SSMClient, capsys: Printed
) -> None:
    assert new("--stage", "dev") == 0
    pair = stored(ssm)
    assert (pair[PRIVATE]["Type"], pair[PUBLIC]["Type"]) == ("SecureString", "String")
    key = load_pem_private_key(pair[PRIVATE]["Value"].encode(), password=None)
    assert isinstance(key, RSAPrivateKey)
    assert key.key_size == 2048
    assert pair[PUBLIC]["Value"] == public_key_of(pair[PRIVATE]["Value"])
    assert pair[PUBLIC]["Value"].startswith("-----BEGIN PUBLIC KEY-----\n")
    out, err = capsys.readouterr()
    assert "PRIVATE" not in out + err
    assert PRIVATE in err.replace("\n", "")


def test_nothing_overwrites_a_pair(ssm: SSMClient, capsys: Printed) -> None:
    assert new("--stage", "dev") == 0
    before = stored(ssm)
    assert new("--stage", "dev") == 1
    assert new("--stage", "dev", "--dry-run") == 1
    assert stored(ssm) == before
    assert "raise image_key_version" in capsys.readouterr().err.replace("\n", " ")


def test_a_public_key_is_given_no_other_private_one(ssm: SSMClient) -> None:
    ssm.put_parameter(Name=PUBLIC, Value="of a key that is elsewhere", Type="String")
    assert new("--stage", "dev") == 1
    assert set(stored(ssm)) == {PUBLIC}


def test_what_an_earlier_try_has_left_is_gone_on_with(ssm: SSMClient) -> None:
    left = new_private_key()
    ssm.put_parameter(Name=PRIVATE, Value=left, Type="SecureString")
    assert new("--stage", "dev") == 0
    assert stored(ssm)[PRIVATE]["Value"] == left
    assert stored(ssm)[PUBLIC]["Value"] == public_key_of(left)


def test_a_dry_run_makes_nothing(ssm: SSMClient, capsys: Printed) -> None:
    assert new("--stage", "dev", "--dry-run", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "stage": "dev",
        "region": REGION,
        "version": 1,
        "dry_run": True,
        "parameters": [PRIVATE, PUBLIC],
    }
    assert stored(ssm) == {}


def test_another_pair_of_another_stage_elsewhere(ssm: SSMClient, capsys: Printed) -> None:
    assert new("--stage", "prod", "--version", "4", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["region"], facts["version"]) == (REGION, 4)
    assert facts["parameters"][0] == "/imagify/prod/image-key/4"
    assert stored(ssm) == {}


@pytest.mark.parametrize("arguments", [(), ("--stage", "dev", "--version", "0")])
def test_wrong_usage_ends_with_2(arguments: tuple[str, ...], capsys: Printed) -> None:
    assert new(*arguments) == 2
    assert "image-key new --help" in capsys.readouterr().err


@pytest.mark.usefixtures("ssm")
def test_a_stage_that_is_not_configured_is_told(capsys: Printed) -> None:
    assert new("--stage", "nowhere") == 1
    assert "no stage nowhere" in capsys.readouterr().err
