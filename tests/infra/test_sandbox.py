"""The sandbox deploys the template that AWS gets; here is all that may differ, and why."""

from __future__ import annotations

import copy
import json
import zipfile

from infra.packaging import CODE
from tests.infra.conftest import SANDBOX_ASSETS
from tests.infra.template import Json, Template

HASH_DIGITS = 32


def _without_package(template: Json) -> Json:
    """Where the code lies: the emulator gets it without libraries, in a bucket of its own.

    A version's id ends in a hash of what it is a version of, the code included.
    """
    for name, resource in list(template["Resources"].items()):
        if resource["Type"] == "AWS::Lambda::Version":
            text = json.dumps(template).replace(name, name[:-HASH_DIGITS])
            template = json.loads(text)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            assert set(resource["Properties"].pop("Code")) == {"S3Bucket", "S3Key"}
            del resource["Metadata"]["aws:asset:path"]
    return template


def _without_tls(template: Json) -> Json:
    """The refusal of plain HTTP, which is all that the policies on buckets and queues say."""
    resources = template["Resources"]
    for name, resource in list(resources.items()):
        if resource["Type"] in ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy"):
            (statement,) = resource["Properties"]["PolicyDocument"]["Statement"]
            assert statement["Effect"] == "Deny"
            assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
            del resources[name]
    return template


def _without_bootstrap(template: Json) -> Json:
    """The check that the account was bootstrapped, which goes with the synthesizer."""
    assert set(template.pop("Parameters")) == {"BootstrapVersion"}
    assert set(template.pop("Rules")) == {"CheckBootstrapVersion"}
    return template


def _without_exports(template: Json) -> Json:
    """What the page's stack imports, which the emulator has not."""
    exports = {name for name, output in template["Outputs"].items() if "Export" in output}
    assert exports == {name for name in template["Outputs"] if name.startswith("ExportsOutput")}
    for name in exports:
        del template["Outputs"][name]
    return template


def test_the_templates_differ_by_package_tls_bootstrap_and_exports_alone(
    aws: Template, sandbox: Template
) -> None:
    expected = _without_bootstrap(_without_tls(_without_package(copy.deepcopy(aws.content))))
    expected = _without_exports(expected)
    assert _without_package(copy.deepcopy(sandbox.content)) == expected


def test_the_sandbox_has_no_stack_for_the_page(sandbox: Template) -> None:
    assert {path.name for path in sandbox.assembly.glob("*.template.json")} == {
        "Imagify.template.json"
    }


def test_the_sandboxs_package_is_our_code_alone(sandbox: Template) -> None:
    (package,) = sandbox.assembly.glob("asset.*.zip")
    with zipfile.ZipFile(package) as archive:
        assert {name.split("/")[0] for name in archive.namelist()} == set(CODE)


def test_the_sandboxs_assets_go_to_the_named_bucket_without_roles(sandbox: Template) -> None:
    for function in sandbox.of_type("AWS::Lambda::Function").values():
        assert function["Code"]["S3Bucket"] == SANDBOX_ASSETS
    assets = json.loads((sandbox.assembly / "Imagify.assets.json").read_text())
    for file in assets["files"].values():
        for destination in file["destinations"].values():
            assert destination["bucketName"] == SANDBOX_ASSETS
            assert "assumeRoleArn" not in destination
