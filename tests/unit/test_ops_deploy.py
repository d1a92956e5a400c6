"""Deploying and comparing a stage: what is refused, said and asked of the CDK."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from common.config import parse
from ops.deployment import cdk
from ops.deployment.rollout import roll_out
from ops.stages import configured
from sandbox.errors import CommandError
from sandbox.places import REPOSITORY, VENV_BIN
from tests.unit.account import Account, a_stack
from tests.unit.stubbed import REGION


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    return Account(monkeypatch)


def test_a_wrong_stage_or_route_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "cdk.json"
    route = {"model": "amazon.nova-canvas-v1:0", "region": "us-east-1"}
    stages = {"dev": {"routes": [route]}}
    path.write_text(json.dumps({"context": {"imagify": {"stages": stages}}}))
    with pytest.raises(CommandError, match=r"^cdk.json: There is no stage prod; configured are: d"):
        configured("prod", path=path)
    with pytest.raises(CommandError, match=r"^cdk.json: The model amazon.nova-canvas-v1:0 left"):
        configured("dev", path=path)
    assert configured("dev", path=path, forced=True).routes[0].model == route["model"]


def test_an_account_without_bootstrap_is_told_what_to_do(account: Account) -> None:
    account.aws.fails("ssm", "get_parameter", "ParameterNotFound")
    said = r"aws://111122223333/ap-southeast-1 is not bootstrapped .* make bootstrap STAGE=dev"
    with account.aws.playing(), pytest.raises(CommandError, match=said):
        roll_out(account.target(), approved=True)
    assert account.ran == []


def test_an_older_bootstrap_than_the_template_takes_is_refused_before_the_cdk_does(
    account: Account,
) -> None:
    account.aws.answers("ssm", "get_parameter", {"Parameter": {"Value": "5"}})
    said = r"is bootstrapped by version 5, needed is 6. .* make bootstrap STAGE=dev PROFILE=ops$"
    with account.aws.playing(), pytest.raises(CommandError, match=said):
        roll_out(account.target(profile="ops"), approved=True)
    assert account.ran == []


def test_what_was_changed_by_hand_is_taken_back_of_stacks_that_are_there(account: Account) -> None:
    both = (a_stack(), a_stack("Imagify-dev-web"))
    account.bootstrapped()
    account.stacks(*both, *both)
    account.aws.answers("ssm", "describe_parameters", {"Parameters": []})
    with account.aws.playing():
        roll_out(account.target(), approved=True, revert_drift=True)
    assert account.ran[0][-1] == "--revert-drift"

    account.bootstrapped()
    account.stacks(a_stack(), None)
    said = "Not deployed yet: Imagify-dev-web. Deploy first without --revert-drift"
    with account.aws.playing(), pytest.raises(CommandError, match=said):
        roll_out(account.target(), approved=True, revert_drift=True)
    assert len(account.ran) == 1


def test_the_cdk_that_is_installed_can_take_back_what_was_changed_by_hand() -> None:
    registry = REPOSITORY / "node_modules/aws-cdk/lib/cli/cli-type-registry.json"
    options = json.loads(registry.read_text(encoding="utf-8"))["commands"]["deploy"]["options"]
    assert options["revert-drift"]["type"] == "boolean"


def test_a_domain_without_its_keys_is_told_what_makes_them(account: Account) -> None:
    certificate = f"arn:aws:acm:us-east-1:111122223333:certificate/{'0' * 8}"
    hosted = {"domain": "imagify.example.com", "certificate_arn": certificate}
    missing = "/imagify/dev/image-key/1/public"
    account.bootstrapped()
    account.aws.answers("ssm", "get_parameters", {"InvalidParameters": [missing]})
    said = "is missing: bin/imagify image-key new --stage dev --version 1 --profile ops$"
    with account.aws.playing(), pytest.raises(CommandError, match=said):
        roll_out(account.target(profile="ops", **hosted, image_key_version=2), approved=True)
    assert account.ran == []


def test_bootstrap_is_of_the_account_and_the_home_region(account: Account) -> None:
    account.target(profile="ops").bootstrap()
    assert account.ran == [["bootstrap", "aws://111122223333/ap-southeast-1", "--profile", "ops"]]


def test_a_first_deploy_says_where_it_goes_and_what_is_left_to_do(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.bootstrapped()
    account.stacks(None, None, a_stack(), None)
    account.aws.answers("ssm", "describe_parameters", {"Parameters": []})
    with account.aws.playing():
        roll_out(account.target(), approved=True)

    everything = ["--all", "--context", "stage=dev"]
    assert account.ran == [["deploy", *everything, "--require-approval", "never"]]
    out, err = capsys.readouterr()
    assert err.startswith("Making Imagify-dev in ap-southeast-1, account 111122223333, as arn:")
    assert "  API       https://abc123.execute-api.ap-southeast-1.amazonaws.com\n" in out
    assert "merchant set --stage dev" in out
    assert "nobody is told: set alarm_email" in out
    assert "Page" not in out


def test_an_update_says_so_and_where_the_page_is(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    page = [{"OutputKey": "PageUrl", "OutputValue": "https://page.test/"}]
    web = a_stack("Imagify-dev-web", Outputs=page)
    account.bootstrapped()
    account.stacks(a_stack(), web, a_stack(), web)
    account.aws.answers("ssm", "describe_parameters", {"Parameters": [{"Name": "/imagify/vnpay"}]})
    with account.aws.playing():
        roll_out(account.target(profile="ops", alarm_email="ann@example.com"), approved=True)

    out, err = capsys.readouterr()
    assert err.startswith("Updating Imagify-dev")
    assert "  Page      https://page.test/\n" in out
    assert "merchant set" not in out
    assert "ann@example.com is told, once the link in AWS's mail is followed" in out
    assert "--as EMAIL --stage dev --profile ops\n" in out


def test_at_a_terminal_the_cdk_asks_and_elsewhere_somebody_must_have_approved(
    account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(CommandError, match="say --yes"):
        roll_out(account.target(), approved=False)
    assert account.ran == []

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    account.bootstrapped()
    account.stacks(None, None, a_stack(), None)
    account.aws.fails("ssm", "describe_parameters", "AccessDeniedException")
    with account.aws.playing():
        roll_out(account.target(), approved=False)
    assert account.ran[0][-1] == "broadening"
    # Who may not look at parameters is not told that one is missing.
    assert "nothing can be bought" not in capsys.readouterr().out


def test_a_first_deploy_that_nobody_approved_can_be_begun_again(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.bootstrapped()
    account.stacks(a_stack(StackStatus="REVIEW_IN_PROGRESS", Outputs=[]), None, a_stack(), None)
    account.aws.answers("ssm", "describe_parameters", {"Parameters": []})
    with account.aws.playing():
        roll_out(account.target(), approved=True)
    assert capsys.readouterr().err.startswith("Making Imagify-dev")


def test_a_stack_that_is_being_changed_is_left_alone(account: Account) -> None:
    account.bootstrapped()
    account.stacks(a_stack(StackStatus="UPDATE_IN_PROGRESS"), None)
    with account.aws.playing(), pytest.raises(CommandError, match="UPDATE_IN_PROGRESS"):
        roll_out(account.target(), approved=True)
    assert account.ran == []


@pytest.mark.parametrize(
    "answer", [("AccessDenied", "not authorized"), ("ValidationError", "the name is too long")]
)
def test_a_stack_that_cannot_be_looked_at_is_not_taken_for_missing(
    account: Account, answer: tuple[str, str]
) -> None:
    account.aws.fails("cloudformation", "describe_stacks", *answer)
    with account.aws.playing(), pytest.raises(CommandError, match="cannot be looked at"):
        account.target().stacks()


def test_the_cdk_runs_with_our_own_programs_first_and_its_failure_is_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "cdk"
    program.write_text(f'#!/bin/sh\necho "$PATH|$*|$PWD" > {tmp_path}/ran\nexit $STATUS\n')
    program.chmod(0o755)
    monkeypatch.setattr(cdk, "CDK", program)
    monkeypatch.setenv("STATUS", "0")
    cdk.run_cdk(["diff", "--all"])
    path, arguments, folder = (tmp_path / "ran").read_text().strip().split("|")
    assert path.startswith(str(VENV_BIN))
    assert arguments == "--no-notices diff --all"
    assert folder == str(REPOSITORY)
    monkeypatch.setenv("STATUS", "1")
    with pytest.raises(CommandError, match="cdk diff was not carried out"):
        cdk.run_cdk(["diff"])


def test_the_scripts_region_is_the_usual_one() -> None:
    assert parse({}).home_region == REGION
