"""Each command of docs/DEPLOY.md is run as it stands and in order, in an account that is empty.

AWS is the emulator. The one other thing that is not an operator's: a `.cdk.json` in the home
folder, which the CDK reads beside cdk.json, has the template be the local run's.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import boto3
import pytest
from PIL import Image

from common.config import parse, read_settings
from sandbox.clients import client_settings
from sandbox.deploy import ASSETS_BUCKET, make_assets_bucket
from sandbox.environment import for_aws
from sandbox.people import new_password
from sandbox.places import REPOSITORY
from tests.e2e.empty_aws import EmptyAws, empty_aws
from tests.e2e.guide import commands, examples, not_run

pytestmark = pytest.mark.apart

CANNOT_RUN = {
    "aws sso login --profile imagify": "no AWS CLI here, and nobody who could log in",
    "export AWS_PROFILE=imagify": "the emulator takes fixed keys",
    "git pull": "would change what is tested",
    "git checkout HEAD~1": "would change what is tested",
}
TYPED = {"make destroy STAGE=dev": "Imagify-dev\n"}
"""What an operator types when asked; passwords and approvals come from the environment."""
LINE_SECONDS_MAX = 300


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[EmptyAws]:
    """An account in which nothing is but the bucket that a local run's template expects."""
    with empty_aws(tmp_path / "state") as aws:
        make_assets_bucket(aws.endpoint)
        yield aws


@pytest.fixture
def home(tmp_path: Path, aws: EmptyAws) -> Path:
    """The operator's home folder."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".cdk.json").write_text(json.dumps({"context": {"sandbox": ASSETS_BUCKET}}))
    _settings, account = examples()
    ours = {
        "tmn_code": aws.tmn_code,
        "hash_secret": aws.hash_secret,
        "pay_url": f"{aws.gateway_url}/paymentv2/vpcpay.html",
        "api_url": f"{aws.gateway_url}/merchant_webapi/api/transaction",
    }
    assert set(json.loads(account)) == set(ours)
    (home / "vnpay.json").write_text(json.dumps(ours))
    return home


def run(line: str, env: Mapping[str, str]) -> str:
    """Type one line of the page; what it prints."""
    done = subprocess.run(
        ["bash", "-euc", line],
        cwd=REPOSITORY,
        env=dict(env),
        input=TYPED.get(line, ""),
        capture_output=True,
        text=True,
        timeout=LINE_SECONDS_MAX,
        check=False,
    )
    said = f"{done.stdout}{done.stderr}"
    assert done.returncode == 0, f"{line}\n{said}"
    return said


def test_an_operator_comes_from_an_empty_account_to_an_image_and_back(
    aws: EmptyAws, home: Path
) -> None:
    password = new_password()
    env = for_aws(os.environ, endpoint=aws.endpoint) | {
        "AWS_ENDPOINT_URL_BEDROCK": aws.simulator_url,
        "HOME": str(home),
        "IMAGIFY_PASSWORD": password,
        "IMAGIFY_YES": "1",
    }
    said = [(line, run(line, env)) for line in commands() if line not in CANNOT_RUN]

    everything = "".join(text for _line, text in said)
    assert aws.hash_secret not in everything
    assert password not in everything
    deploys = [text for line, text in said if line == "make deploy STAGE=dev"]
    assert "Making Imagify-dev in ap-southeast-1" in deploys[0]
    assert "Updating Imagify-dev in ap-southeast-1" in deploys[1]
    told = {line.split(" --")[0]: text for line, text in said}
    assert "bootstrapped" in told["make bootstrap STAGE=dev"]
    with Image.open(home / "fox.png") as image:
        assert image.format == "PNG"
    assert "8 available, 0 held" in told["bin/imagify people show you@example.com"]
    assert "everything adds up" in told["bin/imagify audit"]
    assert "users: 1 (credits: 8), jobs: 1, images: 1" in told["bin/imagify destroy"]
    assert "Imagify-dev is deleted" in told["make destroy STAGE=dev"]
    assert not (home / "vnpay.json").exists()
    assert stored_account(aws)["tmn_code"] == aws.tmn_code
    stacks = boto3.client("cloudformation", **client_settings(aws.endpoint)).list_stacks()
    left = [each for each in stacks["StackSummaries"] if each["StackStatus"] != "DELETE_COMPLETE"]
    assert [each["StackName"] for each in left] == ["CDKToolkit"]


def stored_account(aws: EmptyAws) -> Mapping[str, str]:
    """What `merchant set` has left in Parameter Store."""
    ssm = boto3.client("ssm", **client_settings(aws.endpoint))
    found = ssm.get_parameter(Name="/imagify/dev/vnpay", WithDecryption=True)["Parameter"]
    assert found["Type"] == "SecureString"
    account: Mapping[str, str] = json.loads(found["Value"])
    return account


def test_the_page_says_which_of_its_lines_are_not_run_and_they_are_in_it() -> None:
    assert not_run() == set(CANNOT_RUN)
    assert set(CANNOT_RUN) | set(TYPED) <= set(commands())


def test_the_pages_settings_are_a_stages() -> None:
    settings, _account = examples()
    config = parse({"stages": {"dev": json.loads(settings)}}, "dev")
    assert config.alarm_email == "you@example.com"
    assert not config.reserve_concurrency
    ours = parse(read_settings(), "dev")
    said = {"alarm_email", "packages", "workers_max"}
    changed = {name for name, value in config if value != getattr(ours, name)}
    assert changed == said, "what the page does not speak of is as cdk.json has it"
