"""Who waits for a function gets one that starts from a snapshot, where that is paid for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.function import LIVE
from tests.infra.conftest import SANDBOX_ASSETS, synthesize
from tests.infra.template import FUNCTIONS, Template

WAITED_FOR = {"submit", "status", "accounts", "payments", "feed"}
PUBLISHED = {"ApplyOn": "PublishedVersions"}


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """What AWS gets as dev, with the settings in cdk.json."""
    return synthesize(tmp_path_factory.mktemp("dev"), stage="dev")


def aliases(template: Template) -> dict[str, str]:
    """Each function's version that is called by the alias, by the function's logical id."""
    found = template.of_type("AWS::Lambda::Alias").values()
    assert {alias["Name"] for alias in found} == {LIVE}
    return {
        template.text(alias["FunctionName"]): alias["FunctionVersion"]["Fn::GetAtt"][0]
        for alias in found
    }


def path_of(template: Template, name: str) -> str:
    """The construct's path of `functions/<name>`."""
    functions = template.of_type("AWS::Lambda::Function")
    (path,) = (path for path, each in functions.items() if each is template.function(name))
    return path


def test_just_the_functions_that_people_wait_for_start_from_snapshots(aws: Template) -> None:
    for name in FUNCTIONS:
        expected = PUBLISHED if name in WAITED_FOR else None
        assert aws.function(name).get("SnapStart") == expected


def test_snapshots_cost_nothing_where_nobody_waits_for_money(dev: Template) -> None:
    assert not any("SnapStart" in dev.function(name) for name in FUNCTIONS)


def test_the_same_aliases_are_called_with_and_without_snapshots(
    aws: Template, dev: Template
) -> None:
    waited_for = {path_of(aws, name) for name in WAITED_FOR}
    assert set(aliases(aws)) == set(aliases(dev)) == waited_for


def test_an_alias_is_the_version_of_its_own_function(aws: Template) -> None:
    resources = aws.content["Resources"]
    for function, version in aliases(aws).items():
        published = resources[version]
        assert published["Type"] == "AWS::Lambda::Version"
        assert aws.text(published["Properties"]["FunctionName"]) == function


def test_a_version_that_is_replaced_is_deleted_with_its_snapshot(aws: Template) -> None:
    for version in aliases(aws).values():
        assert aws.content["Resources"][version]["DeletionPolicy"] == "Delete"


def test_nobody_from_outside_may_call_an_unpublished_function(aws: Template) -> None:
    for permission in aws.of_type("AWS::Lambda::Permission").values():
        assert aws.text(permission["FunctionName"]).endswith("/Live")


def test_another_reservation_alone_publishes_no_version(tmp_path: Path) -> None:
    """Lambda refuses to publish what it has published, and a reservation is no part of that."""
    versions = []
    for number in (50, 60):
        settings = json.dumps({"looks_at_once": number})
        folder = tmp_path / str(number)
        template = synthesize(folder, imagify=settings, sandbox=SANDBOX_ASSETS)
        assert template.function("submit")["ReservedConcurrentExecutions"] == number
        versions.append(aliases(template))
    assert versions[0] == versions[1]
