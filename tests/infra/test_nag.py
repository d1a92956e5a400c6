from __future__ import annotations

import json
from pathlib import Path

import pytest
from aws_cdk import aws_sqs as sqs

from infra.app import build
from tests.infra.conftest import make_app
from tests.infra.template import Template


@pytest.mark.parametrize("template", ["aws", "two_routes", "hosted"])
def test_cdk_nag_has_no_finding_without_a_written_reason(
    request: pytest.FixtureRequest, template: str
) -> None:
    stack: Template = request.getfixturevalue(template)
    report = json.loads((stack.assembly / "validation-report.json").read_text())
    assert report["pluginReports"] == []


def test_cdk_nag_stops_a_synthesis_that_it_finds_fault_with(tmp_path: Path) -> None:
    app = make_app(tmp_path)
    sqs.Queue(build(app), "OpenToPlainHttp")
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    report = (tmp_path / "validation-report.json").read_text()
    assert "AwsSolutions-SQS4" in report
