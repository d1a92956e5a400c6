"""docs/pipeline: an example that must fit the repository, and hold no key."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its types are a package of their own

from common.config import Config, parse, read_settings
from ops.deployment.prerequisites import BOOTSTRAP_PARAMETER
from sandbox.places import REPOSITORY

PIPELINE = REPOSITORY / "docs" / "pipeline"
TEXT = (PIPELINE / "deploy.yml").read_text(encoding="utf-8")
WORKFLOW: dict[Any, Any] = yaml.safe_load(TEXT)
JOBS: dict[str, Any] = WORKFLOW["jobs"]
STAGES = ("dev", "prod")
CREDENTIALS = "aws-actions/configure-aws-credentials"


def runs(job: str) -> list[str]:
    return [step["run"] for step in JOBS[job]["steps"] if "run" in step]


def uses(job: str) -> list[dict[str, Any]]:
    return [step for step in JOBS[job]["steps"] if "uses" in step]


def test_there_is_no_key_in_it_nor_a_secret_to_hold_one() -> None:
    assert not re.search(r"secrets\.|access-key|AKIA|ASIA", TEXT)


def test_actions_are_pinned_by_commit() -> None:
    names = [step["uses"] for job in JOBS for step in uses(job)]
    assert len(names) == len(re.findall(r"uses: \S+@[0-9a-f]{40} # v\d+\.\d+\.\d+\n", TEXT))


def test_make_is_asked_for_what_it_knows() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    asked = [re.fullmatch(r"make ([a-z-]+)( STAGE=\w+)?", run) for job in JOBS for run in runs(job)]
    assert all(asked)
    assert {match[1] for match in asked if match} <= targets


def test_pull_requests_are_tested_and_reach_no_account() -> None:
    # YAML 1.1 reads the key `on` as true.
    assert WORKFLOW[True] == {"pull_request": None, "push": {"branches": ["main"]}}
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert "permissions" not in JOBS["test"]
    assert runs("test") == ["make test"]
    assert all(JOBS[stage]["if"] == "github.event_name == 'push'" for stage in STAGES)


@pytest.mark.parametrize(("stage", "after"), [("dev", "test"), ("prod", "dev")])
def test_a_stage_is_deployed_from_its_own_environment_after_what_comes_before(
    stage: str, after: str
) -> None:
    job = JOBS[stage]
    assert (job["environment"], job["needs"]) == (stage, after)
    assert job["permissions"] == {"contents": "read", "id-token": "write"}
    assert runs(stage) == ["make setup", f"make diff STAGE={stage}", f"make deploy STAGE={stage}"]
    (credentials,) = [step for step in uses(stage) if step["uses"].startswith(CREDENTIALS)]
    assert credentials["with"]["role-to-assume"] == "${{ vars.AWS_ROLE_ARN }}"
    config = parse(read_settings(), stage)
    assert WORKFLOW["env"]["AWS_REGION"] == config.home_region


def test_only_this_repositorys_environment_is_trusted() -> None:
    (statement,) = json.loads((PIPELINE / "trust.json").read_text())["Statement"]
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    (equal,) = statement["Condition"].items()
    assert equal[0] == "StringEquals"
    issuer = "token.actions.githubusercontent.com"
    assert set(equal[1]) == {f"{issuer}:aud", f"{issuer}:sub"}
    assert equal[1][f"{issuer}:aud"] == "sts.amazonaws.com"
    subject = equal[1][f"{issuer}:sub"]
    assert re.fullmatch(r"repo:[^*]+/[^*]+:environment:dev", subject)


def test_the_pipeline_may_become_the_bootstraps_roles_and_look_and_nothing_else() -> None:
    statements = json.loads((PIPELINE / "permissions.json").read_text())["Statement"]
    by_action = {each["Action"]: each["Resource"] for each in statements}
    assert set(by_action) == {
        "sts:AssumeRole",
        "ssm:GetParameter",
        "ssm:GetParameters",
        "ssm:DescribeParameters",
        "cloudformation:DescribeStacks",
    }
    bootstrap = REPOSITORY / "node_modules/aws-cdk/lib/api/bootstrap/bootstrap-template.yaml"
    template = bootstrap.read_text(encoding="utf-8")
    for role in by_action["sts:AssumeRole"]:
        name = role.split(":role/")[1].replace("hnb659fds", "${Qualifier}")
        name = name.replace("111122223333", "${AWS::AccountId}")
        assert name.replace("ap-southeast-1", "${AWS::Region}") in template
    assert by_action["ssm:GetParameter"].endswith(f":parameter{BOOTSTRAP_PARAMETER}")
    key = Config(stage="dev").image_public_key_parameter(7)
    assert by_action["ssm:GetParameters"].endswith(f":parameter{key.replace('/7/', '/*/')}")
    assert by_action["cloudformation:DescribeStacks"].endswith(":stack/Imagify-dev*")
